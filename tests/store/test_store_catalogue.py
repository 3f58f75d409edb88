import json
import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.catalogue import Store, WantedRows
from store.documents import write_document
from store.errors import StoreError
from store.feature_store import FeatureStore
from store.layout import folder_name, plain_name
from store.snapshots import snapshot_id
from tests.store.store_cases import (
    alignment,
    commit,
    fill,
    skipped,
    spec,
    utterance,
    values,
    wanted,
    write,
)


def tree(store):
    """Every file of a store with its bytes, but for the lock."""
    files = (path for path in store.path.rglob("*") if path.is_file() and path != store.layout.lock)
    return {path.relative_to(store.path).as_posix(): path.read_bytes() for path in files}


def test_a_store_is_made_once_and_opened_again(tmp_path):
    made = Store.create(tmp_path / "a" / "store")
    fill(made, spec(), [3])
    assert Store.create(made.path).head() == Store.open(made.path).head() == made.head()


def test_no_store_a_foreign_folder_and_an_unwritable_place_are_clear_errors(tmp_path):
    with pytest.raises(StoreError, match=r"no phonanchor\.json"):
        Store.open(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "store", tmp_path / "file"):
        with pytest.raises(StoreError, match="to write"):
            Store.create(path)
    with pytest.raises(StoreError, match="other files"):
        Store.create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "document",
    [
        '{"format": "phonanchor feature store", "version": 1}',
        '{"format": "phonanchor feature store", "version": 99}',
        "{}",
        "\x00",
    ],
)
def test_another_format_version_is_refused_and_nothing_is_written(tmp_path, document):
    path = tmp_path / "store"
    path.mkdir()
    (path / "phonanchor.json").write_text(document)
    for opened in (Store.create, Store.open, FeatureStore.open):
        with pytest.raises(StoreError, match=r"version 2, in .*version (1|99);|unreadable phonanchor\.json"):
            opened(path)
    assert [(item.name, item.read_text()) for item in path.iterdir()] == [("phonanchor.json", document)]


def test_a_manifest_is_named_by_its_content_in_any_order(store):
    items, gone = [utterance(number) for number in range(4)], [skipped(1), skipped(2)]
    name = store.put_manifest(items, gone)
    assert store.put_manifest(items[::-1], gone[::-1]) == name
    assert store.manifest(name) == tuple(items)
    assert store.skipped(name) == tuple(gone)
    assert store.put_manifest([replace(items[0], emotion="fear"), *items[1:]], gone) != name
    assert store.put_manifest(items, gone[:1]) != name
    for bad in ("../../x", "0" * 63, "é" * 64):
        with pytest.raises(StoreError, match="64 hex digits"):
            store.manifest(bad)
    with pytest.raises(StoreError, match="no such file"):
        store.manifest("0" * 64)


def test_the_latest_alignments_of_a_corpus_and_aligner_are_remembered(store):
    items = [alignment(utterance(number)) for number in range(3)]
    assert store.latest_alignments("toy", "a" * 64) == ()
    first = store.put_alignments("toy", "a" * 64, items[:1], [skipped(1)])
    second = store.put_alignments("toy", "a" * 64, items, [])
    assert [item.key for item in store.latest_alignments("toy", "a" * 64)] == [item.key for item in items]
    assert store.latest_alignments("toy", "b" * 64) == store.latest_alignments("other", "a" * 64) == ()
    assert [item.key for item in store.alignments(first)] == [items[0].key]
    assert (store.unaligned(first), store.unaligned(second)) == ((skipped(1),), ())


def test_models_are_kept_by_digest_and_name(store):
    assert store.latest_model("embedded-de") is None
    first, second = store.put_model("embedded-de", b"one"), store.put_model("embedded-de", b"two")
    assert store.latest_model("embedded-de") == (second, b"two")
    assert store.model(first) == b"one"
    assert store.put_model("embedded-de", b"one") == first
    assert store.latest_model("embedded-de") == (first, b"one")
    store.layout.model(first).write_bytes(b"0ne")
    with pytest.raises(StoreError, match="other bytes"):
        store.model(first)
    with pytest.raises(StoreError, match="train it again"):
        store.model("0" * 64)


