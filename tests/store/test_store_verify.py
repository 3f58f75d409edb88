import json
import shutil

import numpy as np
import pytest
import zarr

from store.catalogue import Store
from store.errors import StoreError
from store.feature_store import FeatureStore
from store.verify import verify
from tests.store.store_cases import Filled, commit, fill, key, spec, utterance, values, write

FEATURE = spec((16,))
LAYERED = spec((3, 16), "float16")
ALL = tuple(f"toy/u{number:03d}" for number in range(5))


@pytest.fixture
def filled(store: Store) -> Filled:
    """Work items of three and two utterances: two shards."""
    return fill(store, FEATURE, [300, 600, 200, 9, 2000])


def shard(store: Store, name: str, feature=FEATURE):
    return store.layout.array(feature.digest, "toy") / name


def flip(path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 0x40
    path.write_bytes(data)


def found(store: Store, ref=None) -> list[tuple[str, str, tuple[str, ...]]]:
    """What, the end of where, and whose."""
    return [(item.what, item.where.split("/", 1)[0], item.utterances) for item in verify(store, ref)]


@pytest.mark.parametrize("feature", [FEATURE, LAYERED, spec(()), spec(kind="utterance")])
def test_a_whole_store_has_no_problems_and_progress_ends_at_all(store, feature):
    fill(store, feature, [3, 700, 0, 9, 2000])
    seen = []
    assert verify(store, progress=lambda done, total: seen.append((done, total))) == ()
    assert seen[-1] == (5, 5)
    assert seen == sorted(seen)


def test_a_store_without_snapshots_cannot_be_verified(store):
    with pytest.raises(StoreError, match="build the features first"):
        verify(store)


def test_a_flipped_byte_of_a_chunk_names_its_file_and_utterances(store, filled):
    flip(shard(store, "c/0/0"), 200)  # in the first chunk of 1024 rows
    (problem,) = verify(store)
    assert "chunk fails its checksum" in problem.what
    assert problem.where == f"arrays/{FEATURE.digest}/toy/values/c/0/0"
    assert problem.utterances == ALL[:3]


def test_a_flipped_byte_of_a_late_chunk_spares_the_others(store, filled):
    path = shard(store, "c/1/0")
    index = np.frombuffer(path.read_bytes()[-(16 * 16 + 4) : -4], dtype="<u8").reshape(16, 2)
    offsets = sorted(int(offset) for offset, size in index if size < 2**63)
    assert len(offsets) == 2
    flip(path, offsets[1] + 50)
    (problem,) = verify(store)
    assert problem.utterances == ("toy/u004",)


def test_a_flipped_byte_of_one_layer_names_that_layers_file(store):
    fill(store, LAYERED, [30, 60])
    flip(shard(store, "c/0/1/0", LAYERED), 100)
    (problem,) = verify(store)
    assert problem.where.endswith("values/c/0/1/0")
    assert problem.utterances == ALL[:2]


def test_a_flipped_byte_of_a_shard_index_is_found(store, filled):
    flip(shard(store, "c/1/0"), -10)
    (problem,) = verify(store)
    assert problem.utterances == ALL[3:]


def test_a_truncated_and_a_deleted_shard_name_their_utterances(store, filled):
    path = shard(store, "c/0/0")
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-7])
    shard(store, "c/1/0").unlink()
    problems = {item.where[-5:]: (item.what, item.utterances) for item in verify(store)}
    assert problems == {
        "c/0/0": (f"shard of {size - 7} bytes instead of {size}", ALL[:3]),
        "c/1/0": ("missing shard", ALL[3:]),
    }


def test_well_formed_but_other_values_are_found(store, filled):
    array = zarr.open_array(store.layout.array(FEATURE.digest, "toy"), mode="r+")
    array[301:302] = array[301:302] + 1
    problems = verify(store)
    assert {item.utterances for item in problems if "values differ" in item.what} == {("toy/u001",)} or {
        item.utterances for item in problems
    } == {ALL[:3]}


def test_damage_across_two_shards_is_traced_to_the_one(store):
    feature = spec((16,), kind="utterance")  # shards of 512 rows
    fill(store, feature, [400, 400])
    flip(shard(store, "c/1/0", feature), 100)
    (problem,) = verify(store)
    assert problem.where.endswith("c/1/0")
    assert problem.utterances == ("toy/u001",)


