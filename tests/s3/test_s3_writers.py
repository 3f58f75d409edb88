"""Writers on S3 that meet, die or stall lose nothing, since one conditional put decides."""

import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from store import leases
from store.catalogue import Store
from store.errors import StoreError
from store.feature_store import FeatureStore
from store.leases import leased
from store.log import Log
from store.objects import place
from store.verify import verify
from store.writer import StoreWriter
from tests.s3.s3_writers import add_one, die_before
from tests.store.store_cases import commit, fill, spec, utterance, values, write

SPAWN = multiprocessing.get_context("spawn")
LENGTHS = [30, 700, 5, 20, 40]


def finished(process):
    process.join(300)
    if process.exitcode is None:
        process.kill()
        process.join()
    return process.exitcode


def test_one_of_many_conditional_puts_succeeds(uri, real_server):
    path = place(uri) / "x"
    for round_ in range(5):
        with ThreadPoolExecutor(16) as pool:
            won = list(pool.map((path / f"{round_}").create, [f"{name}".encode() for name in range(16)]))
        assert sum(won) == 1
        assert (path / f"{round_}").read_bytes() == f"{won.index(True)}".encode()


@pytest.mark.slow
def test_eight_processes_that_commit_at_once_lose_nothing(uri, real_server):
    Store.create(uri)
    ready, go = SPAWN.Semaphore(0), SPAWN.Event()
    processes = [SPAWN.Process(target=add_one, args=(uri, number, ready, go)) for number in range(8)]
    for process in processes:
        process.start()
    for _ in processes:
        assert ready.acquire(timeout=120)
    go.set()
    assert [finished(process) for process in processes] == [0] * 8
    store = Store.open(uri)
    assert [item.number for item in store.commits()] == list(range(1, 9))
    counts = [len(store.manifest(item.manifest)) for item in store.commits()]
    assert counts == list(range(1, 9))
    assert verify(store) == ()
    reader = FeatureStore.open(uri)
    for number, item in enumerate(reader.utterances):
        np.testing.assert_array_equal(reader.read(spec(), item.id), values(spec(), 10 + number, number))


def test_a_second_writer_is_refused_by_name(uri):
    store = Store.create(uri)
    with (
        store.writer(),
        pytest.raises(StoreError, match=rf"process {os.getpid()} on .* writing to it; to mend it: wait"),
        Store.open(uri).writer(),
    ):
        pass
    with store.writer():
        pass


def test_a_lock_that_is_renewed_is_kept_and_one_that_is_not_is_taken_over(uri, monkeypatch):
    monkeypatch.setattr(leases, "LEASE_SECONDS", 3.0)
    lock = place(uri) / "writer.lock"
    with leased(lock):
        time.sleep(5)
        with pytest.raises(StoreError, match="writing to it"), leased(lock):
            pass
    monkeypatch.setattr(leases, "_renew", lambda *_: None)
    with leased(lock) as held:
        held()
        time.sleep(4.5)
        held()  # run out, but nobody took it
        with leased(lock) as other:
            other()
            with pytest.raises(StoreError, match="took it over"):
                held()
        with pytest.raises(StoreError, match="took it over"):
            held()


def unlocked(uri):
    """A writer that thinks to hold the lock."""
    store = Store.open(uri)
    return store, StoreWriter(store.layout, store.log, lambda: None)


def test_two_that_both_think_to_hold_the_lock_lose_nothing(uri, monkeypatch):
    Store.create(uri)
    number = Log.head_number
    feature, sides = spec(), [unlocked(uri), unlocked(uri)]
    items = [(utterance(1), utterance(2)), (utterance(3),)]
    rows = [{item.id: values(feature, 40, number) for number, item in enumerate(side)} for side in items]
    with ThreadPoolExecutor(2) as pool:
        starts = list(pool.map(lambda side: sides[side][1].reserve(feature, "toy", [80, 80]), (0, 1)))
    assert len({*starts[0], *starts[1]}) == 4
    for side in (0, 1):
        write(*sides[side], feature, items[side], rows[side])
    first = commit(*sides[0], feature, items[0], rows[0])
    monkeypatch.setattr(Log, "_named_by_head", lambda _: 0)  # a HEAD that lies behind misleads nobody
    assert Store.open(uri).head() == first
    monkeypatch.setattr(Log, "head_number", lambda _: 0)  # it looked before the first one committed
    with pytest.raises(StoreError, match="another writer, which was faster"):
        commit(*sides[1], feature, items[1], rows[1])
    monkeypatch.setattr(Log, "head_number", number)
    second = commit(*sides[1], feature, items[1], rows[1])
    assert [item.snapshot for item in Store.open(uri).commits()] == [first.snapshot, second.snapshot]
    for made in (first, second):
        assert verify(Store.open(uri), made.snapshot) == ()


@pytest.mark.slow
@pytest.mark.parametrize("what", ["receipt", "snapshot", "entry", "head"])
def test_a_build_that_is_killed_goes_on(uri, tmp_path, monkeypatch, what):
    folder, store = Store.create(tmp_path / "store"), Store.create(uri)
    before = fill(store, spec(), LENGTHS[:1])
    process = SPAWN.Process(target=die_before, args=(uri, LENGTHS, what, 2.0))
    process.start()
    assert finished(process) == -9
    seen = Store.open(uri).head()
    assert (
        seen.snapshot == before.commit.snapshot or what == "head"
    )  # the entry is the commit, HEAD only a hint
    assert verify(Store.open(uri), before.commit.snapshot) == ()
    time.sleep(3.5)
    after = fill(Store.open(uri), spec(), LENGTHS)
    assert after.commit.snapshot == fill(folder, spec(), LENGTHS).commit.snapshot
    assert after.commit.number == 2
    assert verify(Store.open(uri)) == ()


def test_readers_see_whole_snapshots_while_others_are_written(uri):
    store = Store.create(uri)
    fill(store, spec(), [10])
    stop, seen, failed = threading.Event(), set(), []

    def read():
        while not stop.is_set():
            try:
                reader = FeatureStore.open(uri)
                rows = reader.read_many(spec(), [item.id for item in reader.utterances])
                assert all(len(rows[f"toy/u{number:03d}"]) == 10 + number for number in range(len(rows)))
                seen.add(len(rows))
            except Exception as error:
                failed.append(error)
                return

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for count in (2, 3, 4):
        fill(Store.open(uri), spec(), [10 + number for number in range(count)])
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed
    assert 1 in seen
    assert len(seen) > 1
