"""Where jobs run: in this process, in worker processes of our own or on a running cluster; owns Dask."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import islice
from threading import Lock

import dask
from dask.system import CPU_COUNT
from distributed import Client, Future, LocalCluster, as_completed
from distributed.client import FutureCancelledError
from distributed.protocol.pickle import dumps, loads
from distributed.scheduler import KilledWorker
from distributed.utils import silence_logging_cmgr

from features.extractor import Extractor
from pipeline.work import Job, Receipt, run_item
from store.errors import ConfigurationError, ExtractionError

CONNECT_SECONDS = 30
"""How long to wait for an existing scheduler, and for its first worker."""

JOBS_PER_WORKER = 3
"""Work items handed to the scheduler at a time: keeps workers busy and the scheduler's memory flat."""

JOBS_AT_ONCE = 6
"""Jobs follow in one request once a sixth of those in flight has ended: the rest is enough until then."""

LARGE_GRAPH = {"distributed.admin.large-graph-warning-threshold": "1 GiB"}
"""Dask warns of 10 MB in one request; jobs for a hundred workers are more."""

UNWATCHED = {
    "distributed.worker.profile.enabled": False,  # looks at every thread a hundred times a second
    "distributed.admin.tick.interval": "1s",  # 20 ms otherwise, in each of a handful of processes' servers
    "distributed.admin.system-monitor.interval": "10s",
}
"""What Dask does for its dashboard alone: a twentieth of two cores."""

NO_DASHBOARD = "dashboard: none; 'pip install bokeh' shows the workers in a browser the next time"

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

Announce = Callable[[str], None]
"""Told in one line where the workers can be watched, once they run."""

Runner = Callable[[Iterable[Job]], Iterator[tuple[Job, Receipt | None]]]
"""Runs jobs and yields each with its receipt as it finishes, or with None where its worker died of it."""


@contextmanager
def runner(
    workers: int, scheduler: str | None, announce: Announce | None, extractors: Sequence[Extractor]
) -> Iterator[Runner]:
    """Open what runs the jobs: a running scheduler, own worker processes, or this process.

    Own workers import the modules of ``extractors`` before they count as started.

    Raises
    ------
    ConfigurationError
        If there is no scheduler with workers at the address ``scheduler``.
    ExtractionError
        If own workers do not start.
    """
    say = announce or (lambda _: None)
    if scheduler is not None:
        with silence_logging_cmgr(logging.CRITICAL), _connected(scheduler) as client:
            say(_dashboard_of(client))
            yield partial(run_on_cluster, client)
    elif workers > 0:
        dashboard = announce is not None and find_spec("bokeh") is not None
        with (
            _own_cluster(workers, dashboard, extractors) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            say(f"dashboard: {cluster.dashboard_link}" if dashboard else NO_DASHBOARD)
            yield partial(run_on_cluster, client)
    else:
        yield _run_here


def one_by_one(run: Runner) -> Runner:
    """Return a runner with one job in flight."""

    def single(jobs: Iterable[Job]) -> Iterator[tuple[Job, Receipt | None]]:
        for job in jobs:
            yield from run([job])

    return single


def run_on_cluster(
    client: Client,
    jobs: Iterable[Job],
    run: Callable[[Job], Receipt] | None = None,
    places: int | None = None,
) -> Iterator[tuple[Job, Receipt | None]]:
    """Run jobs on a cluster with a bounded number in flight; Dask itself retries after a worker's death.

    ``run`` is what a worker does with a job; None is the work of a build. ``places`` is how many jobs can run
    at a time; None: one for each worker, since they take turns there. What has ended by the time we look is
    fetched with one request, and jobs follow several at a time. They travel as bytes, so that Dask does not
    take them apart and put them together again at each station.
    """
    waiting = iter(jobs)
    running: dict[str, Job] = {}
    done = as_completed(loop=client.loop)
    act = partial(_unpacked, run or _run_on_worker)

    def submit(count: int) -> None:
        some = list(islice(waiting, count))
        with dask.config.set(LARGE_GRAPH):
            futures = client.map(act, [dumps(job) for job in some], pure=False) if some else []
        running.update(zip((future.key for future in futures), some, strict=True))
        done.update(futures)

    width = JOBS_PER_WORKER * (places or max(1, len(client.nthreads())))
    submit(width)
    if not running:
        return
    ended = 0
    for batch in done.batches():
        receipts = _receipts(client, batch)
        ended += len(batch)
        if ended >= min(len(running), width // JOBS_AT_ONCE):
            submit(ended)
            ended = 0
        yield from ((running.pop(future.key), receipts[future.key]) for future in batch)


def _receipts(client: Client, batch: Sequence[Future]) -> dict[str, Receipt | None]:
    """Return receipts by key, None where a worker died of the job; what else went wrong is raised."""
    whole = {future.key: future for future in batch if future.status == "finished"}
    try:
        receipts = client.gather(whole, errors="skip") if whole else {}
    except OSError as error:
        raise _gone() from error
    for future in batch:
        if receipts.get(future.key) is None:  # it failed, or its result was lost
            receipts[future.key] = _receipt(future)
    return receipts


def _receipt(future: Future) -> Receipt | None:
    try:
        receipt: Receipt = future.result()
    except KilledWorker:
        return None
    except FutureCancelledError as error:
        raise _gone() from error
    return receipt


def _gone() -> ExtractionError:
    return ExtractionError(
        "a Dask scheduler until the end of the build",
        "it went away",
        "start it and build again: what is finished is kept",
    )


def _run_here(jobs: Iterable[Job]) -> Iterator[tuple[Job, Receipt | None]]:
    for job in jobs:
        yield job, run_item(job)


def _unpacked(run: Callable[[Job], Receipt], packed: bytes) -> Receipt:
    return run(loads(packed))


_RESIDENT: dict[str, Extractor] = {}
_ONE_AT_A_TIME = Lock()


def _run_on_worker(job: Job) -> Receipt:
    """Run a job with the extractors that this process holds already: weights are loaded once a worker.

    Jobs take turns where a worker has several threads: neither Praat nor an encoder gains from sharing.
    """
    with _ONE_AT_A_TIME:
        resident = tuple(_RESIDENT.setdefault(item.spec.digest, item) for item in job.extractors)
        return run_item(replace(job, extractors=resident))


@contextmanager
def _own_cluster(workers: int, dashboard: bool, extractors: Sequence[Extractor]) -> Iterator[LocalCluster]:
    """Start worker processes of one thread each, quiet, sharing the cores fairly."""
    threads = str(max(1, CPU_COUNT // workers))
    theirs = dask.config.get("distributed.worker.preload", [])
    modules = {__name__, *(type(item).__module__ for item in extractors)}
    settings = {
        **{f"distributed.nanny.pre-spawn-environ.{name}": threads for name in THREAD_VARIABLES},
        # Dask gives a worker up that is absent 15 s after its death, also where it is just dying once more.
        "distributed.deploy.lost-worker-timeout": "365 days",
        # In a job, imports would share time with Dask's loop.
        "distributed.worker.preload": [*([theirs] if isinstance(theirs, str) else theirs), *sorted(modules)],
        **({} if dashboard else UNWATCHED),
    }
    with dask.config.set(settings):
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


def _dashboard_of(client: Client) -> str:
    """Return where the user's scheduler shows its workers; it may have been started without a page."""
    port = client.scheduler_info(n_workers=0)["services"].get("dashboard")
    return f"dashboard: {client.dashboard_link}" if port else "dashboard: the scheduler has none"
