"""The outcome of a finished run, read back from its own tables: nothing is trained and no feature is read."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from store.errors import TrainingError
from store.records import Alignment, Skipped
from store.tables import read_records
from training.baselines import LinearChoice
from training.dataset import usable
from training.experiment import Experiment
from training.guards import Ledger
from training.records import AnchorScore, Epoch, LabelAccess, Machine, Prediction, ResultRow
from training.results import Stamp
from training.run import Outcome, absent_vowels, check_splits, folds_for
from training.splits import Fold

if TYPE_CHECKING:
    from store.feature_store import FeatureStore


def read_stamp(folder: Path) -> Stamp:
    """Return the names and digests that the rows of a run carry."""
    row = _first_row(folder)
    return Stamp(
        experiment=row.experiment, source=row.source, target=row.target, snapshot=row.snapshot,
        manifest=row.manifest, configuration=row.configuration, code_version=row.code_version,
        synthetic=row.synthetic,
    )  # fmt: skip


def read_outcome(folder: Path, store: "FeatureStore", experiment: Experiment) -> Outcome:
    """Return the outcome of the run in ``folder``, with the utterances of its snapshot, open as ``store``.

    Raises
    ------
    StoreError
        If a table is missing or damaged.
    TrainingError
        If the snapshot, the settings and the predictions do not belong together.
    """
    predictions = read_records(folder / "predictions.parquet", Prediction)
    attending = "AGA-CL" in experiment.models
    sides = [
        usable(store, corpus, experiment, frames=attending)[0]
        for corpus in (experiment.source, experiment.target)
    ]
    source, target = (tuple(item for item, _ in side) for side in sides)
    _check(folder, experiment, {item.id for item in target}, predictions)
    protocol = folds_for(experiment, target)
    _check_folds(folder, protocol, predictions)
    ledger = Ledger()
    ledger.extend(read_records(folder / "label_access.parquet", LabelAccess))
    left_out = read_records(folder / "left_out.parquet", Skipped)
    machine = _machine(folder)
    return Outcome(
        experiment=experiment, systems=experiment.systems, folds=protocol, source=source, target=target,
        predictions=predictions, anchors=read_records(folder / "anchors.parquet", AnchorScore),
        epochs=read_records(folder / "epochs.parquet", Epoch),
        choices=read_records(folder / "choices.parquet", LinearChoice), ledger=ledger,
        splits=check_splits(experiment, source, target, protocol),
        skipped=tuple(row for row in left_out if row.stage == "train"),
        absent_vowels=absent_vowels(experiment, *(_inventory(side, experiment) for side in sides)),
        selected_on=_first_row(folder).selected_on, precision=machine.precision, device=machine.device,
    )  # fmt: skip


def _check_folds(folder: Path, protocol: Sequence[Fold], predictions: Sequence[Prediction]) -> None:
    fold_of = {name: fold.number for fold in protocol for name in fold.test_speakers}
    other = {item.speaker for item in predictions if fold_of.get(item.speaker) != item.fold}
    if other:
        raise TrainingError(
            f"the split that the run in {folder} was made with",
            f"another, for {len(other)} speakers",
            "restore the split file, or train again",
        )


def _check(folder: Path, experiment: Experiment, target: set[str], predictions: Sequence[Prediction]) -> None:
    scored = {item.utterance for item in predictions}
    systems = {item.system for item in predictions}
    missing = [system.label for system in experiment.systems if system.label not in systems]
    if scored != target or missing:
        raise TrainingError(
            f"predictions in {folder} for the {len(target)} target utterances of its snapshot by all systems",
            f"{len(scored & target)} of them and {len(scored - target)} others"
            + (f"; none by {', '.join(missing)}" if missing else ""),
            "train again: the page is made from the run's own tables only",
        )


def _first_row(folder: Path) -> ResultRow:
    rows = read_records(folder / "results.parquet", ResultRow)
    if not rows:
        raise TrainingError(f"result rows in {folder}", "none", "train again")
    return rows[0]


def _machine(folder: Path) -> Machine:
    """Return what the run was computed with; empty where an older run does not say."""
    path = folder / "machine.parquet"
    return read_records(path, Machine)[0] if path.is_file() else Machine(precision="", device="")


def _inventory(side: Sequence[tuple[object, Alignment]], experiment: Experiment) -> set[str]:
    phones = (phone for _, alignment in side for phone in alignment.phones[: experiment.max_phones])
    return {phone.vowel for phone in phones if phone.vowel is not None}
