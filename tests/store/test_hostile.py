"""Hostile names and contents of stores: refused or reported, nothing outside touched, nothing allocated."""

import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store.arrays import MOST_ROWS, open_array
from store.catalogue import Store
from store.digests import digest
from store.errors import PhonanchorError, StoreError
from store.feature_store import FeatureStore
from store.forget_journal import read_journal
from store.garbage import collect
from store.repair import repair
from store.snapshots import Part, read_index, read_parts, write_snapshot
from store.verify import verify
from store.verify_history import repair_history, verify_history
from tests.store.crash_cases import fresh_copy
from tests.store.store_cases import commit, fill, spec, utterance, values, write

FEATURE = spec((16,))
LENGTHS = (40, 9, 700)
HUGE = 10**15
LONG = "x" * 300
NAMES = (
    "../outside", "..", ".", "", "/etc/passwd", "a/../../outside", "..\\outside", "a\nb", "a\x00b", LONG,
    "\ud800", "a\u2028b", ".hidden",
)  # fmt: skip
ALLOWED = ("\u00e9t\u00e9", "日本語", "a b", "100%", "%2e%2e%2f", "-rf", "~", "$(id)", "con")
"""Names that are odd and harmless."""
DECOMPOSED, COMPOSED = "e\u0301te\u0301", "\u00e9t\u00e9"
MORE_MEMORY = 250 * 2**20
BOMB = 4 * 10**6


@pytest.fixture(autouse=True)
def untouched(tmp_path) -> Iterator[None]:
    """Nothing but the store changes in the folder around it, and memory stays where it was."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious.txt").write_text("precious")
    before, peak = listing(tmp_path), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert listing(tmp_path) == before
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    assert more * 1024 < MORE_MEMORY


def listing(folder: Path) -> dict[str, bytes]:
    """Every file outside the stores, with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in ("store", "whole")
    }


def refused(*calls) -> None:
    for call in calls:
        with pytest.raises(PhonanchorError):
            call()


# ------------------------------------------------------------------------------- names


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_never_becomes_a_path(store, name):
    rows = values(FEATURE, 3)
    with store.writer() as writer:
        refused(
            lambda: writer.reserve(FEATURE, name, [3]),
            lambda: write(store, writer, FEATURE, [utterance(1, name)], {f"{name}/u001": rows}),
            lambda: writer.placed(FEATURE, name),
        )
    done = fill(store, FEATURE, LENGTHS)
    refused(
        lambda: store.tag(name, None),
        lambda: store.untag(name),
        lambda: store.put_model(name, b"model"),
        lambda: store.latest_model(name),
        lambda: store.put_alignments(name, "a" * 64, [], []),
        lambda: store.put_alignments("toy", name, [], []),
        lambda: store.resolve(name or "../"),
        lambda: store.manifest(name),
        lambda: store.alignments(name),
        lambda: store.model(name),
        lambda: store.spec(name),
    )
    reader = FeatureStore.open(store.path)
    refused(
        lambda: reader.read("mel", name),
        lambda: reader.read(name, "toy/u000"),
        lambda: reader.array("mel", name),
        lambda: reader.whole("mel", name),
        lambda: reader.index("mel", name),
    )
    assert store.head() == done.commit
    assert verify(store) == ()


@pytest.mark.parametrize("name", ALLOWED)
def test_an_odd_name_is_a_name_like_any_other(store, name):
    item = utterance(1, name)
    rows = {item.id: values(FEATURE, 5)}
    with store.writer() as writer:
        write(store, writer, FEATURE, [item], rows)
        commit(store, writer, FEATURE, [item], rows)
    store.tag(name, None)
    assert len(store.tags()) == 1
    reader = FeatureStore.open(store.path, name)
    np.testing.assert_array_equal(reader.read("mel", item.id), rows[item.id])
    assert verify(store) == ()
    folders = [path.relative_to(store.path).parts for path in store.path.rglob("*")]
    assert max(len(part) for parts in folders for part in parts) < 255


def test_names_that_look_alike_are_one_name(store):
    """Corpora and utterances are refused unless in NFC; tags, which people type, are found in both forms."""
    for item in (utterance(1, DECOMPOSED), utterance(1, id=f"toy/{DECOMPOSED}")):
        with pytest.raises(StoreError, match="NFC"):
            store.put_manifest([item], [])
    done = fill(store, FEATURE, LENGTHS)
    store.tag(DECOMPOSED, None)
    assert list(store.tags()) == [COMPOSED]
    assert store.resolve(DECOMPOSED) == store.resolve(COMPOSED) == done.commit
    store.untag(DECOMPOSED)
    assert store.tags() == {}


