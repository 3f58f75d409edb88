"""Builds of a few tones in processes of their own that are killed: at a moment, or at a step of writing."""

import os
import shutil
import signal
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas  # noqa: F401 - pyarrow, zarr and the extractor load these late, which each fork would pay for
import pyarrow.compute  # noqa: F401
import zarrs  # noqa: F401
from numpy.typing import NDArray

from features.clip import Clip
from features.extractor import build_extractors
from pipeline.audio import write_wav
from pipeline.build import Rebuilt, rebuild
from pipeline.items import Limits
from store.catalogue import Store
from store.feature_store import FeatureStore
from store.records import Utterance
from tests.pipeline.build_cases import RATE, inputs, measured

FEATURES = build_extractors(("logmel80",), encoder=None)
(SPEC,) = (extractor.spec for extractor in FEATURES)
PAIRS = Limits(seconds=60, recordings=2)
OLD, NEW = (1, 2, 3), (2, 3, 4, 5, 6)
"""The tones of the committed build, and of the build that is killed: one goes, two stay, three come."""

FEATURES[0].extract_many(
    [Clip(samples=np.zeros(RATE, dtype=np.float32), rate=RATE)]
)  # makes its filters once

# Forks of a server that has all of this start in milliseconds.
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["pytest", "tests.store.crash_cases"])

Values = dict[str, NDArray[Any]]


def tones(root: Path, numbers: Sequence[int]) -> list[Utterance]:
    """Write tones of 0.4 s and more, unless they are there, and return their utterances."""
    root.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        path = root / f"u{number:04d}.wav"
        if not path.exists():
            time_axis = np.arange(6400 + 640 * number) / RATE
            wave = 0.5 * np.sin(2 * np.pi * (100 + 40 * number) * time_axis)
            write_wav(path, wave.astype(np.float32), RATE)
    return [measured(root, number) for number in numbers]


def build(store: Path, root: Path, numbers: Sequence[int], workers: int = 0, **options: Any) -> Rebuilt:
    """Build and commit the log-mel rows of some tones, two recordings a work item."""
    place = Store.create(store)
    given = inputs(place, root, tones(root, numbers), aligned=False)
    return rebuild(place, given, FEATURES, workers=workers, limits=PAIRS, **options)


def values(store: Path, snapshot: str | None = None) -> Values:
    """Every row of a snapshot, by utterance; each read is checked against the committed checksum."""
    reader = FeatureStore.open(store, snapshot)
    return reader.read_many(SPEC, [item.id for item in reader.utterances])


def same(left: Values, right: Values) -> bool:
    """Whether two snapshots have the same utterances with the same bits."""
    return left.keys() == right.keys() and all(np.array_equal(left[key], right[key]) for key in left)


def start(target: Callable[..., None], *arguments: Any) -> Any:
    """Start a function in a process group of its own."""
    process = PROCESSES.Process(target=_in_a_group, args=(target, *arguments))
    process.start()
    return process


def _in_a_group(target: Callable[..., None], *arguments: Any) -> None:
    os.setsid()
    target(*arguments)


def kill_group(process: Any) -> None:
    """Kill a started function with all its workers, as ``kill -9`` of the group does."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()  # it is no leader yet, so it has no children either
    process.join()


def count_steps(told: Connection, store: Path, root: Path) -> None:
    """Build the new tones and tell at how many steps a kill can be placed."""
    steps = _Steps(kill_at=None)
    build(store, root, NEW)
    told.send(steps.count)


def build_until_step(store: Path, root: Path, step: int) -> None:
    """Build the new tones and die at the n-th step; half of a file that is not flushed yet is lost."""
    _Steps(kill_at=step)
    build(store, root, NEW)


class _Steps:
    """Stands before every call that makes a write durable or visible; kills the process at one of them."""

    CALLS = ("fsync", "replace", "rename", "mkdir", "unlink", "rmdir", "ftruncate")

    def __init__(self, kill_at: int | None) -> None:
        self.count, self.kill_at, self.lock = 0, kill_at, Lock()
        for name in self.CALLS:
            setattr(os, name, self._before(name, getattr(os, name)))

    def _before(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*arguments: Any, **options: Any) -> Any:
            with self.lock:  # shards are flushed by several threads
                self.count += 1
                chosen = self.count == self.kill_at
            if chosen:
                if name == "fsync":
                    _tear(arguments[0])
                os.kill(os.getpid(), signal.SIGKILL)
            return None if name == "fsync" else call(*arguments, **options)

        return stepped


def _tear(descriptor: int) -> None:
    """Cut a file in half, as a machine does that loses its power before the file is flushed."""
    path = Path(f"/proc/self/fd/{descriptor}").resolve()
    if path.is_file():
        os.truncate(path, path.stat().st_size // 2)


def read_for_ever(told: Connection, store: Path, old: str) -> None:
    """Read the old snapshot and the newest again and again; tell the first error, or how often it went."""
    before, rounds = values(store, old), 0
    told.send("reading")
    error = ""
    while not told.poll():
        try:
            if not same(values(store, old), before):
                error = "the old snapshot has other values"
            values(store)  # whatever is newest is whole
        except Exception as broken:  # every error is what the test looks for
            error = f"{type(broken).__name__}: {broken}"
        if error:
            break
        rounds += 1
    told.send((error, rounds))


def fresh_copy(source: Path, target: Path) -> Path:
    """Return a copy of a store in place of what an earlier trial left."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target
