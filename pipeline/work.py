"""One work item: read each recording once, run every missing extractor, write the rows where they belong."""

from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from features.clip import Clip
from features.contract import Extractor
from pipeline.audio import NativeAudio, content_hash, read_native, to_mono
from pipeline.items import Recording, Task, WorkItem
from pipeline.memory import keep_freed_memory
from store.catalogue import read_placed, write_item
from store.errors import AudioError
from store.records import FeatureSpec, Utterance
from store.vocabulary import NATIVE_RATE

Array = NDArray[np.generic]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A work item with all that a worker process needs: where to read, what to run, where to write.

    ``extractors`` stand parents first; ``starts`` holds the reserved start row of the item, by spec digest.
    """

    item: WorkItem
    root: str
    store: str
    extractors: tuple[Extractor, ...]
    starts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Rows that could not be computed, and why."""

    spec: str
    row_key: str
    utterance: str
    reason: str


def failure(task: Task, reason: str) -> Failure:
    """Return the failure of a task, its reason on one line."""
    line = " ".join(reason.split()) or "no reason given"
    return Failure(spec=task.spec, row_key=task.row_key, utterance=task.utterance, reason=line)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecWork:
    """What one spec took: row blocks (one a recording), rows, seconds of computing, bytes written.

    ``seconds_audio`` is the length of the recordings behind the blocks.
    """

    spec: str
    blocks: int
    rows: int
    seconds: float
    seconds_audio: float
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a finished work item reports; the rows themselves stay in the store."""

    recordings: int
    seconds_audio: float
    seconds_reading: float
    work: tuple[SpecWork, ...]
    failures: tuple[Failure, ...]


@dataclass(slots=True)
class _State:
    """What is known while an item runs: reasons of failure, and the rows that derived specs still need.

    ``disk`` is one thread that reads and writes the store: flushing waits, and the next extractor need not.
    """

    job: Job
    disk: Executor
    failures: list[Failure] = field(default_factory=list)
    rows: dict[str, Array] = field(default_factory=dict)  # parents' rows by row key

    def fail(self, task: Task, reason: str) -> None:
        self.failures.append(failure(task, reason))


def run_item(job: Job) -> Receipt:
    """Compute and store the missing rows of one work item.

    A recording that cannot be read, or that an extractor cannot handle, becomes failures; the item goes on.

    Raises
    ------
    StoreError
        If rows cannot be read from or written to the store.
    """
    keep_freed_memory()
    specs = {extractor.spec.digest: extractor.spec for extractor in job.extractors}
    # BLAS sums in another order with another number of threads: with one, all builds agree bit by bit.
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(max_workers=1) as disk:
        state = _State(job, disk)
        began = perf_counter()
        sounds = _read_all(state, specs)
        seconds_reading = perf_counter() - began
        written = [_run_extractor(state, specs, extractor, sounds) for extractor in job.extractors]
        work = [future.result() for future in written if future is not None]
    return Receipt(
        recordings=len(job.item.recordings),
        seconds_audio=job.item.seconds,
        seconds_reading=seconds_reading,
        work=tuple(work),
        failures=tuple(state.failures),
    )


Sounds = Mapping[tuple[str, int], Clip]
"""Mono samples, and what extractors share of them, by (utterance id of the recording, rate of the spec)."""


def _read_all(state: _State, specs: Mapping[str, FeatureSpec]) -> Sounds:
    """Decode each recording once, at every rate that its tasks need; derived rows need no audio."""
    sounds: dict[tuple[str, int], Clip] = {}
    for recording in state.job.item.recordings:
        direct = [task for task in recording.tasks if task.parent_key is None]
        if not direct:
            continue
        utterance = recording.utterance
        try:
            native = read_recording(Path(state.job.root), utterance)
        except (AudioError, OSError) as error:
            for task in recording.tasks:
                state.fail(task, f"cannot be read: {error}")
            continue
        for rate in sorted({specs[task.spec].sample_rate for task in direct}):
            actual = native.rate if rate == NATIVE_RATE else rate
            sounds[utterance.id, rate] = Clip(samples=to_mono(native, actual), rate=actual)
    return sounds


def read_recording(root: Path, utterance: Utterance) -> NativeAudio:
    """Return the native audio of ``utterance`` under the corpus folder ``root``.

    Raises
    ------
    AudioError
        If the file cannot be decoded, or is another recording than the manifest's.
    """
    native = read_native(root / utterance.path)
    found = content_hash(native)
    if found != utterance.audio_sha256:
        raise AudioError(f"audio {utterance.audio_sha256[:12]}", found[:12], "ingest again: the file changed")
    return native


def _run_extractor(
    state: _State, specs: Mapping[str, FeatureSpec], extractor: Extractor, sounds: Sounds
) -> Future[SpecWork] | None:
    """Compute and check the item's rows of one spec, and have them written; None where it has none."""
    began = perf_counter()
    todo = list(_clips(state, specs, extractor.spec, sounds))
    needed = {task.parent_key for task in state.job.item.tasks if task.parent_key and not task.parent}
    blocks: list[tuple[str, Array]] = []
    for task, rows in _extract(state, extractor, todo):
        blocks.append((task.row_key, rows))
        if task.row_key in needed:
            state.rows[task.row_key] = rows
    seconds = perf_counter() - began
    if not blocks:
        return None
    return state.disk.submit(_write, state.job, extractor.spec, blocks, seconds)


