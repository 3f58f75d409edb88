"""How jobs travel to workers and receipts come back; and what workers keep of memory."""

import os
import subprocess
import sys
from dataclasses import replace

import dask
import pytest
from distributed import Client, LocalCluster

from pipeline.cluster import JOBS_PER_WORKER, run_on_cluster, runner
from pipeline.items import WorkItem
from pipeline.work import Job, Receipt

PLACES = 3
JOB = Job(item=WorkItem(corpus="toy", recordings=()), root="r", store="s", extractors=(), starts={})


def numbered(job: Job) -> Receipt:
    """A receipt that says which job it is of."""
    if job.root == "bad":
        raise ValueError("this job fails")
    return Receipt(recordings=int(job.root), seconds_audio=0.0, seconds_reading=0.0, work=(), failures=())


def preloaded() -> list[str]:
    return dask.config.get("distributed.worker.preload")


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=PLACES, processes=False, dashboard_address=":0", memory_limit=0
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):  # fmt: skip
        yield client


def test_every_job_gets_its_own_receipt_and_few_are_in_flight(client):
    taken, ended = 0, 0

    def jobs():
        nonlocal taken
        for number in range(100):
            taken += 1
            assert taken - ended <= 2 * JOBS_PER_WORKER * PLACES  # those that ended may wait here
            yield replace(JOB, root=str(number))

    seen = []
    for job, receipt in run_on_cluster(client, jobs(), run=numbered, places=PLACES):
        seen.append((job.root, receipt.recordings))
        ended += 1
    assert sorted(seen) == sorted((str(number), number) for number in range(100))


def test_what_a_job_raises_reaches_the_caller(client):
    jobs = [replace(JOB, root=root) for root in ("1", "bad", "2")]
    with pytest.raises(ValueError, match="this job fails"):
        list(run_on_cluster(client, jobs, run=numbered, places=PLACES))


def test_modules_that_a_site_preloads_stay_in_our_workers():
    with dask.config.set({"distributed.worker.preload": ["colorsys"]}), runner(1, None, None, ()) as run:
        (found,) = run.args[0].run(preloaded).values()
    assert found == ["colorsys", "pipeline.cluster"]


def test_no_jobs_are_no_receipts(client):
    assert list(run_on_cluster(client, [], run=numbered)) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone knows mallopt")
def test_freed_memory_stays_with_a_worker():
    """The same spectra again and again: pages are asked for once, not for each clip."""
    code = """
import resource, sys
import numpy as np
from pipeline.memory import keep_freed_memory
if sys.argv[1] == "keep" and not keep_freed_memory():
    print("unknown"); raise SystemExit
np.ones(1 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    np.ones(1 << 20)  # 8 MiB
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

    def faults(how: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", code, how],
            capture_output=True, text=True, check=True, env={**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"},
        ).stdout.strip()  # fmt: skip

    kept = faults("keep")
    if kept == "unknown":
        pytest.skip("this C library has no mallopt")
    assert int(kept) < int(faults("default")) / 5
