"""Runs one experiment: every system on every seed and fold, each target speaker scored once per seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from store.digests import digest
from store.records import Skipped, Utterance
from training.anchors import check_common_vowels
from training.baselines import LinearChoice, pool_frames, run_linear
from training.dataset import Loaded, defined, load_corpus
from training.experiment import Experiment
from training.guards import Ledger, SplitReport, check_split
from training.jobs import Inputs, Job, execute
from training.records import AnchorScore, Epoch, Prediction, System
from training.splits import Fold, folds_as_asked, source_split
from training.trainer import device, resolve_precision

if TYPE_CHECKING:
    from store.feature_store import FeatureStore

SELECTED_ON = "source_val"
"""How epochs (and the linear baseline's options) are chosen: by UAR on source validation speakers."""
TRIPLET_MODELS = ("BA-CL", "WA-CL", "GA-CL", "RA-CL", "AGA-CL")
READ_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """How far an experiment is: runs (system, seed, fold) done, and what has just ended ("" at first)."""

    done: int
    total: int
    label: str
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that an experiment leaves behind; the records are ordered by system, seed and fold.

    ``absent_vowels`` are shared vowels of the groups in use that one side or both lack, whatever the emotion:
    vowel -> ``source``, ``target`` or ``both``. ``precision`` and ``device`` are those actually used;
    ``reused`` of ``runs`` runs were finished before.
    """

    experiment: Experiment
    systems: tuple[System, ...]
    folds: tuple[Fold, ...]
    source: tuple[Utterance, ...]
    target: tuple[Utterance, ...]
    predictions: tuple[Prediction, ...]
    anchors: tuple[AnchorScore, ...]
    epochs: tuple[Epoch, ...]
    choices: tuple[LinearChoice, ...]
    ledger: Ledger
    splits: tuple[SplitReport, ...]
    skipped: tuple[Skipped, ...]
    absent_vowels: dict[str, str]
    selected_on: str
    precision: str
    device: str
    runs: int = 0
    reused: int = 0


def run_experiment(
    store: "FeatureStore",
    experiment: Experiment,
    progress: Callable[[RunProgress], None] | None = None,
    folder: Path | None = None,
) -> Outcome:
    """Train and score all systems of an experiment on the snapshot that ``store`` has open.

    ``folder`` keeps finished runs, so that a killed experiment goes on; None keeps nothing.

    Raises
    ------
    StoreError
        If a finished run cannot be saved.
    TrainingError
        If a corpus has fewer than two of the classes, or a model needs a common vowel and there is none.
    SplitError
        If a split is impossible or, in ``strict`` mode, shares speakers or audio.
    """
    neural = tuple(system for system in experiment.systems if system.model != "linear")
    linear = tuple(system for system in experiment.systems if system.model == "linear")
    attending = "AGA-CL" in experiment.models
    source, target = (
        load_corpus(store, corpus, experiment, frames=attending)
        for corpus in (experiment.source, experiment.target)
    )
    if any(system.model in TRIPLET_MODELS for system in neural):
        check_common_vowels(source.data.inventory, target.data.inventory, experiment.groups)
    protocol = folds_for(experiment, target.utterances)
    reports = check_splits(experiment, source.utterances, target.utterances, protocol)
    jobs = _jobs(experiment, neural, source, target, protocol)
    tick = _Ticker(progress, sum(len(job.systems) for job in jobs) + len(linear))
    tick.tell("", False)
    inputs = Inputs(experiment, source.data, target.data, _data_name(store, experiment, source, target))
    runs = execute(inputs, jobs, folder, lambda job, system, reused: tick(_label(job, system), reused))
    ledger = Ledger()
    for run in runs:
        ledger.extend(run.accesses)
    pooled = _pooled(store, experiment, source, target) if linear else {}
    predictions: list[Prediction] = []
    choices: list[LinearChoice] = []
    for system in linear:
        found = run_linear(
            pooled, source.utterances, target.utterances, protocol, experiment.seeds,
            classes=experiment.classes, system=system, share=experiment.validation_share, ledger=ledger,
        )  # fmt: skip
        predictions += found.predictions
        choices += found.choices
        tick(system.label, False)
    order = {system.label: at for at, system in enumerate(experiment.systems)}
    predictions += [row for run in runs for row in run.predictions]
    return Outcome(
        experiment=experiment, systems=experiment.systems, folds=protocol, source=source.utterances,
        target=target.utterances, choices=tuple(choices), ledger=ledger, splits=reports,
        predictions=tuple(sorted(predictions, key=lambda p: (order[p.system], p.seed, p.fold, p.utterance))),
        anchors=tuple(row for run in runs for row in run.anchors),
        epochs=tuple(row for run in runs for row in run.epochs),
        skipped=source.skipped + target.skipped,
        absent_vowels=absent_vowels(experiment, source.data.inventory, target.data.inventory),
        selected_on=SELECTED_ON, precision=resolve_precision(experiment.precision), device=str(device()),
        runs=tick.total, reused=tick.reused,
    )  # fmt: skip


def folds_for(experiment: Experiment, target: Sequence[Utterance]) -> tuple[Fold, ...]:
    """Return the folds over the target that an experiment asks for; SplitError where that is impossible."""
    count = None if experiment.folds == "auto" else experiment.folds
    return folds_as_asked(target, count, experiment.split_file)


class _Ticker:
    """Counts finished runs and tells the caller."""

    def __init__(self, progress: Callable[[RunProgress], None] | None, total: int) -> None:
        self.progress, self.total, self.done, self.reused = progress, total, 0, 0

    def __call__(self, label: str, reused: bool) -> None:
        self.done += 1
        self.reused += reused
        self.tell(label, reused)

    def tell(self, label: str, reused: bool) -> None:
        """Tell the caller how far it is."""
        if self.progress is not None:
            self.progress(RunProgress(done=self.done, total=self.total, label=label, reused=reused))


def _label(job: Job, system: System) -> str:
    return f"{system.label}, seed {job.seed}, fold {job.fold}"


def check_splits(
    experiment: Experiment,
    source: Sequence[Utterance],
    target: Sequence[Utterance],
    protocol: Sequence[Fold],
) -> tuple[SplitReport, ...]:
    """Return what the sides of every split share; in ``strict`` mode a leak raises SplitError."""
    strict = experiment.mode == "strict"
    reports = [check_split(source, target, split="source/target", strict=strict)]
    for fold in protocol:
        adapt, test = fold.divide(target)
        reports.append(check_split(adapt, test, split=f"target fold {fold.number}", strict=strict))
    for seed in experiment.seeds:
        train, _ = source_split(source, seed, experiment.validation_share)
        sides = [[item for item in source if (item.id in train) is side] for side in (True, False)]
        reports.append(check_split(*sides, split=f"source validation, seed {seed}", strict=strict))
    return tuple(reports)


def _jobs(
    experiment: Experiment,
    systems: Sequence[System],
    source: Loaded,
    target: Loaded,
    protocol: Sequence[Fold],
) -> list[Job]:
    """Return one job per family, seed and fold."""
    jobs = []
    families = {flag: tuple(s for s in systems if (s.model == "AGA-CL") is flag) for flag in (False, True)}
    for seed in experiment.seeds:
        ids = source_split(source.utterances, seed, experiment.validation_share)
        train, validation = (tuple(source.data.positions(side).tolist()) for side in ids)
        for fold in protocol:
            sides = fold.divide(target.utterances)
            adapt, test = (tuple(target.data.positions([u.id for u in side]).tolist()) for side in sides)
            jobs += [
                Job(family, flag, seed, fold.number, train, validation, adapt, test)
                for flag, family in families.items()
                if family
            ]
    return jobs


def _data_name(store: "FeatureStore", experiment: Experiment, source: Loaded, target: Loaded) -> str:
    """Digest what the stored rows in use depend on; the same rows in another snapshot have the same name."""
    items = (*source.utterances, *target.utterances)
    return digest({
        "features": [store.spec(name).digest for name in (experiment.frames, experiment.segments)],
        "items": [[u.audio_sha256, u.speaker_key, u.emotion] for u in items],
        "alignments": [
            a.key for u in items if (a := store.alignment(u.id)) is not None
        ],
    })  # fmt: skip


def _pooled(
    store: "FeatureStore", experiment: Experiment, source: Loaded, target: Loaded
) -> dict[str, NDArray[np.float32]]:
    """Return mean and SD of all frames of each utterance, of every layer, reading a few at a time."""
    spec, pooled = store.spec(experiment.frames), {}
    items = (*source.utterances, *target.utterances)
    for some in (items[at : at + READ_AT_ONCE] for at in range(0, len(items), READ_AT_ONCE)):
        rows = store.read_many(spec, [item.id for item in some])
        pooled.update({item.id: defined(pool_frames(rows[item.id]), spec.name, item) for item in some})
    return pooled


def absent_vowels(experiment: Experiment, source: set[str], target: set[str]) -> dict[str, str]:
    """Return which side lacks each vowel of the groups in use, from the vowels that occur in either."""
    absent = {}
    for vowel in (vowel for group in experiment.groups for vowel in group):
        sides = [name for name, side in (("source", source), ("target", target)) if vowel not in side]
        if sides:
            absent[vowel] = "both" if len(sides) == 2 else sides[0]
    return absent