def _write(job: Job, spec: FeatureSpec, blocks: Sequence[tuple[str, Array]], seconds: float) -> SpecWork:
    """Write the item's rows of one spec, which took ``seconds`` to compute."""
    size = write_item(job.store, spec, job.item.corpus, job.starts[spec.digest], blocks)
    return SpecWork(
        spec=spec.digest,
        blocks=len(blocks),
        rows=sum(len(values) for _, values in blocks),
        seconds=seconds,
        seconds_audio=_seconds_audio(job.item, {key for key, _ in blocks}),
        bytes=size,
    )


def _seconds_audio(item: WorkItem, done: Set[str]) -> float:
    """Return the length of the recordings of which rows with the keys ``done`` were made."""
    return sum(
        recording.utterance.seconds
        for recording in item.recordings
        if any(task.row_key in done for task in recording.tasks)
    )


def _clips(
    state: _State, specs: Mapping[str, FeatureSpec], spec: FeatureSpec, sounds: Sounds
) -> Iterator[tuple[Task, Clip]]:
    """Yield the item's tasks of one spec with their input; a task whose input is missing fails."""
    identity, failed = spec.digest, {failure.row_key for failure in state.failures}
    for recording in state.job.item.recordings:
        for task in recording.tasks:
            if task.spec != identity or task.row_key in failed:
                continue
            frames = _parent_rows(state, specs, spec, task) if task.parent_key else None
            if task.parent_key and frames is None:
                state.fail(task, f"{spec.name}: the rows it is derived from failed")
                continue
            yield task, _clip(recording, task, spec, sounds, frames)


def _clip(recording: Recording, task: Task, spec: FeatureSpec, sounds: Sounds, frames: Array | None) -> Clip:
    if frames is not None:
        silent = np.zeros(0, dtype=np.float32)
        return Clip(silent, spec.sample_rate, gender=task.gender, phones=task.phones, frames=frames)
    sound = sounds[recording.utterance.id, spec.sample_rate]
    return replace(sound, gender=task.gender, phones=task.phones)  # what is shared stays shared


def _parent_rows(
    state: _State, specs: Mapping[str, FeatureSpec], spec: FeatureSpec, task: Task
) -> Array | None:
    if task.parent is None or spec.parent is None:
        return state.rows.get(task.parent_key or "")
    job = state.job
    return state.disk.submit(
        read_placed, job.store, specs[spec.parent], job.item.corpus, task.parent
    ).result()


def _extract(
    state: _State, extractor: Extractor, todo: Sequence[tuple[Task, Clip]]
) -> Iterator[tuple[Task, Array]]:
    """Yield the rows of each task that has as many as planned; the others fail, none is padded."""
    for task, result in zip((task for task, _ in todo), _results(extractor, todo), strict=True):
        expected = (task.length, *extractor.spec.dims)
        if isinstance(result, Exception):
            state.fail(task, f"{extractor.spec.name}: {type(result).__name__}: {result}")
        elif result.shape != expected:
            state.fail(
                task, f"{extractor.spec.name}: expected {expected} by its frame law, found {result.shape}"
            )
        elif result.dtype != np.dtype(extractor.spec.dtype):
            state.fail(task, f"{extractor.spec.name}: expected {extractor.spec.dtype}, found {result.dtype}")
        else:
            yield task, result


def _results(extractor: Extractor, todo: Sequence[tuple[Task, Clip]]) -> list[Array | Exception]:
    """Extract all clips together; if that fails, one by one, to learn which clip it was."""
    clips = [clip for _, clip in todo]
    if not clips:
        return []
    try:
        together: list[Array | Exception] = list(extractor.extract_many(clips))
    except Exception:  # whatever a clip provokes must not end the work of a night
        return [_one(extractor, clip) for clip in clips]
    if len(together) != len(clips):
        return [ValueError(f"{len(together)} results for {len(clips)} clips")] * len(clips)
    return together


def _one(extractor: Extractor, clip: Clip) -> Array | Exception:
    try:
        (rows,) = extractor.extract_many([clip])
    except Exception as error:  # becomes the clip's row in the quarantine table
        return error
    return rows
