import dataclasses

import pytest

from store.arrays import open_array
from store.catalogue import write_item
from store.diff import diff
from store.errors import StoreError
from store.stats import stats
from tests.store.store_cases import commit, fill, key, spec, utterance, values, wanted, write

MEL, OTHER = spec((16,)), spec((4,), name="mfcc")


@pytest.fixture
def two(store):
    """First u0 u1 u2 in mel; then u0 of other audio, u1 relabelled, u3 new, u2 gone, and mfcc of u1."""
    items = [utterance(number) for number in range(3)]
    rows = {item.id: values(MEL, 40, seed) for seed, item in enumerate([*items, utterance(3)])}
    after = [
        utterance(0, audio_sha256="f" * 64),
        utterance(1, emotion="fear", native_label="Angst"),
        utterance(3),
    ]
    with store.writer() as writer:
        write(store, writer, MEL, items, rows)
        first = commit(store, writer, MEL, items, rows)
        write(store, writer, MEL, [after[0], after[2]], rows)
        (start,) = writer.reserve(OTHER, "toy", [7])
        write_item(store.path, OTHER, "toy", start, [(key(OTHER, after[1]), values(OTHER, 7))])
        listed = [wanted(MEL, item, 40) for item in after] + [wanted(OTHER, after[1], 7)]
        second = writer.commit(
            manifest=store.put_manifest(after, []), alignments=[], wanted=listed, lineage={}
        )
    return first, second


def test_a_difference_names_utterances_and_features(store, two):
    found = diff(store, two[0].snapshot, None)
    assert (found.before, found.after) == two
    assert (found.added, found.removed) == (("toy/u003",), ("toy/u002",))
    assert {item.utterance: item.fields for item in found.changed} == {
        "toy/u000": ("audio_sha256",),
        "toy/u001": ("emotion", "native_label"),
    }
    mel, mfcc = found.specs
    assert (mel.name, mel.before, mel.after) == ("mel", MEL.digest, MEL.digest)
    assert (mel.added, mel.removed, mel.changed, mel.same) == (
        ("toy/u003",),
        ("toy/u002",),
        ("toy/u000",),
        1,
    )
    assert (mfcc.before, mfcc.after, mfcc.added, mfcc.same) == (None, OTHER.digest, ("toy/u001",), 0)


def test_the_other_way_round_added_and_removed_change_places(store, two):
    there, back = diff(store, two[0].snapshot, None), diff(store, None, two[0].snapshot)
    assert (there.added, there.removed) == (back.removed, back.added)
    for one, other in zip(there.specs, back.specs, strict=True):
        assert (one.added, one.removed, one.changed) == (other.removed, other.added, other.changed)
        assert (one.before, one.after) == (other.after, other.before)


def test_a_snapshot_does_not_differ_from_itself(store, two):
    found = diff(store, two[1].snapshot, two[1].snapshot[:9])
    assert not found.differs
    assert found.specs[0].same == 3


def test_another_version_of_a_feature_changes_all_its_rows(store, two):
    newer = dataclasses.replace(MEL, version=2)
    rows = {f"toy/u{number:03d}": values(newer, 40) for number in range(3)}
    items = [utterance(number) for number in range(3)]
    with store.writer() as writer:
        write(store, writer, newer, items, rows)
        commit(store, writer, newer, items, rows)
    (mel,) = diff(store, two[0].snapshot, None).specs
    assert (mel.before, mel.after) == (MEL.digest, newer.digest)
    assert mel.changed == ("toy/u000", "toy/u001", "toy/u002")
    assert (mel.added, mel.removed, mel.same) == ((), (), 0)


def test_a_damaged_index_is_not_compared(store, two):
    path = store.layout.snapshot(two[0].snapshot) / MEL.digest / "toy.parquet"
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="as committed"):
        diff(store, two[0].snapshot, None)


def test_stats_add_up(store, two):
    found = stats(store)
    mel, mfcc = found.cells
    assert (mel.feature, mel.corpus, mel.utterances, mel.rows) == ("mel", "toy", 3, 120)
    assert mel.raw_bytes == 120 * 16 * 4
    assert mel.hours == pytest.approx(3 / 3600)  # a second each
    folder = store.layout.array(MEL.digest, "toy")
    assert mel.stored_bytes == sum(
        path.stat().st_size for path in (folder / "c").rglob("0") if path.is_file()
    )
    assert mel.ratio == mel.stored_bytes / mel.raw_bytes
    assert (mfcc.rows, mfcc.raw_bytes, mfcc.utterances) == (7, 7 * 4 * 4, 1)
    assert [row.feature for row in found.by_feature] == ["mel", "mfcc"]
    (corpus,) = found.by_corpus
    assert (corpus.corpus, corpus.rows, corpus.utterances) == ("toy", 127, 3)
    assert corpus.hours == mel.hours  # hours of audio, not of audio times features
    assert found.total.raw_bytes == mel.raw_bytes + mfcc.raw_bytes
    assert found.total.stored_bytes == mel.stored_bytes + mfcc.stored_bytes


def test_rows_that_utterances_share_and_other_snapshots_rows_are_not_counted(store):
    made = fill(store, MEL, [30, 40, 50], item_size=1)
    twin = utterance(9, audio_sha256=made.utterances[0].audio_sha256)
    items, rows = [made.utterances[0], twin], {**made.rows, twin.id: made.rows["toy/u000"]}
    with store.writer() as writer:
        commit(store, writer, MEL, items, rows)
    total = stats(store).total
    assert (total.utterances, total.rows) == (2, 30)
    shard = store.layout.array(MEL.digest, "toy") / "c/0/0"
    assert total.stored_bytes == shard.stat().st_size
    assert open_array(store.layout.array(MEL.digest, "toy")).shape[0] > 120


def test_an_empty_snapshot_has_no_ratio(store):
    with store.writer() as writer:
        writer.commit(manifest=store.put_manifest([], []), alignments=[], wanted=[], lineage={})
    total = stats(store).total
    assert (total.rows, total.hours, total.ratio) == (0, 0.0, None)
