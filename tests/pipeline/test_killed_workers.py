"""Worker processes are killed from outside while a build runs: the build goes on, and ends as undisturbed."""

import os
import signal

import psutil

from pipeline.build import rebuild
from pipeline.items import Limits
from store.catalogue import Store
from store.feature_store import FeatureStore
from store.verify import verify
from tests.pipeline.build_cases import Loudness, PhoneMeans, Slow, inputs, recorded

BOTH = (Slow(), PhoneMeans(Loudness().spec))
PAIRS = Limits(seconds=60, recordings=2)
KILLS = {1, 4}
"""After so many finished work items a worker is killed, which has another one under way."""


def workers() -> list[int]:
    """The processes that this one started to work."""
    children = psutil.Process().children(recursive=True)
    return sorted(child.pid for child in children if "spawn_main" in " ".join(child.cmdline()))


def test_a_worker_killed_alone_from_outside_does_not_end_the_build(tmp_path):
    root, store, whole = tmp_path / "toy", Store.create(tmp_path / "store"), Store.create(tmp_path / "whole")
    items = [recorded(root, number) for number in range(1, 17)]
    clean = rebuild(whole, inputs(whole, root, items), (Loudness(), BOTH[1]))
    before, killed = set(workers()), []

    def kill(progress):
        if progress.items in KILLS:
            killed.append(next(pid for pid in workers() if pid not in before | set(killed)))
            os.kill(killed[-1], signal.SIGKILL)

    built = rebuild(store, inputs(store, root, items), BOTH, workers=2, limits=PAIRS, progress=kill)
    assert len(killed) == len(KILLS)
    assert built.report.quarantined == ()
    assert built.report.computed == 2 * len(items)
    assert built.commit.snapshot == clean.commit.snapshot
    assert verify(store) == ()
    found, expected = FeatureStore.open(store.path), FeatureStore.open(whole.path)
    for item in items:
        assert (found.read("loudness", item.id) == expected.read("loudness", item.id)).all()
