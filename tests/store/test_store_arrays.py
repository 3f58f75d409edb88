import os
import sys
from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.arrays import canonical, checksums, geometry, open_array, shard_names
from store.catalogue import Placement, Store, read_placed, write_item
from store.errors import StoreError
from store.feature_store import FeatureStore
from tests.store.store_cases import commit, fill, spec, utterance, values, write

dims = st.sampled_from([(), (1,), (3,), (80,), (512,), (1, 4), (3, 7), (13, 768)])
kinds = st.sampled_from(["centred", "phones", "utterance"])


@given(dims, st.sampled_from(["float16", "float32"]), kinds)
def test_the_cut_is_of_whole_chunks_of_bounded_size(shape, dtype, kind):
    cut = geometry(spec(shape, dtype, kind=kind))
    assert cut.shard[0] % cut.chunk[0] == 0
    assert prod(cut.chunk) * cut.dtype.itemsize <= 128 * 1024
    assert prod(cut.shard) * cut.dtype.itemsize <= 4 * 1024 * 1024
    assert cut.shard[1:] == cut.chunk[1:]
    assert not cut.layered or cut.shard[1] == 1


@pytest.mark.parametrize(("shape", "dtype"), [((1, 2, 3), "float32"), ((0,), "float32"), ((3,), "int16")])
def test_a_spec_that_no_array_can_hold_is_refused(shape, dtype):
    with pytest.raises(StoreError, match="change the extractor's spec"):
        geometry(spec(shape, dtype))


@given(
    st.lists(st.integers(0, 700), min_size=1, max_size=7),
    st.integers(1, 3),
    st.sampled_from([(), (2,), (3, 2)]),
    st.sampled_from(["float16", "float32"]),
)
@settings(max_examples=12, deadline=None)
def test_ragged_rows_come_back_bit_for_bit(tmp_path_factory, lengths, item_size, shape, dtype):
    store = Store.create(tmp_path_factory.mktemp("s") / "store")
    feature = spec(shape, dtype, kind="utterance")  # shards of 512 rows: items span several
    filled = fill(store, feature, lengths, item_size)
    reader = FeatureStore.open(store.path)
    many = reader.read_many("mel", [item.id for item in reversed(filled.utterances)])
    assert list(many) == [item.id for item in reversed(filled.utterances)]
    for name, rows in filled.rows.items():
        np.testing.assert_array_equal(many[name], rows)
        np.testing.assert_array_equal(reader.read(feature, name), rows)
        assert many[name].dtype == rows.dtype


def test_each_layer_is_read_alone(store):
    feature = spec((4, 6), "float16")
    filled = fill(store, feature, [10, 30, 20])
    reader = FeatureStore.open(store.path)
    for layer in (0, 3, -1, -4):
        for name, rows in filled.rows.items():
            np.testing.assert_array_equal(reader.read("mel", name, layer=layer), rows[:, layer])
    for layer in (4, -5):
        with pytest.raises(StoreError, match="which has 4"):
            reader.read("mel", "toy/u000", layer=layer)


def test_a_layer_of_one_file_can_be_lost_and_the_others_read(store):
    feature = spec((3, 6))
    filled = fill(store, feature, [10])
    (store.layout.array(feature.digest, "toy") / "c/0/1/0").unlink()
    reader = FeatureStore.open(store.path)
    np.testing.assert_array_equal(reader.read("mel", "toy/u000", layer=2), filled.rows["toy/u000"][:, 2])
    with pytest.raises(StoreError, match="toy/u000"):
        reader.read("mel", "toy/u000", layer=1)


@given(st.lists(st.lists(st.integers(0, 1500), max_size=4), min_size=1, max_size=4))
@settings(max_examples=15, deadline=None)
def test_reserved_places_start_on_shards_and_never_overlap(tmp_path_factory, calls):
    store = Store.create(tmp_path_factory.mktemp("s") / "store")
    feature = spec(kind="utterance")
    taken = []
    with store.writer() as writer:
        for rows in calls:
            starts = writer.reserve(feature, "toy", rows)
            assert len(starts) == len(rows)
            taken += zip(starts, rows, strict=True)
    size = geometry(feature).shard[0]
    assert all(start % size == 0 for start, _ in taken)
    shards = [name for start, rows in taken for name in shard_names(geometry(feature), start, max(rows, 1))]
    assert len(shards) == len(set(shards))
    assert [start for start, _ in taken] == sorted(start for start, _ in taken)
    end = open_array(store.layout.array(feature.digest, "toy")).shape[0]
    assert all(start + rows <= end for start, rows in taken)


def test_appending_writes_no_committed_shard_again(store):
    feature = spec()
    fill(store, feature, [10, 20])
    folder = store.layout.array(feature.digest, "toy") / "c"
    before = shard_files(folder)
    late = utterance(2)
    with store.writer() as writer:
        write(store, writer, feature, [late], {late.id: values(feature, 5, 9)})
    after = shard_files(folder)
    assert (len(before), len(after)) == (1, 2)
    assert before.items() < after.items()


