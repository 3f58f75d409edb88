"""The strong simple baseline: a source-only linear classifier on mean+std pooled frames."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from store.errors import TrainingError
from store.records import Utterance
from training.guards import EVALUATION, Ledger
from training.metrics import uar
from training.records import Prediction, System
from training.splits import Fold, source_split

Floats = NDArray[np.float32]
STRENGTHS: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
MAX_ITERATIONS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearChoice:
    """What the source validation speakers chose in one run: the layer (from 0) and the inverse penalty C."""

    system: str
    seed: int
    layer: int
    strength: float
    validation_uar: float
    n_train: int
    n_validation: int
    converged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearOutcome:
    """Predictions for all target utterances in all seeds, and one choice for each seed."""

    predictions: tuple[Prediction, ...]
    choices: tuple[LinearChoice, ...]


def pool_frames(frames: NDArray[np.floating]) -> Floats:
    """Return mean and SD over time: (frames, dim) or (frames, layers, dim) -> (layers, 2 dim).

    Raises
    ------
    TrainingError
        If there is no frame, or the array has another number of axes.
    """
    if frames.ndim not in (2, 3) or not len(frames):
        raise TrainingError(
            "frames (n, dim) or (n, layers, dim), n > 0", f"{frames.shape}", "mend the features"
        )
    layered = frames[:, None, :] if frames.ndim == 2 else frames
    layered = layered.astype(np.float64)
    return np.concatenate([layered.mean(axis=0), layered.std(axis=0)], axis=-1).astype(np.float32)


def standardise_speakers(pooled: Floats, speakers: Sequence[str]) -> Floats:
    """Return ``pooled`` (n, ...) with zero mean and unit SD over each speaker's own rows; needs no label.

    It uses all recordings of a speaker at once, the scored ones included (transductive). A value that does
    not vary within a speaker becomes 0.
    """
    result = np.empty_like(pooled)
    names = np.asarray(speakers)
    for name in np.unique(names):
        rows = pooled[names == name].astype(np.float64)
        spread = rows.std(axis=0)
        # A constant column has a spread of rounding size only; dividing by it would blow noise up.
        constant = spread <= 1e-6 * (1 + np.abs(rows).max(axis=0))
        result[names == name] = (rows - rows.mean(axis=0)) / np.where(constant, np.inf, spread)
    return result


def run_linear(
    features: Mapping[str, Floats],
    source: Sequence[Utterance],
    target: Sequence[Utterance],
    protocol: Iterable[Fold],
    seeds: Iterable[int],
    *,
    classes: Sequence[str],
    system: System,
    strengths: Sequence[float] = STRENGTHS,
    share: float = 0.2,
    ledger: Ledger | None = None,
) -> LinearOutcome:
    """Train on the source, choose C and the layer on source validation speakers, predict the whole target.

    ``features`` maps an utterance id to its pooled frames (layers, 2 dim), see `pool_frames`. Multinomial
    logistic regression with balanced class weights; features are scaled by the statistics of the source
    training speakers, after `standardise_speakers` where ``system.standardisation`` is ``speaker``. The
    target takes no part in training, so one model per seed serves all folds; seeds change the source split.

    Raises
    ------
    TrainingError
        If an utterance has no features or shapes differ, or an emotion is not in ``classes``.
    SplitError
        If the source cannot be split.
    """
    values = _stack(features, [*source, *target], classes)
    if system.standardisation == "speaker":
        values = standardise_speakers(values, [item.speaker_key for item in (*source, *target)])
    known, scored = values[: len(source)], values[len(source) :]
    fold_of = {name: fold.number for fold in protocol for name in fold.test_speakers}
    predictions: list[Prediction] = []
    choices: list[LinearChoice] = []
    for seed in seeds:
        train_ids, validation_ids = source_split(source, seed, share)
        train = np.array([item.id in train_ids for item in source])
        with threadpool_limits(limits=1):  # small products: threads cost time, and change the last bits
            model, score = _choose(known, source, classes, train, strengths)
        choices.append(LinearChoice(
            system=system.label, seed=seed, layer=model.layer, strength=model.strength, validation_uar=score,
            n_train=len(train_ids), n_validation=len(validation_ids), converged=model.converged,
        ))  # fmt: skip
        predictions += _predict(
            model, scored, target, fold_of=fold_of, classes=classes, run=(system.label, seed)
        )
    _note(ledger if ledger is not None else Ledger(), system.label)
    return LinearOutcome(predictions=tuple(predictions), choices=tuple(choices))


def _note(ledger: Ledger, system: str) -> None:
    ledger.note(system, "training", "source", "train", "cross-entropy")
    ledger.note(system, "selection", "source", "validation", "choice of C and encoder layer")
    ledger.note(system, EVALUATION, "target", "test", "scores")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fitted:
    """A classifier of one layer with the scaling it was trained on."""

    layer: int
    strength: float
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    classifier: LogisticRegression
    converged: bool

    def probabilities(self, values: Floats, n_classes: int) -> NDArray[np.float64]:
        """Return class probabilities (n, K) of pooled features (n, layers, 2 dim); 0 for an unseen class."""
        found = np.zeros((len(values), n_classes))
        scaled = (values[:, self.layer] - self.mean) / self.scale
        found[:, self.classifier.classes_] = self.classifier.predict_proba(scaled)
        return found

    def predict(self, values: Floats, classes: Sequence[str]) -> list[str]:
        """Return the most probable class of each row."""
        return [classes[i] for i in self.probabilities(values, len(classes)).argmax(axis=1)]


def _choose(
    values: Floats,
    source: Sequence[Utterance],
    classes: Sequence[str],
    train: NDArray[np.bool_],
    strengths: Sequence[float],
) -> tuple[_Fitted, float]:
    """Fit every (layer, C) on the training rows; best validation UAR wins, then lower layer, smaller C."""
    names = np.array([item.emotion for item in source])
    labels = np.array([classes.index(name) for name in names])
    best: tuple[_Fitted, float] | None = None
    for layer in range(values.shape[1]):
        for strength in sorted(strengths):
            model = _fit(values[train, layer].astype(np.float64), labels[train], layer, strength)
            score = uar(names[~train].tolist(), model.predict(values[~train], classes), classes)
            if best is None or score > best[1]:
                best = (model, score)
    if best is None:
        raise TrainingError(
            "at least one layer and one strength", f"{values.shape[1]} and none", "set strengths"
        )
    return best


def _fit(rows: NDArray[np.float64], labels: NDArray[np.intp], layer: int, strength: float) -> _Fitted:
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(spread > 1e-6 * (1 + np.abs(mean)), spread, np.inf)
    classifier = LogisticRegression(C=strength, class_weight="balanced", max_iter=MAX_ITERATIONS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        classifier.fit((rows - mean) / scale, labels)
    converged = not any(issubclass(item.category, ConvergenceWarning) for item in caught)
    return _Fitted(
        layer=layer, strength=strength, mean=mean, scale=scale, classifier=classifier, converged=converged
    )


def _predict(
    model: _Fitted,
    values: Floats,
    target: Sequence[Utterance],
    *,
    fold_of: Mapping[str, int],
    classes: Sequence[str],
    run: tuple[str, int],
) -> list[Prediction]:
    rows = model.probabilities(values, len(classes))
    return [
        Prediction(
            system=run[0], seed=run[1], fold=fold_of[item.speaker], utterance=item.id, speaker=item.speaker,
            emotion=item.emotion, predicted=classes[int(row.argmax())], probabilities=tuple(map(float, row)),
        )
        for item, row in zip(target, rows, strict=True)
    ]  # fmt: skip


def _stack(features: Mapping[str, Floats], utterances: Sequence[Utterance], classes: Sequence[str]) -> Floats:
    """Return the features as (n, layers, 2 dim), having checked that all can be used."""
    missing = [item.id for item in utterances if item.id not in features]
    if missing:
        raise TrainingError(
            "features of every utterance",
            f"none of {missing[0]} ({len(missing)} in all)",
            "extract or leave out",
        )
    shapes = {features[item.id].shape for item in utterances}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise TrainingError(
            "one shape (layers, 2 dim)", ", ".join(map(str, sorted(shapes))), "pool the frames alike"
        )
    strangers = sorted({item.emotion for item in utterances} - set(classes))
    if strangers:
        raise TrainingError(
            f"emotions of {', '.join(classes)}", ", ".join(strangers), "map or drop these labels"
        )
    return np.stack([features[item.id] for item in utterances])
