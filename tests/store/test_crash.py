"""A build is killed at random moments and at every step; the next one ends as if nothing had happened."""

import signal
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest

from store.catalogue import Store
from store.layout import Layout
from store.receipts import receipts
from store.verify import verify
from tests.store.crash_cases import (
    NEW,
    OLD,
    SPEC,
    Values,
    build,
    build_until_step,
    count_steps,
    fresh_copy,
    kill_group,
    read_for_ever,
    same,
    start,
    values,
)

RANDOM_KILLS = 30


@dataclass(frozen=True)
class Scene:
    """A store with one committed snapshot, and what an undisturbed build makes of the new tones."""

    folder: Path
    root: Path
    old: str
    before: Values
    new: str
    after: Values
    seconds: float

    def copy(self, name: str) -> Path:
        """A fresh copy of the committed store."""
        return fresh_copy(self.folder, self.folder.with_name(name))


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    place = tmp_path_factory.mktemp("crash")
    root, folder, clean = place / "toy", place / "store", place / "clean"
    old = build(folder, root, OLD).commit.snapshot
    new = build(clean, root, NEW).commit.snapshot
    seconds = min(seconds_undisturbed(fresh_copy(folder, place / "whole"), root) for _ in range(3))
    assert Store.open(place / "whole").resolve(None).snapshot == new
    return Scene(folder, root, old, values(folder), new, values(clean), seconds)


def seconds_undisturbed(store: Path, root: Path) -> float:
    """Build the new tones in a process of its own; return how long that took."""
    begun = monotonic()
    process = start(build, store, root, NEW)
    process.join()
    assert process.exitcode == 0
    return monotonic() - begun


def check_killed(scene: Scene, store: Path) -> None:
    """Whatever the kill left: the old snapshot is whole, and the newest is the old or the new one."""
    assert same(values(store, scene.old), scene.before)
    assert Store.open(store).resolve(None).snapshot in (scene.old, scene.new)


def check_resumed(scene: Scene, store: Path) -> int:
    """Build on; the end is that of an undisturbed build. Return how many row blocks were there already."""
    stored = {row.row_key for r in receipts(Layout(store), SPEC.digest, "toy") for row in r.rows}
    resumed = build(store, scene.root, NEW)
    assert resumed.commit.snapshot == scene.new
    assert same(values(store), scene.after)
    assert verify(Store.open(store)) == verify(Store.open(store), scene.old) == ()
    wanted = {rows.row_key for rows in resumed.report.obtained}
    assert resumed.report.kept == len(stored & wanted)  # nothing that was finished is computed again
    return resumed.report.kept


class Reader:
    """A process that reads the old snapshot and the newest all the time while a block runs."""

    def __init__(self, scene: Scene, store: Path) -> None:
        self.here, there = Pipe()
        self.process = start(read_for_ever, there, store, scene.old)
        assert self.here.poll(60)
        assert self.here.recv() == "reading"

    def finish(self) -> int:
        """Stop; return the number of rounds, none of which may have failed."""
        self.here.send("stop")
        error, rounds = self.here.recv()
        self.process.join()
        assert not error, error
        return rounds


def test_kills_at_random_moments(scene):
    """Every third resume is killed as well, before the last one may finish."""
    moments = np.random.default_rng(11).uniform(0.0, scene.seconds, size=(RANDOM_KILLS, 2))
    kept, rounds = [], 0
    for trial, (first, second) in enumerate(moments):
        store = scene.copy("killed")
        reader = Reader(scene, store)
        for seconds in (first, second) if trial % 3 == 0 else (first,):
            process = start(build, store, scene.root, NEW)
            sleep(seconds)
            kill_group(process)
        rounds += reader.finish()
        check_killed(scene, store)
        kept.append(check_resumed(scene, store))
    assert rounds >= RANDOM_KILLS
    assert len(set(kept)) > 1, "all kills fell into one phase of the build"


def test_a_kill_at_every_step_of_the_writing(scene):
    """Before each flush (half of the file lost), rename, truncation, new folder and removal."""
    here, there = Pipe()
    counting = start(count_steps, there, scene.copy("counted"), scene.root)
    steps = here.recv()
    counting.join()
    assert steps > 40
    for step in range(1, steps + 1):
        store = scene.copy("killed")
        process = start(build_until_step, store, scene.root, step)
        process.join()
        assert process.exitcode == -signal.SIGKILL, f"step {step} of {steps} was not reached"
        check_killed(scene, store)
        check_resumed(scene, store)
