"""Several builds and readers at once on one store, and stores that are full, read-only or unreadable."""

import shutil
import subprocess
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from store.catalogue import Store
from store.errors import StoreError
from store.feature_store import FeatureStore
from store.repair import repair
from store.verify import verify
from tests.store.crash_cases import (
    NEW,
    OLD,
    SPEC,
    build,
    read_for_ever,
    same,
    start,
    values,
)  # fmt: skip

CORPORA = ((1, 2, 3, 4, 5), (4, 5, 6, 7), (7, 8, 1))
"""The recordings of builds that overlap in pairs."""


def build_until_done(told: Connection, store: Path, root: Path, numbers: tuple[int, ...]) -> None:
    """Build as soon as told to, again after each refusal; tell the snapshot and the refusals."""
    refusals: list[str] = []
    told.recv()
    while True:
        try:
            snapshot = build(store, root, numbers).commit.snapshot
        except StoreError as error:
            refusals.append(str(error))
        else:
            told.send((snapshot, refusals))
            return


def test_builds_started_together_lose_nothing(tmp_path):
    """Each is done or is refused while another one writes; together they give what they give one by one."""
    store, root = tmp_path / "store", tmp_path / "toy"
    alone = [build(tmp_path / f"alone{i}", root, part).commit.snapshot for i, part in enumerate(CORPORA)]
    Store.create(store)
    pipes = [Pipe() for _ in CORPORA]
    builders = [
        start(build_until_done, there, store, root, numbers)
        for (_, there), numbers in zip(pipes, CORPORA, strict=True)
    ]
    for here, _ in pipes:
        here.send("go")
    made = [here.recv() for here, _ in pipes]
    for builder in builders:
        builder.join()
    assert [snapshot for snapshot, _ in made] == alone
    for message in {message for _, refusals in made for message in refusals}:
        assert "no other writer" in message
        assert "to mend it: wait until it ends" in message
    opened = Store.open(store)
    assert sorted(commit.snapshot for commit in opened.commits()) == sorted(alone)
    for number, snapshot in enumerate(alone):
        assert verify(opened, snapshot) == ()
        assert same(values(store, snapshot), values(tmp_path / f"alone{number}"))
    with opened.writer() as writer:  # no recording was computed twice
        assert len(writer.placed(SPEC, "toy")) == len({number for part in CORPORA for number in part})


def test_eight_readers_during_builds(tmp_path):
    store, root = tmp_path / "store", tmp_path / "toy"
    old = build(store, root, OLD).commit.snapshot
    pipes = [Pipe() for _ in range(8)]
    readers = [start(read_for_ever, there, store, old) for _, there in pipes]
    assert [here.recv() for here, _ in pipes] == ["reading"] * 8
    for numbers in (NEW, (1, 5, 6), NEW, (2, 7, 8), OLD):
        build(store, root, numbers)
    for here, _ in pipes:
        here.send("stop")
    for here, _ in pipes:
        error, rounds = here.recv()
        assert not error
        assert rounds >= 1
    for reader in readers:
        reader.join()


@contextmanager
def mounted(folder: Path, *arguments: str):
    """Mount something at a folder; the test is skipped where that is not allowed."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *arguments, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mount is refused here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def refusal(store: Path, root: Path) -> StoreError | None:
    """Build; return the error that ended it, if one did."""
    try:
        build(store, root, NEW)
    except StoreError as error:
        return error
    return None


def test_a_disk_that_gets_full_at_any_point_is_a_clear_error_and_the_build_goes_on(tmp_path):
    root = tmp_path / "toy"
    clean = build(tmp_path / "clean", root, NEW).commit.snapshot
    messages = set()
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=2m", "tmpfs") as disk:
        store = disk / "store"
        old = build(store, root, OLD).commit.snapshot
        before = values(store)
        shutil.copytree(store, tmp_path / "copy")
        for free in range(0, 200, 8):  # KiB
            shutil.rmtree(store)
            shutil.copytree(tmp_path / "copy", store)
            filler = disk / "filler"
            filler.write_bytes(bytes(shutil.disk_usage(disk).free - free * 1024))
            refused = refusal(store, root)
            if refused is not None:
                messages.add(str(refused))
                assert "No space left on device" in str(refused)
                assert Store.open(store).resolve(None).snapshot == old
            assert same(values(store, old), before)
            filler.unlink()
            assert build(store, root, NEW).commit.snapshot == clean
            assert verify(Store.open(store)) == ()
            assert same(values(store), values(tmp_path / "clean"))
    assert len(messages) > 3, "the disk was always full at the same point"


def test_a_read_only_store_is_read_and_every_writer_is_told(tmp_path):
    root, source = tmp_path / "toy", tmp_path / "source"
    old = build(source, root, OLD).commit.snapshot
    Store.open(source).tag("kept", old)
    with mounted(tmp_path / "store", "--bind", str(source)) as store:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(store)], check=True)
        place = Store.open(store)
        assert same(values(store, "kept"), values(source))
        assert verify(place) == ()
        writes = (
            lambda: build(store, root, NEW),
            lambda: build(store, root, OLD),  # nothing to do, but it holds the store
            lambda: place.tag("new", old),
            lambda: place.untag("kept"),
            lambda: repair(place),
            lambda: place.put_model("m", b"x"),
        )
        for write in writes:
            with pytest.raises(StoreError, match=r"Read-only file system.*a folder that can be written"):
                write()
    assert [commit.snapshot for commit in Store.open(source).commits()] == [old]
    assert verify(Store.open(source)) == ()


def test_files_that_cannot_be_opened_are_reported(tmp_path):
    """A link to itself cannot be opened by anybody, through Python, Arrow or zarrs."""
    root, source, store = tmp_path / "toy", tmp_path / "source", tmp_path / "store"
    build(source, root, OLD)
    build(source, root, NEW)
    files = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    assert len(files) >= 15
    for file in files:
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(source, store)
        (store / file).unlink()
        (store / file).symlink_to(file.name)
        found = complaints(store, root)
        assert any(file.name in text or "arrays/" in text for text in found), (file, found)


def complaints(store: Path, root: Path) -> list[str]:
    """What reading and verifying both snapshots says, and then a build; only errors of ours may come."""
    found: list[str] = []
    for step in (
        lambda: [found.append(str(problem)) for commit in Store.open(store).commits()
                 for problem in verify(Store.open(store), commit.snapshot)],
        lambda: values(store),
        lambda: build(store, root, NEW),
    ):  # fmt: skip
        try:
            step()
        except StoreError as error:
            found.append(str(error))
    return found


def test_a_reader_of_a_removed_store_gets_a_clear_error(tmp_path):
    build(tmp_path / "store", tmp_path / "toy", OLD)
    reader = FeatureStore.open(tmp_path / "store")
    names = [item.id for item in reader.utterances]
    shutil.rmtree(tmp_path / "store")
    with pytest.raises(StoreError):
        reader.read(SPEC, names[0])