def shard_files(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_rows_that_do_not_fit_or_are_not_reserved_are_refused(store):
    feature = spec((3,))
    with store.writer() as writer:
        (start,) = writer.reserve(feature, "toy", [4])
        good = np.zeros((4, 3), "float32")
        for bad in (good[:, :2], good.astype("float64"), good[:, :, None]):
            with pytest.raises(StoreError, match="mend the extractor"):
                write_item(store.path, feature, "toy", start, [("k", bad)])
        with pytest.raises(StoreError, match="shard boundary"):
            write_item(store.path, feature, "toy", start + 1, [("k", good)])
        with pytest.raises(StoreError, match="reserve the rows"):
            write_item(store.path, feature, "toy", start + geometry(feature).shard[0], [("k", good)])
        with pytest.raises(StoreError, match="a Zarr array"):
            write_item(store.path, spec(name="other"), "toy", 0, [("k", np.zeros((1, 5), "float32"))])
        assert writer.placed(feature, "toy") == {}


def test_a_repeated_item_leaves_its_shards_alone(store):
    feature = spec((3,))
    rows = [("a", values(feature, 4)), ("b", values(feature, 2))]
    with store.writer() as writer:
        (start,) = writer.reserve(feature, "toy", [6])
        size = write_item(store.path, feature, "toy", start, rows)
        shard = store.layout.array(feature.digest, "toy") / "c/0/0"
        seen = shard.stat().st_mtime_ns
        assert write_item(store.path, feature, "toy", start, rows) == size == shard.stat().st_size
        assert shard.stat().st_mtime_ns == seen
        with pytest.raises(StoreError, match="other rows at the same place"):
            write_item(store.path, feature, "toy", start, rows[:1])
    assert writer.placed(feature, "toy")["b"].start == start + 4


def test_rows_are_read_before_any_commit(store):
    feature = spec((2, 3), "float16")
    rows = values(feature, 9)
    with store.writer() as writer:
        start = writer.reserve(feature, "toy", [3, 9])[1]
        write_item(store.path, feature, "toy", start, [("k", rows)])
        placed = writer.placed(feature, "toy")
    assert placed == {
        "k": Placement(spec=feature.digest, corpus="toy", utterance="", row_key="k", start=start, length=9)
    }
    np.testing.assert_array_equal(read_placed(store.path, feature, "toy", placed["k"]), rows)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="files are named by /proc")
def test_every_shard_is_flushed_before_the_receipt_or_the_item_fails(store, monkeypatch):
    feature, flushed, full = spec((2,), kind="utterance"), [], True  # shards of 512 rows
    rows = [("k", values(feature, 5 * 512))]
    path = store.layout.array(feature.digest, "toy")

    def flush(descriptor: int) -> None:
        file = Path(f"/proc/self/fd/{descriptor}").resolve()
        flushed.append(file)
        if full and file.parts[-2:] == ("3", "0"):
            raise OSError(28, "No space left on device")

    with store.writer() as writer:
        (start,) = writer.reserve(feature, "toy", [5 * 512])
        monkeypatch.setattr(os, "fsync", flush)
        with pytest.raises(StoreError, match="No space left"):
            write_item(store.path, feature, "toy", start, rows)
        assert writer.placed(feature, "toy") == {}
        full, flushed = False, []
        write_item(store.path, feature, "toy", start, rows)
        assert set(flushed[:5]) == {path / f"c/{number}/0" for number in range(5)}
        assert flushed[5].parent == store.layout.receipts(feature.digest, "toy")


def test_every_nan_of_16_bits_is_found_and_nothing_else_changed():
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    kept = canonical(every)
    np.testing.assert_array_equal(kept, every)
    known = ~np.isnan(every)
    np.testing.assert_array_equal(kept.view(np.uint16)[known], every.view(np.uint16)[known])
    assert len(set(kept.view(np.uint16)[~known].tolist())) == 1


def test_every_nan_is_stored_alike_and_rows_of_nan_alone_come_back(store):
    feature = spec((3,))
    odd = np.full((4, 3), -np.nan, dtype="float32")
    assert checksums(canonical(odd), False) == checksums(canonical(-odd), False)
    items = [utterance(0), utterance(1)]
    rows = {items[0].id: odd, items[1].id: np.full((2, 3), np.inf, dtype="float32")}
    with store.writer() as writer:
        write(store, writer, feature, items[:1], rows)
        write(store, writer, feature, items[1:], rows)
        commit(store, writer, feature, items, rows)
    reader = FeatureStore.open(store.path)
    assert np.isnan(reader.read("mel", items[0].id)).all()
    assert np.isinf(reader.read("mel", items[1].id)).all()


def test_utterances_with_the_same_audio_share_rows(store):
    feature = spec()
    items = [utterance(0), utterance(1, audio_sha256=utterance(0).audio_sha256)]
    shared = values(feature, 6)
    with store.writer() as writer:
        write(store, writer, feature, items[:1], {items[0].id: shared})
        commit(store, writer, feature, items, {item.id: shared for item in items})
    reader = FeatureStore.open(store.path)
    many = reader.read_many("mel", [item.id for item in items])
    assert [np.array_equal(rows, shared) for rows in many.values()] == [True, True]
    assert reader.index("mel", "toy").column("start").to_pylist() == [0, 0]


def test_the_cut_of_real_features_is_as_measured():
    mel, encoder = geometry(spec((80,))), geometry(spec((7, 512), "float16"))
    assert (mel.shard, mel.chunk) == ((8192, 80), (256, 80))
    assert (encoder.shard, encoder.chunk) == ((4096, 1, 512), (128, 1, 512))
