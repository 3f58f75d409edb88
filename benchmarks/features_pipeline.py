"""Pipeline efficiency: a build against the bare kernels over preloaded audio in as many processes."""

import time
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks.features import Options
from benchmarks.features_input import Recordings, build, recordings, stored_bytes
from benchmarks.figures import Figure, at_least
from features.clip import Clip
from features.extractor import Extractor, build_extractors
from pipeline.audio import read_native, to_mono
from pipeline.memory import keep_freed_memory
from pipeline.tally import Progress

NAMES = ("logmel80", "lmf23", "mfcc13", "contrast7", "formants")
PART = "pipeline"
SPEED, STORED = "speed of one worker while workers run", "stored"
"""Figures that the forecast of the part "scheduler" stands on."""


def kernels(
    items: list[tuple[Path, str]], ready: Barrier, results: "SimpleQueue[tuple[float, float]]"
) -> None:
    """Decode and resample recordings, wait for the other process, then run the extractors clip by clip."""
    keep_freed_memory()  # as in a build: otherwise the kernels alone are the slower ones
    extractors = build_extractors(NAMES, encoder=None)
    rates = sorted({item.spec.sample_rate for item in extractors})
    loaded = []
    for path, gender in items:
        native = read_native(path)
        loaded.append((gender, {rate: to_mono(native, rate) for rate in rates}))
    with threadpool_limits(limits=1, user_api="blas"):
        run(extractors, loaded[:1])  # what is made once a process
        ready.wait()
        began = time.perf_counter()
        run(extractors, loaded)
        taken = time.perf_counter() - began
    seconds = sum(len(waves[rates[0]]) / rates[0] for _, waves in loaded)
    results.put((seconds, taken))


def run(extractors: Sequence[Extractor], loaded: Sequence[tuple[str, dict[int, Any]]]) -> None:
    """Run every extractor on every clip, one by one."""
    for gender, waves in loaded:
        clips = {rate: Clip(samples, rate, gender=gender) for rate, samples in waves.items()}
        for extractor in extractors:
            extractor.extract_many([clips[extractor.spec.sample_rate]])


def bare(given: Recordings, processes: int) -> float:
    """Return seconds of audio that the kernels do a second, all processes together."""
    context = get_context("spawn")
    ready, results = context.Barrier(processes), context.SimpleQueue()
    items = list(zip(given.paths, (item.gender for item in given.utterances), strict=True))
    running = [
        context.Process(target=kernels, args=(items[number::processes], ready, results), daemon=True)
        for number in range(processes)
    ]
    for process in running:
        process.start()
    found = [results.get() for _ in running]
    for process in running:
        process.join()
    return sum(seconds / taken for seconds, taken in found)


def between(marks: Sequence[tuple[float, float]]) -> float:
    """Return seconds of audio a second between the first and the last mark; 0 where there are no two."""
    if not marks:
        return 0.0
    (first, before), (last, after) = marks[0], marks[-1]
    return (after - before) / (last - first) if last > first else 0.0


def measure(options: Options) -> list[Figure]:
    given = recordings(options.corpora, ["ravdess"], options.folder).spread(options.clips)
    half = len(given.utterances) // 2
    halves = [Recordings(given.utterances[at::2], given.roots) for at in (0, 1)] if half else [given]
    extractors = build_extractors(NAMES, encoder=None)
    rates = [bare(halves[0], options.workers)]
    path = options.folder / "store"
    marks: list[tuple[float, float]] = []

    def mark(seen: Progress) -> None:
        marks.append((time.perf_counter(), seen.seconds_audio))

    began = time.perf_counter()
    built = build(path, given, extractors, workers=options.workers, progress=mark)
    taken = time.perf_counter() - began
    rates.append(bare(halves[-1], options.workers))
    report, audio = built.report, given.hours * 3600
    if report.quarantined or not report.computed:
        raise RuntimeError(f"expected all rows, found {len(report.quarantined)} quarantined")
    limit = sum(rates) / len(rates)
    computing = sum(spec.seconds for spec in report.specs)
    for spec in report.specs:
        print(f"        {spec.name}: {audio / spec.seconds:,.0f} x real time of one worker")
    reading = report.seconds_reading
    idle = options.workers * taken - computing - reading
    stored = stored_bytes(path)
    running = between(marks) or audio / taken
    return [
        at_least(PART, "build, of the bare kernels' rate", audio / taken / limit, 0.85),
        Figure(PART, "the same from the first finished work item to the last", running / limit),
        Figure(PART, f"bare kernels, {options.workers} processes", limit, "x real time"),
        Figure(PART, f"build of {len(given.utterances)} recordings", audio / taken, "x real time"),
        Figure(PART, "share of worker time: kernels", computing / options.workers / taken),
        Figure(PART, "share of worker time: decoding to resampling", reading / options.workers / taken),
        Figure(PART, "share of worker time: starting, writing, commit", idle / options.workers / taken),
        Figure(PART, STORED, stored / given.hours / 1e6, "MB an hour of audio"),
        Figure(PART, SPEED, running / options.workers, "x real time"),
    ]  # fmt: skip