def test_a_damaged_index_names_the_utterances_of_its_corpus(store, filled):
    path = store.layout.snapshot(filled.commit.snapshot) / FEATURE.digest / "toy.parquet"
    whole = path.read_bytes()
    flip(path, len(whole) // 2)
    assert found(store) == [("the index has another checksum than was committed", "snapshots", ALL)]
    path.unlink()
    assert found(store) == [("the index has another checksum than was committed", "snapshots", ALL)]


def test_an_index_that_vouches_for_itself_fails_the_snapshot_id(store, filled):
    """Another snapshot's index and description in place of the committed ones."""
    with store.writer() as writer:
        other = commit(store, writer, FEATURE, filled.utterances[:4], filled.rows)
    first, second = (store.layout.snapshot(name) for name in (filled.commit.snapshot, other.snapshot))
    for name in ("snapshot.json", f"{FEATURE.digest}/toy.parquet"):
        (first / name).write_bytes((second / name).read_bytes())
    assert found(store, filled.commit.snapshot) == [
        (f"the content has snapshot id {other.snapshot[:12]}", "snapshots", ALL)
    ]
    assert verify(store, other.snapshot) == ()


def test_a_damaged_description_manifest_alignment_and_spec_are_found(store, filled):
    layout, made = store.layout, filled.commit
    places = {
        layout.snapshot(made.snapshot) / "snapshot.json": ALL,
        layout.manifest_skipped(made.manifest): ALL,
        layout.alignments(made.alignments[0]): ALL,
        layout.unaligned(made.alignments[0]): ALL,
        layout.spec(FEATURE.digest): ALL,
    }
    for path, names in places.items():
        whole = path.read_bytes()
        flip(path, len(whole) // 2)
        problems = found(store)
        path.write_bytes(whole)
        assert problems, path
        assert names in {item[2] for item in problems}, path
    assert verify(store) == ()


@pytest.mark.parametrize("part", range(1, 20))
def test_no_flipped_byte_of_a_manifest_goes_unnoticed(store, filled, part):
    path = store.layout.manifest(filled.commit.manifest)
    flip(path, path.stat().st_size * part // 20)
    assert {item.where for item in verify(store)} >= {path.relative_to(store.path).as_posix()}


def test_another_manifest_under_the_name_of_this_one_is_found(store, filled):
    other = store.put_manifest([utterance(number, emotion="fear") for number in range(5)], [])
    layout = store.layout
    layout.manifest(filled.commit.manifest).write_bytes(layout.manifest(other).read_bytes())
    assert found(store) == [("the manifest has another content than its digest", "manifests", ALL)]


def test_a_damaged_or_lost_receipt_names_the_utterances_of_its_item(store, filled):
    first, second = sorted(store.layout.receipts(FEATURE.digest, "toy").iterdir())
    whole = first.read_bytes()
    flip(first, len(whole) // 2)
    assert [item[1:] for item in found(store)] == [("receipts", ALL[:3])]
    first.write_bytes(whole)
    second.unlink()
    assert found(store) == [("no receipt for committed rows", "receipts", ALL[3:])]


def test_changed_or_missing_array_metadata_are_found(store, filled):
    path = store.layout.array(FEATURE.digest, "toy") / "zarr.json"
    metadata = json.loads(path.read_text())
    path.write_text(json.dumps({**metadata, "fill_value": 0.0}))
    assert found(store) == [("array metadata differ from those committed", "arrays", ALL)]
    path.write_text(json.dumps({**metadata, "shape": [10, 16]}))
    ((what, _, names),) = found(store)
    assert (what.startswith("the array has 10 rows"), names) == (True, ALL)
    path.unlink()
    ((what, _, names),) = found(store)
    assert (what.startswith("array metadata"), names) == (True, ALL)


def test_appending_does_not_disturb_an_older_snapshot(store, filled):
    late = utterance(9)
    rows = {**filled.rows, late.id: values(FEATURE, 40)}
    with store.writer() as writer:
        write(store, writer, FEATURE, [late], rows)
        commit(store, writer, FEATURE, (*filled.utterances, late), rows)
    assert verify(store, filled.commit.snapshot) == verify(store) == ()


def test_damage_outside_a_snapshot_is_not_its_problem(store, filled):
    late = utterance(9)
    rows = {**filled.rows, late.id: values(FEATURE, 40)}
    with store.writer() as writer:
        write(store, writer, FEATURE, [late], rows)
        commit(store, writer, FEATURE, (*filled.utterances, late), rows)
    shard(store, "c/2/0").unlink()
    assert verify(store, filled.commit.snapshot) == ()
    assert [item.utterances for item in verify(store)] == [(late.id,)]


@pytest.mark.parametrize("target", ["shard", "array", "receipt", "index"])
def test_what_was_lost_is_built_anew_under_the_same_snapshot_id(store, filled, target):
    folder = store.layout.array(FEATURE.digest, "toy")
    receipts = store.layout.receipts(FEATURE.digest, "toy")
    index = store.layout.snapshot(filled.commit.snapshot) / FEATURE.digest
    lost = {
        "shard": folder / "c/1/0",
        "array": folder,
        "receipt": receipts / "000000000000.json",
        "index": index,
    }
    path = lost[target]
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert verify(store) != ()
    with store.writer() as writer:
        there = writer.placed(FEATURE, "toy")
        missing = [item for item in filled.utterances if key(FEATURE, item) not in there]
        assert len(missing) == {"shard": 2, "array": 5, "receipt": 3, "index": 0}[target]
        if missing:
            write(store, writer, FEATURE, missing, filled.rows)
        again = commit(store, writer, FEATURE, filled.utterances, filled.rows)
    assert again == filled.commit
    assert verify(store) == ()
    reader = FeatureStore.open(store.path)
    assert all(np.array_equal(reader.read("mel", name), rows) for name, rows in filled.rows.items())


def test_readers_refuse_what_verify_finds(store, filled):
    shard(store, "c/1/0").unlink()
    reader = FeatureStore.open(store.path)
    for name in verify(store)[0].utterances:
        with pytest.raises(StoreError, match=name):
            reader.read(FEATURE, name)
    np.testing.assert_array_equal(reader.read(FEATURE, ALL[0]), filled.rows[ALL[0]])
