"""Runs the systems of one seed and fold, here or in several processes."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import active_children, get_context
from pathlib import Path

import numpy as np
import torch

from store.settings import default_variable
from training.adaptation import UNLABELLED, Problem
from training.dataset import CorpusData
from training.experiment import Experiment
from training.guards import EVALUATION, Ledger, LockedLabels
from training.records import Prediction, System
from training.saved_runs import Run, save_run, saved_run
from training.trainer import Trainer


@dataclass(frozen=True, slots=True)
class Inputs:
    """What all runs share: settings, both corpora, and the name of the data (a digest)."""

    experiment: Experiment
    source: CorpusData
    target: CorpusData
    data: str


@dataclass(frozen=True, slots=True)
class Job:
    """One family of systems on one seed and fold; the positions say who does what (see `Problem`)."""

    systems: tuple[System, ...]
    use_frames: bool
    seed: int
    fold: int
    train: tuple[int, ...]
    validation: tuple[int, ...]
    adapt: tuple[int, ...]
    test: tuple[int, ...]

    def name_of(self, system: System) -> str:
        """Return a file name for one run."""
        return f"{system.model}-{system.anchor_labels}-seed{self.seed}-fold{self.fold}"


Finished = Callable[[Job, System, bool], None]
"""Called after each run, with whether it was reused."""


def execute(inputs: Inputs, jobs: Sequence[Job], folder: Path | None, finished: Finished) -> list[Run]:
    """Run all jobs and return their runs in the order of jobs and systems.

    Runs saved in ``folder`` under the same key (settings, data, split, code; see `saved_runs.run_key`) are
    reused; new ones are saved there one by one, so that a killed experiment goes on where it stopped. Raises
    `StoreError` where a run cannot be saved.
    """
    known: dict[tuple[int, System], Run] = {}
    left: list[tuple[int, Job]] = []
    for at, job in enumerate(jobs):
        saved = {system: saved_run(inputs, job, system, folder) for system in job.systems}
        for system, run in saved.items():
            if run is not None:
                known[at, system] = run
                finished(job, system, True)
        missing = tuple(system for system, run in saved.items() if run is None)
        if missing:
            left.append((at, replace(job, systems=missing)))
    for at, system, run in _run_all(inputs, left, folder, finished):
        known[at, system] = run
    return [known[at, system] for at, job in enumerate(jobs) for system in job.systems]


def worker_count(setting: int | str, jobs: int) -> int:
    """Return how many processes to start; ``auto`` is one for each processor, and none where one would do."""
    wanted = len(os.sched_getaffinity(0)) if setting == "auto" else int(setting)
    if torch.cuda.is_available() and setting == "auto":
        wanted = 0
    return min(wanted, jobs) if wanted > 1 and jobs > 1 else 0


def _run_all(
    inputs: Inputs, jobs: Sequence[tuple[int, Job]], folder: Path | None, finished: Finished
) -> Iterator[tuple[int, System, Run]]:
    workers = worker_count(inputs.experiment.workers, len(jobs))
    if not workers:
        with _threads(inputs.experiment.threads):
            for at, job in jobs:
                for system, run in run_job(inputs, job, folder):
                    finished(job, system, False)
                    yield at, system, run
        return
    # Frames first: their jobs are the longest, and the last one to end should be short.
    ordered = sorted(jobs, key=lambda pair: not pair[1].use_frames)
    with _pool(workers, inputs, folder) as pool:
        futures = {pool.submit(_in_worker, job): (at, job) for at, job in ordered}
        for future in as_completed(futures):
            at, job = futures[future]
            for system, run in future.result():
                finished(job, system, False)
                yield at, system, run


@contextmanager
def _pool(workers: int, inputs: Inputs, folder: Path | None) -> Iterator[ProcessPoolExecutor]:
    """Yield the processes; an exception ends them at once, whatever they are doing.

    Their allocator keeps freed memory (glibc's settings): handing the large tensors of each step back to the
    system and fetching them again took as long as the arithmetic.
    """
    default_variable("MALLOC_MMAP_THRESHOLD_", str(2**30))
    default_variable("MALLOC_TRIM_THRESHOLD_", str(2**32))
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_prepare, initargs=(inputs, folder))
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in active_children():
            process.terminate()
        raise
    pool.shutdown()


_worker: list[tuple[Inputs, Path | None]] = []
"""What a worker process was started with: sent once, not with each job."""


def _prepare(inputs: Inputs, folder: Path | None) -> None:
    torch.set_num_threads(inputs.experiment.threads)
    _worker[:] = [(inputs, folder)]


def _in_worker(job: Job) -> list[tuple[System, Run]]:
    inputs, folder = _worker[0]
    return list(run_job(inputs, job, folder))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run_job(inputs: Inputs, job: Job, folder: Path | None) -> Iterator[tuple[System, Run]]:
    """Train and score the systems of one job one after the other, saving each."""
    hidden = replace(inputs.target, labels=np.full_like(inputs.target.labels, UNLABELLED))
    sides = (np.array(side, dtype=np.int64) for side in (job.train, job.validation, job.adapt, job.test))
    problem = Problem(inputs.experiment, job.seed, job.fold, inputs.source, hidden, *sides)
    trainer = Trainer(problem, use_frames=job.use_frames)
    for system in job.systems:
        ledger, oracle = Ledger(), None
        _note_source(ledger, system)
        if system.anchor_labels == "oracle_val":
            locked = LockedLabels(inputs.target.labels, "target", ledger)
            oracle = locked.hand_over(
                problem.adapt, system=system.label, stage="anchors", split="train",
                purpose="centroids and triplet anchors",
            )  # fmt: skip
        trained = trainer.train(system, oracle)
        ledger.note(system.label, EVALUATION, "target", "test", "scores")
        run = Run(
            predictions=_predictions(inputs, job, system, trained.probabilities),
            anchors=trained.anchors,
            epochs=trained.epochs,
            accesses=ledger.entries,
        )
        save_run(inputs, job, system, run, folder)
        yield system, run


def _note_source(ledger: Ledger, system: System) -> None:
    """Note which source labels a system reads; target labels note themselves when they are handed over."""
    ledger.note(system.label, "training", "source", "train", "cross-entropy")
    ledger.note(system.label, "selection", "source", "validation", "choice of the epoch")
    if system.model != "CL" and system.anchor_labels != "none":
        ledger.note(system.label, "anchors", "source", "train", "centroids, positives and negatives")


def _predictions(
    inputs: Inputs, job: Job, system: System, probabilities: np.ndarray[tuple[int, int], np.dtype[np.float32]]
) -> tuple[Prediction, ...]:
    classes, target = inputs.experiment.classes, inputs.target
    return tuple(
        Prediction(
            system=system.label, seed=job.seed, fold=job.fold, utterance=target.ids[item],
            speaker=target.speakers[item], emotion=classes[target.labels[item]],
            predicted=classes[int(row.argmax())], probabilities=tuple(float(value) for value in row),
        )
        for item, row in zip(job.test, probabilities, strict=True)
    )  # fmt: skip
