from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr

from store.catalogue import Store
from store.errors import StoreError
from store.feature_store import FeatureStore
from store.records import FeatureSpec
from tests.store.store_cases import (
    Filled,
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


@pytest.fixture
def filled(store: Store) -> Filled:
    return fill(store, spec(), [4, 30, 9, 1])


def test_a_snapshot_gives_labels_alignments_and_what_was_left_out(store, filled):
    reader = FeatureStore.open(store.path)
    assert reader.snapshot_id == filled.commit.snapshot
    assert reader.utterances == filled.utterances
    assert reader.utterance("toy/u002") == filled.utterances[2]
    assert reader.alignment("toy/u001").key == alignment(filled.utterances[1]).key
    assert reader.alignment("toy/none") is None
    assert (reader.skipped, reader.unaligned) == ((skipped(1),), (skipped(2),))
    assert reader.specs == (spec(),)
    assert reader.commit.lineage == {"code": "1"}


def test_features_are_named_by_name_digest_or_spec(store, filled):
    reader = FeatureStore.open(str(store.path), filled.commit.snapshot[:8])
    for feature in ("mel", spec().digest, spec()):
        np.testing.assert_array_equal(reader.read(feature, "toy/u000"), filled.rows["toy/u000"])
        assert reader.has(feature, "toy/u000")
    with pytest.raises(StoreError, match="there are: mel"):
        reader.read("pitch", "toy/u000")
    with pytest.raises(StoreError, match="others"):
        reader.read("mel", "toy/u999")


def test_an_utterance_without_rows_is_said_to_have_none(store):
    feature, items = spec(), [utterance(0), utterance(1), utterance(0, "other")]
    rows = {items[0].id: values(feature, 3)}
    with store.writer() as writer:
        write(store, writer, feature, items[:1], rows)
        writer.commit(
            manifest=store.put_manifest(items, []),
            alignments=[],
            wanted=[wanted(feature, items[0], 3)],
            lineage={},
        )
    reader = FeatureStore.open(store.path)
    assert [reader.has("mel", item.id) for item in items] == [True, False, False]
    for item in items[1:]:
        with pytest.raises(StoreError, match="see what the build left out"):
            reader.read("mel", item.id)
    with pytest.raises(StoreError, match="corpus 'other'"):
        reader.index("mel", "other")
    with pytest.raises(StoreError, match="corpus 'other'"):
        reader.array("mel", "other")


def test_zarr_and_pyarrow_alone_find_every_row(store):
    """What another team does: no code of this project reads the index or the array."""
    feature = spec((3, 4), "float16")
    filled = fill(store, feature, [4, 30, 9])
    index = pq.read_table(store.path / "snapshots" / filled.commit.snapshot / feature.digest / "toy.parquet")
    with zarr.config.set({"codec_pipeline.path": "zarr.core.codec_pipeline.BatchedCodecPipeline"}):
        array = zarr.open_array(store.path / "arrays" / feature.digest / "toy" / "values", mode="r")
    assert array.metadata.dimension_names == ("row", "layer", "dim")
    assert array.attrs["name"] == "mel"
    found = {row["utterance"]: row for row in index.to_pylist()}
    assert found.keys() == filled.rows.keys()
    for name, rows in filled.rows.items():
        start, length = found[name]["start"], found[name]["length"]
        np.testing.assert_array_equal(array[start : start + length], rows)


def test_the_lazy_array_and_the_index_agree(store, filled):
    reader = FeatureStore.open(store.path)
    index, lazy = reader.index("mel", "toy"), reader.array("mel", "toy")
    assert index.column_names == ["utterance", "start", "length"]
    assert lazy.dtype == np.float32
    for row in index.to_pylist():
        rows = lazy[row["start"] : row["start"] + row["length"]].compute(scheduler="synchronous")
        np.testing.assert_array_equal(rows, filled.rows[row["utterance"]])


def test_readers_see_no_rows_of_a_build_under_way(store, filled):
    late = utterance(8)
    rows = {**filled.rows, late.id: values(spec(), 7)}
    items = (*filled.utterances, late)
    with store.writer() as writer:
        write(store, writer, spec(), [late], rows)
        with pytest.raises(StoreError):
            FeatureStore.open(store.path).read("mel", late.id)
        before = FeatureStore.open(store.path)
        commit(store, writer, spec(), items, rows)
    with pytest.raises(StoreError):
        before.read("mel", late.id)
    np.testing.assert_array_equal(before.read("mel", "toy/u001"), rows["toy/u001"])
    np.testing.assert_array_equal(FeatureStore.open(store.path).read("mel", late.id), rows[late.id])


def test_an_empty_snapshot_can_be_read(store):
    with store.writer() as writer:
        writer.commit(manifest=store.put_manifest([], []), alignments=[], wanted=[], lineage={})
    reader = FeatureStore.open(store.path)
    assert (reader.utterances, reader.specs, reader.alignment("x")) == ((), (), None)


def swap(store: Store, feature: FeatureSpec) -> None:
    """Put other values, well formed, where committed ones lie."""
    array = zarr.open_array(store.layout.array(feature.digest, "toy"), mode="r+")
    array[0:2] = array[0:2] + 1


def test_reads_are_checked_unless_asked_not_to_be(store, filled):
    swap(store, spec())
    assert FeatureStore.open(store.path).checked
    with pytest.raises(StoreError, match="toy/u000"):
        FeatureStore.open(store.path).read("mel", "toy/u000")
    unchecked = FeatureStore.open(store.path, checked=False)
    assert not unchecked.checked
    assert unchecked.read("mel", "toy/u000").shape == (4, 5)


def test_rows_that_were_read_belong_to_the_caller(store, filled):
    reader = FeatureStore.open(store.path)
    many = reader.read_many("mel", ["toy/u000", "toy/u001"])
    many["toy/u000"][:] = 0
    np.testing.assert_array_equal(reader.read("mel", "toy/u000"), filled.rows["toy/u000"])
    assert many["toy/u001"].base is None


def test_each_utterance_is_handed_over_once_from_whichever_thread(store):
    filled = fill(store, spec((16,), kind="phones"), [5000, 1, 3000, 20, 9000, 4], item_size=2)
    reader, seen = FeatureStore.open(store.path), []
    wanted = [*filled.rows, next(iter(filled.rows))]
    reader.for_each("mel", wanted, lambda name, rows: seen.append((name, rows.copy())))
    assert sorted(name for name, _ in seen) == sorted(filled.rows)
    for name, rows in seen:
        np.testing.assert_array_equal(rows, filled.rows[name])
    with pytest.raises(ZeroDivisionError):  # what goes wrong in a thread is heard of
        reader.for_each("mel", wanted, lambda *_: 1 / 0)


def test_a_spec_is_what_it_was_made_of_whatever_becomes_of_that(store, filled):
    params = {"hop": 160, "nested": {"a": [1, 2.5, None]}}
    feature = replace(spec(), params=params)
    assert feature.digest == spec().digest
    params["hop"] = 80
    params["nested"]["a"].append(3)
    assert (feature, feature.digest) == (spec(), spec().digest)
    assert replace(feature, version=2).digest == spec(version=2).digest != feature.digest
    np.testing.assert_array_equal(
        FeatureStore.open(store.path).read(feature, "toy/u001"), filled.rows["toy/u001"]
    )
