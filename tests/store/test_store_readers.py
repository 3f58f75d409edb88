"""Readers are seen, waited for or named; nobody opens a store in which something is being forgotten."""

import gc
import os
import pickle
import subprocess
import sys
import threading

import pytest

from store.catalogue import Store
from store.errors import StoreError
from store.feature_store import FeatureStore
from store.forget import Request, forget
from store.readers import await_readers, readers
from tests.store.store_cases import fill, spec
from tests.store.test_concurrency import mounted

FIRST = Request(utterances=("toy/u000",))
READER = """
import sys
from store.feature_store import FeatureStore
store = FeatureStore.open(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def made(store):
    return fill(store, spec(), [5, 6]).commit


@pytest.fixture
def reader(store, made):
    """A process that has the store open until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", READER, store.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_an_open_reader_is_named_or_waited_for(store, made, reader):
    with pytest.raises(StoreError, match=rf"1 after 0.2 s: process {reader.pid} on "):
        forget(store, FIRST, wait=0.2)
    assert store.commits() == (made,)
    assert not store.layout.journal.exists()
    later = threading.Timer(0.3, reader.communicate)
    later.start()
    forget(store, FIRST, wait=60)
    later.join()
    assert store.commits() != (made,)


def test_a_killed_reader_holds_nothing_up(store, made, reader):
    reader.kill()
    reader.wait()
    assert len(list(store.layout.readers.iterdir())) == 1
    assert readers(store.layout) == ()
    assert list(store.layout.readers.iterdir()) == []


def test_a_process_has_one_lease_as_long_as_any_reader_lives(store, made):
    first, second = FeatureStore.open(store.path), FeatureStore.open(store.path)
    assert len(readers(store.layout)) == 1
    del first
    gc.collect()
    assert readers(store.layout)[0].startswith(f"process {os.getpid()} on ")
    del second
    gc.collect()
    assert readers(store.layout) == ()
    await_readers(store.layout, 0)


def test_a_reader_that_comes_late_makes_the_forgetting_give_up(store, made, monkeypatch):
    """One that opened while the new files were written: seen at the last look, before anything moves."""
    import store.forget as module

    late, real = [], module.prepare

    def prepare(*arguments):
        late.append(FeatureStore.open(store.path))
        return real(*arguments)

    monkeypatch.setattr(module, "prepare", prepare)
    with pytest.raises(StoreError, match=f"process {os.getpid()}"):
        forget(store, FIRST)
    assert store.commits() == (made,)
    assert not store.layout.journal.exists()
    assert not store.layout.staging.exists()
    late.clear()
    gc.collect()
    monkeypatch.undo()
    forget(store, FIRST)


def test_on_a_read_only_mount_a_reader_reads_unseen_and_nothing_is_forgotten(store, made, tmp_path):
    with mounted(tmp_path / "mounted", "--bind", str(store.path)) as folder:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        reader = FeatureStore.open(folder)
        assert reader.utterances
        assert readers(store.layout) == ()
        with pytest.raises(StoreError, match="Read-only file system"):
            forget(Store.open(folder), FIRST)
    assert store.commits() == (made,)


@pytest.mark.parametrize("lazy", ["array", "whole"])
def test_a_lazy_array_keeps_the_lease_and_travels(store, made, lazy):
    array = getattr(FeatureStore.open(store.path), lazy)("mel", "toy")
    gc.collect()
    with pytest.raises(StoreError, match=f"1 after 0 s: process {os.getpid()} on "):
        forget(store, FIRST)
    there = pickle.loads(pickle.dumps(array))  # noqa: S301
    assert (there[:5].compute() == array[:5].compute()).all()
    del array, there
    gc.collect()
    assert forget(store, FIRST).utterances == 1
