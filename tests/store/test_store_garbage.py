import os
import shutil

import numpy as np
import pytest

from store import garbage as module
from store.arrays import open_array
from store.atomic import exclusive_lock
from store.catalogue import Store, write_item
from store.errors import ConfigurationError, StoreError
from store.feature_store import FeatureStore
from store.garbage import collect, find_garbage
from store.verify import verify
from tests.store.store_cases import alignment, commit, spec, utterance, values, wanted, write

FEATURE, OTHER = spec((16,)), spec((4,), name="mfcc")
OLD = 4000.0  # seconds, beyond which a file that nothing names counts as left behind


def rows_of(items):
    return {item.id: values(FEATURE, 40, seed) for seed, item in enumerate(items)}


@pytest.fixture
def history(store: Store):
    """Commits of u0 u1; of u0 u1 u2 with a second feature; of u2 u3. Each addition is a work item."""
    items = [utterance(number) for number in range(4)]
    rows = rows_of(items)
    with store.writer() as writer:
        write(store, writer, FEATURE, items[:2], rows)
        first = commit(store, writer, FEATURE, items[:2], rows)
        write(store, writer, FEATURE, items[2:3], rows)
        (start,) = writer.reserve(OTHER, "toy", [3])
        extra = wanted(OTHER, items[0], 3)
        write_item(store.path, OTHER, "toy", start, [(extra.row_key, values(OTHER, 3))])
        listed = [wanted(FEATURE, item, 40) for item in items[:3]]
        second = writer.commit(
            manifest=store.put_manifest(items[:3], []), alignments=[], wanted=[*listed, extra], lineage={}
        )
        write(store, writer, FEATURE, items[3:], rows)
        third = commit(store, writer, FEATURE, items[2:], rows)
    return (first, second, third), rows


def tree(store):
    """Every file of the store by path but locks and the journal."""
    files = (path for path in store.path.rglob("*") if path.is_file())
    return {
        path.relative_to(store.path).as_posix(): path.read_bytes()
        for path in files
        if path.suffix != ".lock" and path.name != "collected.json"
    }


def readable(store, made, rows):
    reader = FeatureStore.open(store.path, made.snapshot)
    for item in reader.utterances:
        np.testing.assert_array_equal(reader.read(FEATURE, item.id), rows[item.id])
    return verify(store, made.snapshot) == ()


def test_nothing_goes_that_a_tag_or_the_newest_snapshot_needs(store, history):
    made, rows = history
    store.tag("first", made[0].snapshot)
    collect(store)
    assert [item.number for item in store.commits()] == [1, 3]
    assert readable(store, made[0], rows)
    assert readable(store, made[2], rows)
    assert store.tags() == {"first": made[0].snapshot}
    assert collect(store).removals == ()


def test_what_only_dropped_commits_need_goes(store, history):
    made, rows = history
    seen = tree(store)
    found = find_garbage(store)
    assert tree(store) == seen
    assert [item.number for item in found.dropped] == [1, 2]
    assert collect(store) == found
    assert readable(store, made[2], rows)
    left = tree(store)
    assert left.items() <= seen.items()
    assert sum(map(len, seen.values())) - sum(map(len, left.values())) == found.bytes
    assert {path.split("/")[1] for path in left if path.startswith("arrays/")} == {FEATURE.digest}
    assert {path for path in left if path.startswith(("snapshots/", "manifests/", "commits/", "specs/"))} == {
        f"snapshots/{made[2].snapshot}/snapshot.json",
        f"snapshots/{made[2].snapshot}/{FEATURE.digest}/toy.parquet",
        f"manifests/{made[2].manifest}.parquet",
        f"manifests/{made[2].manifest}.skipped.parquet",
        "commits/00000003.json",
        f"specs/{FEATURE.digest}.json",
    }
    assert not any(folder.is_dir() and not any(folder.iterdir()) for folder in store.path.glob("arrays/*"))


def test_a_shard_is_removed_only_when_none_of_its_rows_is_needed(store):
    items = [utterance(number) for number in range(3)]
    rows = rows_of(items)
    with store.writer() as writer:
        write(store, writer, FEATURE, items[:1], rows)
        write(store, writer, FEATURE, items[1:], rows)
        commit(store, writer, FEATURE, items, rows)
        newest = commit(store, writer, FEATURE, items[1:2], rows)
    folder = store.layout.array(FEATURE.digest, "toy")
    kept = (folder / "c/1/0").read_bytes()
    shards = [item.path for item in collect(store).removals if item.kind == "shard"]
    assert shards == [folder / "c/0/0"]
    assert (folder / "c/1/0").read_bytes() == kept
    assert readable(store, newest, rows)
    with store.writer() as writer:  # u2 lies in the kept item, u0 has to be built anew, behind all that was
        assert len(writer.placed(FEATURE, "toy")) == 2
        assert write(store, writer, FEATURE, items[:1], rows) == open_array(folder).shape[0] // 3 * 2
        again = commit(store, writer, FEATURE, items, rows)
    assert readable(store, again, rows)
    assert again.number == 3


def test_more_than_the_newest_can_be_kept(store, history):
    made, rows = history
    assert [item.number for item in find_garbage(store, keep=2).kept] == [2, 3]
    assert find_garbage(store, keep=99).dropped == ()
    collect(store, keep=2)
    assert [item.number for item in store.commits()] == [2, 3]
    assert readable(store, made[1], rows)
    with pytest.raises(ConfigurationError, match="at least one"):
        find_garbage(store, keep=0)


