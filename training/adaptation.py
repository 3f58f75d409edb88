"""What one run knows of the target speakers it adapts to: labels, if any, and anchor vowels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store.errors import TrainingError
from store.vocabulary import SHARED_VOWELS
from training.anchors import ANY_EMOTION, Cell, Centroid, centroids, score_rows, select, similarities
from training.dataset import CorpusData
from training.experiment import Experiment
from training.losses import Triplets, draw_triplets, draw_vowel_triplets
from training.records import AnchorScore, System
from training.sampling import rng_of

UNLABELLED = -1
CENTROIDS, RANDOM_ANCHORS = 11, 12
"""Purposes of random numbers, see `sampling.rng_of`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One seed and fold: who trains, validates, is adapted to and is tested; all are positions in a corpus.

    ``target.labels`` are all -1: training cannot read them, and a target with labels raises TrainingError.
    `oracle` modes are handed them explicitly.
    """

    experiment: Experiment
    seed: int
    fold: int
    source: CorpusData
    target: CorpusData
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    adapt: NDArray[np.int64]
    test: NDArray[np.int64]

    def __post_init__(self) -> None:
        known = int(np.sum(self.target.labels != UNLABELLED))
        if known:
            raise TrainingError(
                "a target corpus without labels", f"{known} labels", "hide them; hand them over by name"
            )


class Adaptation:
    """Labels and anchors of one system's run; `refresh` renews the labels and chooses anchors where it can.

    Anchors are chosen anew at each refresh or, with ``anchor_refresh = "once"``, at the first refresh that
    has target tokens of the emotion.
    """

    def __init__(self, problem: Problem, system: System, oracle: NDArray[np.int64] | None) -> None:
        self.problem, self.system = problem, system
        self.labels = np.full(len(problem.target), UNLABELLED, dtype=np.int64)
        self.anchors: dict[int, tuple[int, ...]] = {}
        self._rows: dict[str, tuple[AnchorScore, ...]] = {}
        self._source = self._centroids(problem.source, problem.train, problem.source.labels)
        if (oracle is not None) != (system.anchor_labels == "oracle_val"):
            raise TrainingError(
                "target labels for oracle_val and for no other mode",
                f"{'none' if oracle is None else 'labels'} for {system.label}",
                "hand them over to the systems that are marked so",
            )
        if oracle is not None:
            chosen = _at_most(problem.adapt, oracle[problem.adapt], problem)
            self.labels[chosen] = oracle[chosen]

    @property
    def emotions(self) -> tuple[str, ...]:
        """Emotions that have anchor sets of their own."""
        return (ANY_EMOTION,) if self.system.anchor_labels == "none" else self.problem.experiment.classes

    def refresh(self, probabilities: NDArray[np.float32]) -> None:
        """Take predictions (n, K) of the adaptation items: renew labels, then anchors."""
        if self.system.anchor_labels == "pseudo":
            confident = probabilities.max(axis=1) >= self.problem.experiment.pseudo_threshold
            self.labels[self.problem.adapt] = np.where(confident, probabilities.argmax(axis=1), UNLABELLED)
        once = self.problem.experiment.anchor_refresh == "once" or self.system.anchor_labels != "pseudo"
        settled = self.anchors if once else ()  # labels that never change give the same anchors for ever
        self._choose([emotion for emotion in self.emotions if self._number(emotion) not in settled])

    def useful(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of a target batch that can hold triplet anchors."""
        if self.system.anchor_labels == "none":
            return np.arange(len(items)) if self.anchors else np.arange(0)
        return np.flatnonzero(np.isin(self.labels[items], list(self.anchors)))

    def triplets(
        self,
        source_items: NDArray[np.int64],
        source_vowels: NDArray[np.int64],
        target_items: NDArray[np.int64],
        target_vowels: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> Triplets:
        """Draw the triplets of one step from padded batches; vowels are (utterances, phones)."""
        limit = self.problem.experiment.triplets_per_vowel
        if self.system.anchor_labels == "none":
            return draw_vowel_triplets(
                self.anchors.get(UNLABELLED, ()), source_vowels, target_vowels, limit, rng
            )
        return draw_triplets(
            self.anchors, source_labels=self.problem.source.labels[source_items], source_vowels=source_vowels,
            target_labels=self.labels[target_items], target_vowels=target_vowels, limit=limit, rng=rng,
        )  # fmt: skip

    def scores(self) -> tuple[AnchorScore, ...]:
        """Return the evidence behind the present anchors, emotion by emotion; call `refresh` first."""
        return tuple(row for emotion in self.emotions for row in self._rows[emotion])

    def _number(self, emotion: str) -> int:
        return UNLABELLED if emotion == ANY_EMOTION else self.problem.experiment.classes.index(emotion)

    def _labelled(self, emotion: str) -> int:
        """Return how many adaptation utterances are labelled with the emotion (without labels, none)."""
        number = self._number(emotion)
        return 0 if number == UNLABELLED else int(np.sum(self.labels[self.problem.adapt] == number))

    def _choose(self, emotions: list[str]) -> None:
        problem, groups = self.problem, self.problem.experiment.groups
        source, target = self._source, self._centroids(problem.target, problem.adapt, self.labels)
        cells = similarities(source, target, problem.experiment.ed_scale)
        for emotion in emotions:
            rng = rng_of(problem.seed, problem.fold, RANDOM_ANCHORS, self._number(emotion))
            sets = select(cells, [emotion], groups, rng)
            vowels = sets.of(anchor_set(self.system.model)).get(emotion, ())
            self.anchors.pop(self._number(emotion), None)
            if vowels:
                self.anchors[self._number(emotion)] = tuple(SHARED_VOWELS.index(vowel) for vowel in vowels)
            self._rows[emotion] = score_rows(
                system=self.system.label, seed=problem.seed, fold=problem.fold, emotions=[emotion],
                groups=groups, source=source, target=target, cells=cells, sets=sets,
                target_inventory=problem.target.inventory, n_labelled={emotion: self._labelled(emotion)},
                n_adapt=len(problem.adapt),
            )  # fmt: skip

    def _centroids(
        self, data: CorpusData, items: NDArray[np.int64], labels: NDArray[np.int64]
    ) -> Mapping[Cell, Centroid]:
        names = (*self.problem.experiment.classes, ANY_EMOTION)  # UNLABELLED = -1 is the last
        unlabelled = self.system.anchor_labels == "none"
        if not unlabelled:
            items = _at_most(items, labels[items], self.problem)
        rows = data.segments.rows_of(items) if len(items) else np.empty(0, dtype=np.int64)
        counts = np.diff(data.segments.starts)[items]
        emotions = (
            [ANY_EMOTION] * len(rows)
            if unlabelled
            else [names[at] for at in np.repeat(labels[items], counts)]
        )
        vowels = [SHARED_VOWELS[at] if at >= 0 else None for at in data.vowels[rows]]
        return centroids(data.segments.values[rows], emotions, vowels)


def anchor_set(model: str) -> str:
    """Return the anchor set of a model: GA for AGA-CL, else the first two letters."""
    return "GA" if model == "AGA-CL" else model[:2]


def _at_most(items: NDArray[np.int64], labels: NDArray[np.int64], problem: Problem) -> NDArray[np.int64]:
    """Return the labelled items, at most ``utterances_per_emotion`` of each label, in corpus order."""
    limit = problem.experiment.utterances_per_emotion
    kept = []
    for label in range(len(problem.experiment.classes)):
        pool = items[labels == label]
        rng = rng_of(problem.seed, problem.fold, CENTROIDS, label)
        kept.append(pool if len(pool) <= limit else rng.choice(pool, limit, replace=False))
    return np.sort(np.concatenate(kept))