def test_specs_are_found_by_digest_and_by_name_with_the_newest_commit_first(store):
    old, new, other = spec(version=1), spec(version=2), spec(name="pitch", dims=())
    with store.writer() as writer:
        for feature in (old, other):
            writer.reserve(feature, "toy", [1])
    assert store.specs() == (old, other)
    assert store.spec("mel") == store.spec(old.digest) == old
    fill(store, new, [2])
    assert store.spec("mel") == new
    assert store.spec(old.digest) == old
    with pytest.raises(StoreError, match="one feature tone; found 0 of that name; there are: mel"):
        store.spec("tone")


def test_two_specs_of_a_name_are_ambiguous_until_one_is_committed(store):
    with store.writer() as writer:
        for version in (1, 2):
            writer.reserve(spec(version=version), "toy", [1])
    with pytest.raises(StoreError, match="2 of that name"):
        store.spec("mel")


def test_a_second_writer_is_refused_and_readers_are_not(store):
    filled = fill(store, spec(), [3])
    with store.writer():
        with pytest.raises(StoreError, match=f"process {os.getpid()}"), Store.open(store.path).writer():
            pass
        assert FeatureStore.open(store.path).commit == filled.commit
    with store.writer():
        pass


@given(st.permutations(range(6)))
def test_the_snapshot_id_does_not_depend_on_order(order):
    rows = [("f" * 64, f"toy/u{number % 4}", f"{number:064x}", number) for number in range(6)]
    assert snapshot_id(rows[index] for index in order) == snapshot_id(rows)


def test_any_field_of_a_row_changes_the_snapshot_id():
    row = ("f" * 64, "toy/u", "0" * 64, 3)
    others = [("e" * 64, *row[1:]), (row[0], "toy/v", *row[2:]), (*row[:2], "1" * 64, 3), (*row[:3], 4)]
    ids = {snapshot_id([item]) for item in (row, *others)} | {snapshot_id([]), snapshot_id([row, row])}
    assert len(ids) == 7


def test_an_incremental_build_in_another_order_has_the_clean_builds_id(tmp_path):
    feature, lengths = spec(), [4, 9, 2, 7, 5]
    clean = fill(Store.create(tmp_path / "clean"), feature, lengths, item_size=5)
    store = Store.create(tmp_path / "grown")
    order = [clean.utterances[number] for number in (3, 0, 4, 2, 1)]
    for stop in (2, 5):
        with store.writer() as writer:
            present = writer.placed(feature, "toy")
            fresh = [item for item in order[:stop] if wanted(feature, item, 0).row_key not in present]
            write(store, writer, feature, fresh, clean.rows)
            made = commit(store, writer, feature, order[:stop], clean.rows)
    assert made.number == 2
    assert made.snapshot == clean.commit.snapshot
    reader = FeatureStore.open(store.path)
    assert all((reader.read("mel", name) == rows).all() for name, rows in clean.rows.items())


def test_a_commit_of_the_same_content_writes_nothing(store):
    filled = fill(store, spec(), [4, 9])
    before = tree(store)
    with store.writer() as writer:
        again = commit(store, writer, spec(), filled.utterances, filled.rows)
    assert again == filled.commit
    assert tree(store) == before


def test_a_changed_label_is_a_new_commit_of_the_same_snapshot(store):
    filled = fill(store, spec(), [4, 9])
    store.tag("before", None)
    relabelled = [replace(item, emotion="fear") for item in filled.utterances]
    with store.writer() as writer:
        second = commit(store, writer, spec(), relabelled, filled.rows)
    assert (second.number, second.snapshot) == (2, filled.commit.snapshot)
    assert FeatureStore.open(store.path).utterances[0].emotion == "fear"
    assert FeatureStore.open(store.path, "before").utterances[0].emotion == "anger"
    assert store.resolve(second.snapshot) == second


