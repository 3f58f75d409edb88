"""Carries out a plan, in this process or on Dask workers, and commits the result; owns the Dask scheduler."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from itertools import islice
from threading import Lock

import dask
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster, as_completed
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker
from distributed.utils import silence_logging_cmgr

from features.extractor import Extractor
from pipeline.items import Limits, WorkItem
from pipeline.jobs import Bench, BuildInputs
from pipeline.plan import BuildPlan, plan
from pipeline.tally import BuildReport, Progress, Tally
from pipeline.work import Job, Receipt, run_item
from store.catalogue import Commit, Store, StoreWriter
from store.errors import ConfigurationError, ExtractionError
from store.tombstones import read_tombstones

__all__ = ["BuildInputs", "BuildReport", "Progress", "Rebuilt", "build", "plan_build", "rebuild"]

CONNECT_SECONDS = 30
"""How long to wait for an existing scheduler, and for its first worker."""

JOBS_PER_WORKER = 3
"""Work items handed to the scheduler at a time: keeps workers busy and the scheduler's memory flat."""

NO_DASHBOARD = "dashboard: none; 'pip install bokeh' shows the workers in a browser the next time"

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

Planned = Callable[[BuildPlan], None]
"""Sees the plan before any work; an error that it raises ends the build."""

Accept = Callable[[BuildReport], None]
"""Sees the report before the commit; an error that it raises leaves the commit out."""

ProgressCallback = Callable[[Progress], None]

Announce = Callable[[str], None]
"""Told in one line where the workers can be watched, once they run."""

Runner = Callable[[Iterable[Job]], Iterator[tuple[Job, Receipt | None]]]
"""Runs jobs and yields each with its receipt as it finishes, or with None where its worker died of it."""


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """A finished rebuild: the commit and what led to it."""

    commit: Commit
    report: BuildReport


def rebuild(
    store: Store,
    inputs: BuildInputs,
    extractors: Sequence[Extractor],
    *,
    workers: int = 0,
    scheduler: str | None = None,
    progress: ProgressCallback | None = None,
    limits: Limits | None = None,
    announce: Announce | None = None,
    planned: Planned | None = None,
    accept: Accept | None = None,
) -> Rebuilt:
    """Plan, compute what is missing, and commit a snapshot of the inputs; the store is held exclusively.

    Rows that cannot be computed are left out of the snapshot and listed in the report. Where nothing is
    missing, no worker starts. A run that was killed goes on where it stopped: finished work items stay.
    ``planned`` and ``accept`` may refuse, by raising, before the work and before the commit.

    Raises
    ------
    ConfigurationError
        If a corpus has no folder, a derived feature lacks its parent, or the scheduler cannot be reached.
    StoreError
        If another build holds the store, the store cannot be read or written, or it forgot some of the
        utterances on request after they were ingested.
    ExtractionError
        If the scheduler goes away.
    """
    with store.writer() as writer:
        read_tombstones(store.layout).refuse(inputs.utterances)  # ingested before somebody was forgotten
        report = build(
            store,
            writer,
            inputs,
            extractors,
            workers=workers,
            scheduler=scheduler,
            progress=progress,
            limits=limits,
            announce=announce,
            planned=planned,
        )
        if accept is not None:
            accept(report)
        commit = writer.commit(
            manifest=inputs.manifest,
            alignments=inputs.alignment_tables,
            wanted=report.obtained,
            lineage=inputs.lineage,
        )
    return Rebuilt(commit=commit, report=report)


def build(
    store: Store,
    writer: StoreWriter,
    inputs: BuildInputs,
    extractors: Sequence[Extractor],
    *,
    workers: int = 0,
    scheduler: str | None = None,
    progress: ProgressCallback | None = None,
    limits: Limits | None = None,
    announce: Announce | None = None,
    planned: Planned | None = None,
) -> BuildReport:
    """Compute the missing rows of ``inputs`` into the store, without committing; see `rebuild`.

    ``workers`` is the most worker processes to start, 0 for this process; ``scheduler``, the address of a
    running Dask scheduler, takes their place: its workers must see the store and the corpora under the same
    paths. ``announce`` is told where either can be watched.
    """
    work = plan_build(writer, inputs, extractors, limits=limits)
    if planned is not None:
        planned(work)
    tally = Tally(work)
    if work.items:
        bench = Bench(store, writer, inputs, _in_order(extractors, work))
        with _runner(min(workers, len(work.items)), scheduler, announce) as run:
            died = _carry_out(bench.jobs(work.items), run, tally, progress)
            # An innocent item may have waited on the worker that a fatal one killed, and Dask blames both:
            # each recording is tried alone, with nothing else on the cluster.
            alone = [WorkItem(corpus=i.corpus, recordings=(r,)) for i in died for r in i.recordings]
            for item in _carry_out(bench.jobs(alone), _one_by_one(run), tally, None):
                tally.give_up(item, "the worker process died on this recording")
    return tally.report({utterance.id: utterance.path for utterance in inputs.utterances})


def plan_build(
    writer: StoreWriter, inputs: BuildInputs, extractors: Sequence[Extractor], *, limits: Limits | None = None
) -> BuildPlan:
    """Return the plan of ``inputs`` against what the store holds."""
    specs = [extractor.spec for extractor in extractors]
    corpora = sorted({utterance.corpus for utterance in inputs.utterances})
    placed = {(spec.digest, corpus): writer.placed(spec, corpus) for spec in specs for corpus in corpora}
    return plan(inputs.utterances, inputs.alignments, specs, placed, limits=limits)


