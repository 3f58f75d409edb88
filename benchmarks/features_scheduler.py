"""What no-op work items cost the scheduler, and a forecast for 10,000 h of audio on 100 workers."""

import time
import tracemalloc
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import repeat, takewhile

import psutil
from distributed import Client, LocalCluster

from benchmarks.features import Options
from benchmarks.features_pipeline import NAMES, SPEED, STORED
from benchmarks.figures import Figure
from benchmarks.store_planning import SAMPLES, utterance
from features.extractor import build_extractors
from pipeline.cluster import run_on_cluster
from pipeline.items import Limits, WorkItem
from pipeline.plan import plan
from pipeline.work import Job, Receipt

PART = "scheduler"
HOURS, CLUSTER, CLIP = 10_000, 100, SAMPLES / 16_000
"""Of the forecast: hours of audio, workers, seconds of a recording."""
PLANNED = 20_000
NOTHING = Receipt(recordings=0, seconds_audio=0.0, seconds_reading=0.0, work=(), failures=())


def no_op(_: Job) -> Receipt:
    return NOTHING


def planned() -> tuple[tuple[WorkItem, ...], float]:
    """Return work items of ten minutes for five features, and the bytes that planning a recording takes."""
    specs = [item.spec for item in build_extractors(NAMES, encoder=None)]
    utterances = [utterance(number) for number in range(PLANNED)]
    tracemalloc.start()
    found = plan(utterances, {}, specs, {}, limits=Limits(seconds=600))
    bytes_held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return found.items, bytes_held / PLANNED


def rate(client: Client, jobs: Iterable[Job], seconds: float = 0) -> tuple[int, float, float]:
    """Return how many items ran, how many a second, and the processor seconds of this process for each.

    They go the way of a build, whose process holds scheduler and client too; after ``seconds`` none follow.
    """
    process = psutil.Process()
    before, began = process.cpu_times(), time.perf_counter()
    some = takewhile(lambda _: not seconds or time.perf_counter() - began < seconds, jobs)
    done = sum(1 for _ in run_on_cluster(client, some, run=no_op, places=CLUSTER))
    taken, after = time.perf_counter() - began, process.cpu_times()
    return done, done / taken, (after.user + after.system - before.user - before.system) / done


def measure(options: Options) -> list[Figure]:
    items, bytes_a_recording = planned()
    extractors = build_extractors(NAMES, encoder=None)
    job = partial(Job, root="r", store="s", extractors=extractors, starts={})
    full = [job(item=item) for item in items]
    empty = replace(full[0], item=WorkItem(corpus="bench", recordings=()))
    with (
        LocalCluster(
            n_workers=options.workers, threads_per_worker=CLUSTER // options.workers, host="127.0.0.1",
            dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False}, memory_limit=0,
            silence_logs=50,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):  # fmt: skip
        held = psutil.Process().memory_info().rss
        done, bare, cost = rate(client, repeat(empty, options.items), options.seconds)
        grown = psutil.Process().memory_info().rss - held
        _, whole, _ = rate(client, full)
    return [
        Figure(PART, f"{done:,} no-op work items, {CLUSTER} places", bare, "items a second"),
        Figure(PART, "scheduler and client", cost * 1e3, "ms of processor an item"),
        Figure(PART, f"memory that {done:,} items left in the scheduler's process", grown / 1e6, "MB"),
        Figure(PART, "no-op work items of ten minutes and five features", whole, "items a second"),
        *forecast(whole, bytes_a_recording, {item.what: item.value for item in options.seen}),
    ]


def forecast(items_a_second: float, bytes_a_recording: float, seen: Mapping[str, float]) -> list[Figure]:
    """Return what 10,000 h on 100 workers come to, from rates of this run (``seen``, by figure)."""
    if SPEED not in seen:
        print("        no forecast: it stands on the rates of --only pipeline,scheduler")
        return []
    items, recordings = HOURS * 3600 / 600, HOURS * 3600 / CLIP
    computing = HOURS / (seen[SPEED] * CLUSTER)
    scheduling = items / items_a_second / 3600
    limits = {
        "memory of the planning process": recordings * bytes_a_recording / 64e9,
        "the scheduler": scheduling / computing,
        "files in a folder": items * len(NAMES) / 10e6,
    }
    first = max(limits, key=lambda name: limits[name])
    print(f"        forecast for {HOURS:,} h on {CLUSTER} workers at {seen[SPEED]:.0f} x real time each; "
          f"what breaks first: {first} ({limits[first]:.2g} of what there is)")  # fmt: skip
    return [
        Figure(PART, "forecast: work items", items),
        Figure(PART, "forecast: rows of features to plan", recordings * len(NAMES)),
        Figure(PART, "forecast: memory to plan them at once", recordings * bytes_a_recording / 1e9, "GB"),
        Figure(PART, "forecast: stored", HOURS * seen[STORED] / 1e6, "TB"),
        Figure(PART, "forecast: computing", computing, "h"),
        Figure(PART, "forecast: scheduler busy", scheduling, "h"),
    ]