@pytest.mark.parametrize("stem", [*NAMES[:2], *NAMES[4:9], LONG * 20, *ALLOWED])
def test_an_utterance_may_have_any_id_since_no_file_is_named_after_it(store, stem):
    item = utterance(1, id=f"toy/{stem}", path=f"{stem}.wav")
    rows = {item.id: values(FEATURE, 5)}
    with store.writer() as writer:
        write(store, writer, FEATURE, [item], rows)
        commit(store, writer, FEATURE, [item], rows)
    reader = FeatureStore.open(store.path)
    np.testing.assert_array_equal(reader.read("mel", item.id), rows[item.id])
    np.testing.assert_array_equal(reader.whole("mel", "toy").compute(scheduler="synchronous"), rows[item.id])
    assert reader.alignment(item.id) is not None
    assert verify(store) == ()


# ------------------------------------------------------------------------------- metadata


@pytest.fixture
def filled(store):
    return fill(store, FEATURE, LENGTHS)


def resized(store: Store, rows: Any) -> Path:
    """Let ``zarr.json`` claim another number of rows."""
    path = store.layout.array(FEATURE.digest, "toy") / "zarr.json"
    metadata = json.loads(path.read_text())
    path.write_text(json.dumps({**metadata, "shape": [rows, *metadata["shape"][1:]]}))
    return path


@pytest.mark.parametrize(
    "rows", [HUGE, 2**63, 10**4000, -1, 1e300, "1000", None, [7]], ids=lambda rows: f"{rows!s:.9}"
)
def test_an_array_that_claims_impossible_rows_is_reported_refused_and_repaired(store, filled, rows):
    path = resized(store, rows)
    (problem,) = verify(store)
    assert problem.where == path.relative_to(store.path).as_posix()
    assert problem.utterances == tuple(item.id for item in filled.utterances)
    reader = FeatureStore.open(store.path)
    with store.writer() as writer:
        refused(
            lambda: reader.read("mel", "toy/u000"),
            lambda: reader.array("mel", "toy"),
            lambda: reader.whole("mel", "toy"),
            lambda: writer.reserve(FEATURE, "toy", [3]),
        )
    assert repair(store).remaining == ()
    check_whole(store, filled)


def test_an_array_that_claims_many_rows_costs_nothing(store, filled):
    """As many as there can be, after interrupted builds: neither reading nor building depends on them."""
    resized(store, MOST_ROWS)
    assert verify(store) == ()
    check_whole(store, filled)
    with store.writer() as writer, pytest.raises(StoreError, match=f"at most {MOST_ROWS} rows"):
        writer.reserve(FEATURE, "toy", [3])
    assert open_array(store.layout.array(FEATURE.digest, "toy")).shape[0] == MOST_ROWS


def check_whole(store: Store, filled) -> None:
    """Verification is clean, and every way of reading gives the committed values."""
    assert verify(store) == ()
    reader = FeatureStore.open(store.path)
    expected = np.concatenate([filled.rows[item.id] for item in filled.utterances])
    np.testing.assert_array_equal(reader.whole("mel", "toy").compute(scheduler="synchronous"), expected)
    lazy = reader.array("mel", "toy")
    assert lazy.numblocks[0] < 10
    place = reader.place("mel", "toy/u002")
    np.testing.assert_array_equal(
        lazy[place.start : place.start + place.length].compute(scheduler="synchronous"),
        filled.rows["toy/u002"],
    )


def change_index(store: Store, filled, **changes: int) -> Part:
    """Write an index, with its right digest in the description, in which one row lies elsewhere."""
    layout, snapshot = store.layout, filled.commit.snapshot
    (part,) = read_parts(layout, snapshot)
    first, *rest = read_index(layout, snapshot, part)
    odd = type(first)(**{**{f: getattr(first, f) for f in first.__slots__}, **changes})
    write_snapshot(layout, snapshot, {(part.spec, part.corpus): (odd, *rest)}, renew=True)
    return part


@pytest.mark.parametrize(
    "changes",
    [{"start": HUGE}, {"start": 100_000}, {"length": HUGE}, {"length": 2**62}, {"start": -5}, {"length": -1}],
)
def test_index_rows_beyond_the_array_are_refused_before_anything_is_allocated(store, filled, changes):
    change_index(store, filled, **changes)
    problems = verify(store)
    assert any("toy/u000" in problem.utterances for problem in problems)
    reader = FeatureStore.open(store.path)
    for call in (
        lambda: reader.read("mel", "toy/u000"),
        lambda: reader.read("mel", "toy/u000", rows=slice(0, 2)),
        lambda: reader.array("mel", "toy"),
        lambda: reader.whole("mel", "toy"),
    ):
        with pytest.raises(StoreError, match="1 outside: toy/u000"):
            call()