def _carry_out(
    jobs: Iterable[Job], run: Runner, tally: Tally, progress: ProgressCallback | None
) -> list[WorkItem]:
    """Run jobs, longest first so that workers end together; return the items that killed a worker."""
    died = []
    for job, receipt in run(sorted(jobs, key=lambda job: -job.item.seconds)):
        if receipt is None:
            died.append(job.item)
            continue
        tally.add(job.item.corpus, receipt)
        if progress is not None:
            progress(tally.progress())
    return died


def _in_order(extractors: Sequence[Extractor], planned: BuildPlan) -> tuple[Extractor, ...]:
    by_digest = {extractor.spec.digest: extractor for extractor in extractors}
    return tuple(by_digest[spec.digest] for spec in planned.specs)


@contextmanager
def _runner(workers: int, scheduler: str | None, announce: Announce | None) -> Iterator[Runner]:
    """Open what runs the jobs: a running scheduler, own worker processes, or this process."""
    say = announce or (lambda _: None)
    if scheduler is not None:
        with silence_logging_cmgr(logging.CRITICAL), _connected(scheduler) as client:
            say(_dashboard_of(client))
            yield partial(run_on_cluster, client)
    elif workers > 0:
        dashboard = announce is not None and find_spec("bokeh") is not None
        with _own_cluster(workers, dashboard) as cluster, Client(cluster, set_as_default=False) as client:
            say(f"dashboard: {cluster.dashboard_link}" if dashboard else NO_DASHBOARD)
            yield partial(run_on_cluster, client)
    else:
        yield _run_here


def _dashboard_of(client: Client) -> str:
    """Return where the user's scheduler shows its workers; it may have been started without a page."""
    port = client.scheduler_info(n_workers=0)["services"].get("dashboard")
    return f"dashboard: {client.dashboard_link}" if port else "dashboard: the scheduler has none"


def _one_by_one(run: Runner) -> Runner:
    """Return a runner with one job in flight."""

    def runner(jobs: Iterable[Job]) -> Iterator[tuple[Job, Receipt | None]]:
        for job in jobs:
            yield from run([job])

    return runner


def _run_here(jobs: Iterable[Job]) -> Iterator[tuple[Job, Receipt | None]]:
    for job in jobs:
        yield job, run_item(job)


def run_on_cluster(
    client: Client, jobs: Iterable[Job], run: Callable[[Job], Receipt] | None = None
) -> Iterator[tuple[Job, Receipt | None]]:
    """Run jobs on a cluster with a bounded number in flight; Dask itself retries after a worker's death.

    ``run`` is what a worker does with a job; None is the work of a build.
    """
    waiting = iter(jobs)
    running = {}
    done = as_completed(loop=client.loop)
    width = JOBS_PER_WORKER * max(1, len(client.nthreads()))

    def submit(count: int) -> None:
        for job in islice(waiting, count):
            future = client.submit(run or _run_on_worker, job, pure=False)
            running[future.key] = job
            done.add(future)

    submit(width)
    if not running:
        return
    for future in done:
        job = running.pop(future.key)
        try:
            receipt = future.result()
        except KilledWorker:
            receipt = None
        except FutureCancelledError as error:
            raise ExtractionError(
                "a Dask scheduler until the end of the build",
                "it went away",
                "start it and build again: what is finished is kept",
            ) from error
        submit(1)
        yield job, receipt


@contextmanager
def _own_cluster(workers: int, dashboard: bool) -> Iterator[LocalCluster]:
    """Start worker processes of one thread each, quiet, sharing the cores fairly."""
    threads = str(max(1, CPU_COUNT // workers))
    environment = {f"distributed.nanny.pre-spawn-environ.{name}": threads for name in THREAD_VARIABLES}
    with dask.config.set(environment):
        try:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # a free port: None would claim 8787 all the same
                scheduler_kwargs={"dashboard": dashboard},
                memory_limit=0,  # a work item bounds its own memory; pausing workers only stalls the build
                silence_logs=logging.CRITICAL,
            )
        except (OSError, RuntimeError) as error:
            raise ExtractionError(
                f"{workers} worker processes",
                f"one that did not start ({error})",
                "build again, with fewer workers or with 0: what is finished is kept",
            ) from error
        with cluster:
            yield cluster


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise _unreachable(address, f"{type(error).__name__}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            raise _unreachable(address, "a scheduler without workers") from error
        yield client


def _unreachable(address: str, found: str) -> ConfigurationError:
    return ConfigurationError(
        f"a Dask scheduler with workers at {address}",
        found,
        "start it, or leave scheduler out and set workers",
    )


_RESIDENT: dict[str, Extractor] = {}
_ONE_AT_A_TIME = Lock()


def _run_on_worker(job: Job) -> Receipt:
    """Run a job with the extractors that this process holds already: weights are loaded once a worker.

    Jobs take turns where a worker has several threads: neither Praat nor an encoder gains from sharing.
    """
    with _ONE_AT_A_TIME:
        resident = tuple(_RESIDENT.setdefault(item.spec.digest, item) for item in job.extractors)
        return run_item(replace(job, extractors=resident))
