"""A forgetting that is cut off before every single step on the disk, and finished."""

import os
import shutil

import pytest

from store import receipts
from store.catalogue import Store
from store.errors import StoreError
from store.feature_store import FeatureStore
from store.forget import Request, forget, resume
from store.forget_journal import PREPARE, SWAP, read_journal
from tests.store.forget_cases import (
    GONE,
    MEL,
    people,
    put,
    readable,
    rows_of,
    stored_rows,
    traces,
    whole,
    words_of,
)

ZAPHOD = Request(speakers=(f"toy/{GONE}",))
ITEMS = people()[:3]
ROWS = rows_of(ITEMS)
LEFT = tuple(item for item in ITEMS if item.speaker != GONE)


class Killed(BaseException):
    """Stands for a kill: nothing catches it on its way."""


class Clock:
    """Counts the steps on the disk; from the fatal one on nothing happens any more."""

    def __init__(self, patch, fatal):
        self.steps, self.fatal = 0, fatal
        for name in ("replace", "rename", "unlink"):
            patch.setattr(os, name, self.counted(getattr(os, name)))
        patch.setattr(receipts, "write_rows", self.counted(receipts.write_rows))

    def counted(self, real):
        def step(*arguments, **options):
            if self.steps >= self.fatal:
                raise Killed
            self.steps += 1
            return real(*arguments, **options)

        return step


def cut_off(store, fatal):
    """Forget until the step ``fatal``; return whether it got there."""
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock(patch, fatal)
        try:
            forget(store, ZAPHOD)
        except Killed:
            return True
        assert clock.steps == fatal
        return False


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A store with two commits, of everybody (tagged) and of the others, whose rows share shards."""
    store = Store.create(tmp_path_factory.mktemp("before") / "store")
    put(store, ITEMS, ROWS, features=(MEL,))
    store.tag("all", None)
    put(store, LEFT, ROWS, features=(MEL,))
    return store


def copy(store, folder):
    shutil.copytree(store.path, folder, ignore=shutil.ignore_patterns("readers"))
    return Store.open(folder)


def check_done(store, expected):
    assert [commit.snapshot for commit in store.commits()] == expected
    assert traces(store.path, words_of([item for item in ITEMS if item not in LEFT])) == []
    gone = {row.tobytes() for item in ITEMS if item not in LEFT for row in ROWS[MEL.digest][item.id]}
    assert not gone & stored_rows(store)
    assert not list(store.path.rglob(".tmp-*"))
    assert not store.layout.journal.exists()
    whole(store)


@pytest.mark.slow
def test_a_kill_before_any_step_leaves_the_old_store_or_one_that_is_finished(before, tmp_path):
    undisturbed = copy(before, tmp_path / "undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        steps = Clock(patch, 10_000)
        forget(undisturbed, ZAPHOD)
    expected = [commit.snapshot for commit in undisturbed.commits()]
    check_done(undisturbed, expected)
    assert steps.steps > 40
    phases = []
    for fatal in range(steps.steps):
        store = copy(before, tmp_path / str(fatal))
        assert cut_off(store, fatal)
        journal = read_journal(store.layout)
        phases.append(journal.phase if journal else "")
        if journal is not None:
            with pytest.raises(StoreError, match="a forget is unfinished"), store.writer():
                pass
        if journal is not None and journal.phase == SWAP:
            with pytest.raises(StoreError, match="a forget is unfinished"):
                FeatureStore.open(store.path)
        elif store.commits() == before.commits():
            made = type("Made", (), {"rows": ROWS})
            assert readable(store, made, "all", (MEL,)) == {item.id for item in ITEMS}
        if resume(store) is None and store.commits() == before.commits():
            forget(store, ZAPHOD)
        check_done(store, expected)
        shutil.rmtree(store.path)
    assert phases[0] == ""
    assert phases == sorted(phases, key=["", PREPARE, SWAP].index) or phases[-1] == ""
    assert {PREPARE, SWAP} <= set(phases)


def test_a_kill_of_the_second_try_is_finished_by_the_third(before, tmp_path):
    for fatal, again in ((12, 9), (30, 5), (45, 2)):
        store = copy(before, tmp_path / str(fatal))
        assert cut_off(store, fatal)
        with pytest.MonkeyPatch.context() as patch:
            Clock(patch, again)
            with pytest.raises(Killed):
                resume(store)
        resume(store)
        check_done(store, [store.commits()[1].snapshot] * 2)