def test_a_table_that_unpacks_to_very_many_values_is_refused(store, filled):
    """A list of equal numbers is a file of some kilobytes."""
    path = store.layout.manifest(filled.commit.manifest)
    names = pq.read_schema(path)
    bomb = pa.ListArray.from_arrays(pa.array([0, BOMB], pa.int32()), pa.array(np.zeros(BOMB, np.int8)))
    pq.write_table(pa.table({"perceived": bomb}).replace_schema_metadata(names.metadata), path)
    del bomb
    pa.default_memory_pool().release_unused()
    assert path.stat().st_size < 2**20
    with pytest.raises(StoreError, match="values in"):
        store.manifest(filled.commit.manifest)
    assert any(problem.where.startswith("manifests/") for problem in verify(store))


# ------------------------------------------------------------------------------- documents

VALUES: tuple[Any, ...] = (
    HUGE, -1, 10**4000, 1.5, True, None, "", "../../outside/precious.txt", LONG, [], {}, [[HUGE]],
)  # fmt: skip


MOST_TRIALS = 5
"""Of all pairs of a place and a value, so many are tried in each document."""


def replaced(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield where each value of a JSON document is."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key), item
        yield from replaced(item, (*path, key))


def with_value(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    key, *rest = path
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[key] = with_value(value[key], tuple(rest), new) if rest else new
    return changed


def forged(content: Any) -> str:
    """A document whose checksum is right."""
    return json.dumps({"content": content, "sha256": digest(content), "version": 1})


def use(store: Path) -> None:
    """Read, check, extend, collect and repair; only errors of ours may come."""

    def opened() -> Store:
        return Store.open(store)

    def read() -> None:
        reader = FeatureStore.open(store)
        for item in reader.utterances:
            reader.read("mel", item.id)

    def build() -> None:
        with opened().writer() as writer:
            writer.placed(FEATURE, "toy")
            item = utterance(7)
            write(opened(), writer, FEATURE, [item], {item.id: values(FEATURE, 3)})

    messages: list[str] = []
    for step in (
        read, lambda: FeatureStore.open(store, "kept"), lambda: verify(opened()), build,
        lambda: verify_history(opened()), lambda: opened().latest_model("m"),
        lambda: opened().latest_alignments("toy", "a" * 64), lambda: collect(opened(), keep=1),
        lambda: repair(opened()), lambda: repair_history(opened()),
    ):  # fmt: skip
        try:
            step()
        except PhonanchorError as error:
            messages.append(str(error))
    assert all("\n" not in message and len(message) < 2000 for message in messages)


@pytest.fixture
def whole(tmp_path) -> Path:
    """A store with two commits, a tag, a model, and a mark of a removed commit."""
    store = Store.create(tmp_path / "whole")
    fill(store, FEATURE, LENGTHS[:2])
    store.tag("kept", None)
    store.put_model("m", b"model")
    fill(store, FEATURE, LENGTHS)
    return store.path


DOCUMENTS = (
    "HEAD", "commits/00000002.json", "tags/kept.json", "models/latest/m.json", "alignments/latest/toy/*.json",
    "snapshots/*/snapshot.json", "specs/*.json", "receipts/*/toy/000000000000.json",
)  # fmt: skip


@pytest.mark.parametrize("pattern", DOCUMENTS)
def test_a_document_with_hostile_values_and_a_right_checksum_does_no_harm(whole, tmp_path, pattern):
    place = sorted(whole.glob(pattern))[-1].relative_to(whole)
    content = json.loads((whole / place).read_text())["content"]
    spots = [(path, value) for path, value in replaced(content)]
    assert spots
    trials = [(path, new) for path, old in spots for new in VALUES if new != old]
    for path, new in trials[:: max(1, len(trials) // MOST_TRIALS)]:
        store = fresh_copy(whole, tmp_path / "store")
        (store / place).write_text(forged(with_value(content, path, new)))
        use(store)


@pytest.mark.parametrize(
    "text",
    [
        '{"content": ' + "[" * 100_000, "9" * 5000, '{"version": 1, "content": {"a": 1e999}, "sha256": ""}',
        "[]", "null", '"x"', "", "\x00" * 50,
    ],
)  # fmt: skip
@pytest.mark.parametrize("pattern", ["phonanchor.json", *DOCUMENTS, "arrays/*/toy/values/zarr.json"])
def test_a_document_of_hostile_json_is_one_clear_error(whole, tmp_path, pattern, text):
    store = fresh_copy(whole, tmp_path / "store")
    sorted(store.glob(pattern))[-1].write_text(text)
    use(store)


@pytest.mark.parametrize(
    "name", ["../outside/precious.txt", "/etc/passwd", "commits/../../outside", "", ".."]
)
def test_a_journal_of_a_forgetting_removes_nothing_outside(store, filled, name):
    content = {
        "identifier": "x", "when": "", "phase": "swap", "tombstones": {"salt": "", "stones": []},
        "speakers": 0, "bytes_before": 0, "removals": [name], "corpora": [],
    }  # fmt: skip
    store.layout.journal.write_text(forged(content))
    with pytest.raises(StoreError, match="another document"):
        read_journal(store.layout)