def test_rows_that_are_not_complete_cannot_be_committed(store):
    feature, items = spec(), [utterance(number) for number in range(3)]
    rows = {item.id: values(feature, 4) for item in items}
    with store.writer() as writer:
        write(store, writer, feature, items[:1], rows)
        before = tree(store)
        with pytest.raises(StoreError, match="for 2: toy/u001, toy/u002"):
            writer.commit(
                manifest=store.put_manifest(items, [skipped(1)]),
                alignments=[],
                wanted=[wanted(feature, item, 4) for item in items],
                lineage={},
            )
        longer = [wanted(feature, items[0], 5)]
        twice = [
            wanted(feature, items[0], 4),
            WantedRows(spec=feature.digest, corpus="toy", utterance=items[0].id, row_key="other", length=4),
        ]
        manifest = store.put_manifest(items, [skipped(1)])
        for bad, found in ((longer, "another number of rows"), (twice, "found two")):
            with pytest.raises(StoreError, match=found):
                writer.commit(manifest=manifest, alignments=[], wanted=bad, lineage={})
        for missing in (
            {"manifest": "0" * 64, "alignments": []},
            {"manifest": manifest, "alignments": ["0" * 64]},
        ):
            with pytest.raises(StoreError, match="before the commit"):
                writer.commit(**missing, wanted=[wanted(feature, items[0], 4)], lineage={})
    assert {name for name in tree(store).keys() - before.keys() if not name.startswith("manifests/")} == set()
    assert store.head() is None


def test_an_interrupted_build_is_seen_by_its_receipts_alone(store, monkeypatch):
    feature, items = spec(), [utterance(number) for number in range(4)]
    rows = {item.id: values(feature, 4, seed) for seed, item in enumerate(items)}
    with store.writer() as writer:
        write(store, writer, feature, items[:2], rows)
        with monkeypatch.context() as patch:
            patch.setattr("store.receipts.write_document", interrupted)
            with pytest.raises(KeyboardInterrupt):
                write(store, writer, feature, items[2:], rows)
    with store.writer() as writer:
        assert set(writer.placed(feature, "toy")) == {wanted(feature, item, 4).row_key for item in items[:2]}
        start = write(store, writer, feature, items[2:], rows)
        assert start == 2 * 16_384  # behind the place that the killed item still has
        made = commit(store, writer, feature, items, rows)
    reader = FeatureStore.open(store.path)
    assert made.number == 1
    assert all((reader.read("mel", name) == values_of).all() for name, values_of in rows.items())


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("call", range(1, 20))
def test_a_commit_that_fails_at_any_step_leaves_the_last_snapshot(store, monkeypatch, call):
    """Every rename and replace of the second commit fails in turn, and then the commit is tried again."""
    feature = spec()
    first = fill(store, feature, [4, 9])
    late = utterance(7)
    items, rows = (*first.utterances, late), {**first.rows, late.id: values(feature, 5)}
    with store.writer() as writer:
        write(store, writer, feature, [late], rows)
    seen, failed = [], False
    with monkeypatch.context() as patch:
        for name in ("rename", "replace"):
            patch.setattr(os, name, failing(getattr(os, name), seen, call))
        try:
            with store.writer() as writer:
                commit(store, writer, feature, items, rows)
        except StoreError:
            failed = True
    if not failed:
        assert len(seen) < call
        assert store.head().number == 2
        return
    reader = FeatureStore.open(store.path)
    assert store.commits() == (first.commit,)
    assert all((reader.read("mel", name) == first.rows[name]).all() for name in first.rows)
    assert not list(store.path.rglob(".tmp-*"))
    with store.writer() as writer:
        second = commit(store, writer, feature, items, rows)
    assert store.commits() == (first.commit, second)
    assert (FeatureStore.open(store.path).read("mel", late.id) == rows[late.id]).all()


def failing(original, seen, call):
    def step(*arguments):
        seen.append(arguments)
        if len(seen) == call:
            raise OSError(28, "No space left on device")
        return original(*arguments)

    return step


