import json
import shutil

import numpy as np
import pytest

from store import repair as module
from store.documents import read_document, write_document
from store.errors import StoreError
from store.feature_store import FeatureStore
from store.repair import repair
from store.verify import verify
from tests.store.store_cases import (
    Filled,
    alignment,
    commit,
    fill,
    key,
    skipped,
    spec,
    utterance,
    values,
    write,
)

FEATURE = spec((16,))
LAYERED = spec((3, 16), "float16")
ALL = tuple(f"toy/u{number:03d}" for number in range(5))


@pytest.fixture
def filled(store) -> Filled:
    """Work items of three and two utterances: two shards."""
    return fill(store, FEATURE, [300, 600, 200, 9, 2000])


def flip(path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 0x40
    path.write_bytes(data)


def build(store, made: Filled, feature=FEATURE):
    """Do as a build does: put tables, write the rows that are not there, commit; return whose those were."""
    store.put_manifest(made.utterances, [skipped(1)])
    store.put_alignments("toy", "a" * 64, [alignment(item) for item in made.utterances], [skipped(2)])
    with store.writer() as writer:
        there = writer.placed(feature, "toy")
        missing = [item for item in made.utterances if key(feature, item) not in there]
        if missing:
            write(store, writer, feature, missing, made.rows)
        again = commit(store, writer, feature, made.utterances, made.rows)
    assert again == made.commit
    return tuple(item.id for item in missing)


def whole(store, made, feature=FEATURE, ref=None):
    reader = FeatureStore.open(store.path, ref)
    same = (np.array_equal(reader.read(feature, name), rows) for name, rows in made.rows.items())
    return verify(store, ref) == () and all(same)


def places(store, made):
    """Each kind of file of a store, and the utterances whose rows are computed again after its loss."""
    layout = store.layout
    folder, receipts = layout.array(FEATURE.digest, "toy"), layout.receipts(FEATURE.digest, "toy")
    snapshot = layout.snapshot(made.commit.snapshot)
    return {
        "shard": (folder / "c/0/0", ALL[:3]),
        "last shard": (folder / "c/1/0", ALL[3:]),
        "metadata": (folder / "zarr.json", ()),
        "receipt": (sorted(receipts.iterdir())[1], ALL[3:]),
        "index": (snapshot / FEATURE.digest / "toy.parquet", ()),
        "description": (snapshot / "snapshot.json", ()),
        "manifest": (layout.manifest(made.commit.manifest), ()),
        "left out": (layout.manifest_skipped(made.commit.manifest), ()),
        "alignments": (layout.alignments(made.commit.alignments[0]), ()),
        "unaligned": (layout.unaligned(made.commit.alignments[0]), ()),
        "spec": (layout.spec(FEATURE.digest), ()),
    }


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete"])
@pytest.mark.parametrize(
    "kind",
    [
        "shard", "last shard", "metadata", "receipt", "index", "description",
        "manifest", "left out", "alignments", "unaligned", "spec",
    ],
)  # fmt: skip
def test_just_what_was_damaged_is_made_anew(store, filled, kind, damage):
    path, computed = places(store, filled)[kind]
    data = path.read_bytes()
    if damage == "flip":
        flip(path, len(data) // 2)
    elif damage == "truncate":
        path.write_bytes(data[: len(data) * 2 // 3])
    else:
        path.unlink()
    named = {name for problem in verify(store) for name in problem.utterances}
    done = repair(store)
    assert done.problems
    assert {name for problem in done.problems for name in problem.utterances} >= named
    assert done.lost == (computed if kind != "metadata" else ())
    assert build(store, filled) == computed
    assert whole(store, filled)
    assert repair(store).problems == ()


def test_a_whole_snapshot_is_left_alone(store, filled):
    seen = {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()}
    done = repair(store)
    assert (done.problems, done.dropped, done.restored, done.lost, done.remaining) == ((), (), (), (), ())
    assert {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()} == seen


def test_an_item_of_many_shards_loses_only_the_damaged_one(store):
    feature = spec((16,), kind="utterance")  # shards of 512 rows
    made = fill(store, feature, [400, 400, 300, 500])
    folder = store.layout.array(feature.digest, "toy")
    flip(folder / "c/2/0", 100)  # holds the end of u002
    done = repair(store)
    assert done.dropped == (f"arrays/{feature.digest}/toy/values/c/2/0",)
    assert done.lost == ("toy/u002",)
    assert build(store, made, feature) == ("toy/u002",)
    assert whole(store, made, feature)


def test_one_layer_damaged(store):
    made = fill(store, LAYERED, [30, 60], item_size=1)
    flip(store.layout.array(LAYERED.digest, "toy") / "c/1/2/0", 100)
    assert repair(store).lost == ("toy/u001",)
    assert build(store, made, LAYERED) == ("toy/u001",)
    assert whole(store, made, LAYERED)


def test_damage_hidden_by_damage_is_found_in_the_same_repair(store, filled):
    folder = store.layout.array(FEATURE.digest, "toy")
    flip(folder / "c/0/0", 200)
    first = sorted(store.layout.receipts(FEATURE.digest, "toy").iterdir())[-1]
    flip(first, 30)
    (folder / "zarr.json").unlink()
    done = repair(store)
    assert done.restored == (f"arrays/{FEATURE.digest}/toy/values/zarr.json",)
    assert done.lost == ALL
    assert build(store, filled) == ALL
    assert whole(store, filled)


def test_metadata_of_another_cut_cost_the_whole_array(store, filled, monkeypatch):
    """As after a change of the geometry: what is written anew is not what was committed."""
    folder = store.layout.array(FEATURE.digest, "toy")
    metadata = json.loads((folder / "zarr.json").read_text())
    (folder / "zarr.json").write_text(json.dumps({**metadata, "fill_value": 0.0}))
    monkeypatch.setattr(module, "restore_metadata", lambda *_: False)
    done = repair(store)
    assert f"arrays/{FEATURE.digest}/toy/values" in done.dropped
    assert done.lost == ALL
    assert build(store, filled) == ALL
    assert whole(store, filled)


def test_a_lost_array_and_a_lost_snapshot_come_back(store, filled):
    shutil.rmtree(store.layout.array(FEATURE.digest, "toy"))
    assert repair(store).lost == ALL
    assert build(store, filled) == ALL
    shutil.rmtree(store.layout.snapshot(filled.commit.snapshot))
    repair(store)
    assert build(store, filled) == ()
    assert whole(store, filled)


def test_an_older_snapshot_is_whole_again_once_a_build_made_the_rows(store, filled):
    late = utterance(9)
    rows = {**filled.rows, late.id: values(FEATURE, 40)}
    with store.writer() as writer:
        write(store, writer, FEATURE, [late], rows)
        newest = commit(store, writer, FEATURE, (*filled.utterances, late), rows)
    flip(store.layout.array(FEATURE.digest, "toy") / "c/0/0", 200)
    assert repair(store).lost == ALL[:3]
    assert build(store, Filled(newest, (*filled.utterances, late), rows)) == ALL[:3]
    assert verify(store) == ()
    old = filled.commit.snapshot
    assert verify(store, old) != ()
    done = repair(store, old)
    assert (done.dropped, done.lost, done.remaining) == ((), (), ())
    assert whole(store, filled, ref=old)
    assert verify(store) == ()


def test_receipts_that_contradict_the_index_go(store, filled):
    path = sorted(store.layout.receipts(FEATURE.digest, "toy").iterdir())[0]
    content = read_document(path)
    content["rows"][2][3][0] ^= 1  # the checksum of the values
    write_document(path, content)
    assert repair(store).dropped == (path.relative_to(store.path).as_posix(),)
    assert build(store, filled) == ALL[:3]
    assert whole(store, filled)


def test_a_repair_waits_for_no_build(store, filled):
    with store.writer(), pytest.raises(StoreError, match="no other writer"):
        repair(store)


class Killed(BaseException):
    """Stands for a kill."""


def test_a_repair_that_was_killed_is_finished_by_the_next(store, filled, monkeypatch):
    flip(store.layout.array(FEATURE.digest, "toy") / "c/0/0", 200)

    def killed(*_):
        raise Killed

    monkeypatch.setattr(module, "forget_shards", killed)  # after the shard went
    with pytest.raises(Killed):
        repair(store)
    monkeypatch.undo()
    assert repair(store).lost == ALL[:3]
    assert build(store, filled) == ALL[:3]
    assert whole(store, filled)