def test_a_dropped_snapshot_is_said_to_be_removed_and_can_be_made_again(store, history):
    made, rows = history
    collect(store)
    with pytest.raises(StoreError, match="removed by garbage collection"):
        FeatureStore.open(store.path, made[0].snapshot[:12])
    with store.writer() as writer:
        items = [utterance(0), utterance(1)]
        write(store, writer, FEATURE, items, rows)
        again = commit(store, writer, FEATURE, items, rows)
    assert (again.snapshot, again.number) == (made[0].snapshot, 4)
    assert readable(store, again, rows)


class Killed(BaseException):
    """Stands for a kill: nothing catches it on its way."""


@pytest.mark.parametrize(("tagged", "before"), [((), True), ((), False), ((0,), True), ((0,), False)])
def test_a_kill_at_any_step_leaves_the_kept_snapshots_whole(store, history, tmp_path, tagged, before):
    made, rows = history
    for number in tagged:
        store.tag(f"tag{number}", made[number].snapshot)
    whole = copy(store, tmp_path / "whole")
    steps = len(collect(whole).removals)
    assert steps >= 7
    for step in range(steps):
        killed = copy(store, tmp_path / f"killed{step}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "remove", failing_at(step, before))
            with pytest.raises(Killed):
                collect(killed)
        for number in (*tagged, 2):
            assert readable(killed, made[number], rows)
        collect(killed)
        assert tree(killed) == tree(whole)
        assert find_garbage(killed).removals == ()


def failing_at(step, before):
    """Return a removal that is killed at its ``step``-th call, before or after removing."""
    done = []
    real = module.remove

    def remove(path):
        if len(done) == step and before:
            raise Killed
        real(path)
        if len(done) == step and not before:
            raise Killed
        done.append(path)

    return remove


def copy(store, folder):
    shutil.copytree(store.path, folder)
    return Store.open(folder)


def test_a_kill_before_the_journal_changes_nothing(store, history, monkeypatch):
    seen = tree(store)

    def killed(*_):
        raise Killed

    monkeypatch.setattr(type(store.log), "mark_collected", killed)
    with pytest.raises(Killed):
        collect(store)
    assert tree(store) == seen
    assert len(store.commits()) == 3


def test_a_folder_removed_half_way_goes_with_the_next_collection(store, history, monkeypatch):
    monkeypatch.setattr("store.atomic.shutil.rmtree", lambda *_, **__: None)  # killed after the rename
    collect(store)
    monkeypatch.undo()
    assert list(store.path.rglob(".tmp-*"))
    collect(store)
    assert not list(store.path.rglob(".tmp-*"))


def test_what_an_interrupted_write_left_goes_once_it_is_old(store, history):
    fresh, old = store.layout.manifests / ".tmp-a", store.layout.manifests / ".tmp-b"
    for path in (fresh, old):
        path.write_bytes(b"half")
    age(old)
    collect(store)
    assert fresh.exists()
    assert not old.exists()


def age(path):
    past = path.stat().st_mtime - OLD
    os.utime(path, (past, past))


def test_tables_that_no_commit_names_stay_while_they_are_fresh(store, history):
    digest = store.put_manifest([utterance(7)], [])
    pair = [store.layout.manifest(digest), store.layout.manifest_skipped(digest)]
    collect(store)
    assert store.manifest(digest) == (utterance(7),)
    for path in pair:
        age(path)
    collect(store)
    assert not any(path.exists() for path in pair)


def test_newest_alignments_without_a_build_and_newest_models_stay(store, history):
    old, new = store.put_model("hmm", b"old"), store.put_model("hmm", b"new")
    for digest in (old, new):
        age(store.layout.model(digest))
    table = store.put_alignments("toy", "b" * 64, [alignment(utterance(0))], [])
    age(store.layout.alignments(table))
    collect(store)
    assert store.latest_model("hmm") == (new, b"new")
    assert not store.layout.model(old).exists()
    assert [item.utterance for item in store.latest_alignments("toy", "b" * 64)] == ["toy/u000"]


def test_alignments_of_dropped_commits_go_with_their_pointers(store, history):
    made, _ = history
    with store.writer() as writer:
        store.put_alignments("toy", "a" * 64, [], [])  # the pointer moves away from the newest commit's table
        other = store.put_alignments("toy", "c" * 64, [], [])
        writer.commit(manifest=made[2].manifest, alignments=[other], wanted=[], lineage={})
        writer.commit(manifest=made[2].manifest, alignments=[], wanted=[], lineage={})
    collect(store)
    assert store.latest_alignments("toy", "c" * 64) == ()
    assert not store.layout.latest_alignments("toy", "c" * 64).exists()
    assert not store.layout.alignments(other).exists()


def test_a_build_or_a_tag_in_the_making_is_not_disturbed(store, history):
    seen = tree(store)
    with store.writer(), pytest.raises(StoreError, match="no other writer"):
        collect(store)
    with exclusive_lock(store.layout.tags_lock), pytest.raises(StoreError, match="no other writer"):
        store.tag("late", None)
    assert tree(store) == seen


def test_a_damaged_index_of_a_kept_snapshot_stops_the_collection(store, history):
    made, _ = history
    path = store.layout.snapshot(made[2].snapshot) / FEATURE.digest / "toy.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    seen = tree(store)
    with pytest.raises(StoreError, match="index"):
        collect(store)
    assert tree(store) == seen


def test_shards_of_an_interrupted_build_go_too(store, history):
    with store.writer() as writer:
        (start,) = writer.reserve(FEATURE, "toy", [40])
    folder = store.layout.array(FEATURE.digest, "toy")
    shard = folder / "c" / str(start // open_array(folder).shards[0]) / "0"
    shard.parent.mkdir(parents=True)
    shard.write_bytes(b"half")
    collect(store)
    assert not shard.exists()
    assert not shard.parent.exists()