def test_every_step_of_a_commit_was_made_to_fail(store, monkeypatch):
    seen = []
    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, failing(getattr(os, name), seen, -1))
    fill(store, spec(), [4])
    steps = len(seen)
    assert 8 <= steps < 20


def test_refs_resolve_to_commits_or_say_what_there_is(store):
    with pytest.raises(StoreError, match="build the features first"):
        store.resolve(None)
    with pytest.raises(StoreError, match=r"snapshots \(newest first\): none; tags: none"):
        store.resolve("abcd")
    first = fill(store, spec(), [4]).commit
    second = fill(store, spec(version=2), [4]).commit
    assert store.commits() == (first, second)
    assert store.resolve(None) == store.head() == second
    assert store.resolve(first.snapshot) == store.resolve(first.snapshot[:8]) == first
    for ref in ("", first.snapshot[:3], "zzzz", "../HEAD"):
        with pytest.raises(StoreError, match=f"{second.snapshot[:12]}, {first.snapshot[:12]}"):
            store.resolve(ref)


def test_tags_name_snapshots_and_move(store):
    first = fill(store, spec(), [4]).commit
    store.tag("paper 1", None)
    second = fill(store, spec(version=2), [4]).commit
    store.tag("newest", "paper 1")
    store.tag("newest", second.snapshot[:10])
    assert store.tags() == {"paper 1": first.snapshot, "newest": second.snapshot}
    assert store.resolve("paper 1") == first
    assert FeatureStore.open(store.path, "paper 1").specs == (spec(),)
    store.untag("newest")
    assert list(store.tags()) == ["paper 1"]
    with pytest.raises(StoreError, match="tags: paper 1"):
        store.untag("newest")
    for bad in ("../x", "", "a/b", ".x", "a\nb", "f" * 12, first.snapshot):
        with pytest.raises(StoreError):
            store.tag(bad, None)


@given(st.text(min_size=1, max_size=60))
def test_a_name_from_outside_is_one_safe_component_or_refused(name):
    try:
        folder = folder_name(name)
    except StoreError:
        return
    assert folder not in ("", ".", "..")
    assert not set(folder) & set("/\\\n\r\t\0")
    assert folder.isascii()
    assert folder_name(plain_name(folder)) == folder


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "/etc", "a/b", "a\\b", "a\nb", "x" * 200, ".hidden", "\udcff"]
)
def test_a_corpus_whose_name_cannot_be_a_folder_is_refused(store, name):
    with store.writer() as writer, pytest.raises(StoreError, match="rename it"):
        writer.reserve(spec(), name, [1])
    with pytest.raises(StoreError, match="rename it"):
        store.put_alignments(name, "a" * 64, [], [])
    assert not store.layout.specs.exists() or not (store.path / "arrays").exists()


def test_corpora_with_odd_names_are_kept_apart(store):
    feature = spec()
    names = ["emo db", "emo%20db", "情感", "EMO-DB"]
    with store.writer() as writer:
        for number, name in enumerate(names):
            item = utterance(number, name)
            write(store, writer, feature, [item], {item.id: values(feature, number + 1)})
        assert [next(iter(writer.placed(feature, name).values())).length for name in names] == [1, 2, 3, 4]


def test_a_damaged_head_is_a_clear_error(store):
    fill(store, spec(), [4])
    whole = store.layout.head.read_text()
    store.layout.head.write_text(whole.replace('"number": 1', '"number": 7'))
    with pytest.raises(StoreError, match="another content than its checksum"):
        store.head()
    write_document(store.layout.head, {"number": "7"})
    with pytest.raises(StoreError, match="run 'store repair'"):
        store.head()
    write_document(store.layout.head, {"number": 7})
    with pytest.raises(StoreError, match=r"00000007\.json"):
        FeatureStore.open(store.path)


def test_no_file_of_a_store_is_a_pickle(store):
    fill(store, spec(), [4])
    kinds = {path.suffix or path.name for path in store.path.rglob("*") if path.is_file()}
    assert kinds == {".json", ".parquet", ".lock", "HEAD", "0"}
    assert json.loads(store.layout.format.read_text())["version"] == 2
