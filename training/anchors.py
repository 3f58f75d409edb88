"""Similarity of vowels between two languages and the choice of anchor vowels per emotion."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store.errors import TrainingError
from training.records import AnchorScore

Cell = tuple[str, str]
"""Emotion and vowel."""
ANY_EMOTION = "any"
"""Emotion of the cells where no target label of any kind is used."""
SETS = ("BA", "WA", "GA", "RA")


@dataclass(frozen=True, slots=True)
class Centroid:
    """Mean of the phone-centred vectors, shape (d,), and how many tokens it is made of."""

    mean: NDArray[np.float64]
    count: int


@dataclass(frozen=True, slots=True)
class Similarity:
    """Cosine similarity, Euclidean distance and combined score of one emotion and vowel (eqs. 1-2)."""

    emotion: str
    vowel: str
    cosine: float
    euclidean: float
    combined: float


@dataclass(frozen=True, slots=True)
class AnchorSets:
    """Chosen vowels: set name (BA, WA, GA, RA) -> emotion -> vowels."""

    chosen: Mapping[str, Mapping[str, tuple[str, ...]]]

    def of(self, name: str) -> Mapping[str, tuple[str, ...]]:
        """Return emotion -> anchor vowels of one set."""
        return self.chosen[name]


def combined_score(cosine: float, euclidean: float, scale: float) -> float:
    """Return Com = (CS + 1 - ED/scale) / 2, the distance clipped to [0, 1] after scaling (eqs. 1-2)."""
    return (cosine + 1.0 - min(euclidean / scale, 1.0)) / 2.0


def centroids(
    vectors: NDArray[np.float32], emotions: Sequence[str], vowels: Sequence[str | None]
) -> dict[Cell, Centroid]:
    """Return the centroid of every (emotion, vowel) that occurs; ``vectors`` (tokens, d), one label each."""
    rows: dict[Cell, list[int]] = {}
    for index, (emotion, vowel) in enumerate(zip(emotions, vowels, strict=True)):
        if vowel is not None:
            rows.setdefault((emotion, vowel), []).append(index)
    return {cell: Centroid(vectors[at].mean(axis=0, dtype=np.float64), len(at)) for cell, at in rows.items()}


def similarities(
    source: Mapping[Cell, Centroid], target: Mapping[Cell, Centroid], ed_scale: float | str
) -> dict[Cell, Similarity]:
    """Return the similarity of each cell that both languages have.

    ``ed_scale`` is a number or ``max``: the largest distance of the returned cells, so that scores of all
    emotions and vowels share one divisor.
    """
    raw = {cell: _compare(source[cell].mean, target[cell].mean) for cell in source if cell in target}
    scale = (
        max((distance for _, distance in raw.values()), default=0.0) if ed_scale == "max" else float(ed_scale)
    )
    scale = scale or 1.0  # all centroids equal: every distance is 0 whatever the divisor
    return {
        (emotion, vowel): Similarity(
            emotion, vowel, cosine, distance, combined_score(cosine, distance, scale)
        )
        for (emotion, vowel), (cosine, distance) in raw.items()
    }


def _compare(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return (float(a @ b) / norms if norms else 0.0), float(np.linalg.norm(a - b))


def select(
    cells: Mapping[Cell, Similarity],
    emotions: Sequence[str],
    groups: Sequence[Sequence[str]],
    rng: np.random.Generator,
) -> AnchorSets:
    """Choose BA, WA, GA and RA for each emotion, separately within each vowel group.

    Ranked by unrounded Com, ties by the smaller ED, then by the order of the group. Of n vowels present BA
    takes the first, GA the first ceil(n/2), RA as many at random (whatever their rank); WA the last, and in a
    group of more than four vowels the last two (the paper does so for monophthongs), always leaving one out
    where n > 1.
    """
    chosen: dict[str, dict[str, tuple[str, ...]]] = {name: {} for name in SETS}
    for emotion in emotions:
        for group in groups:
            ranked = rank(cells, emotion, group)
            half = math.ceil(len(ranked) / 2)
            worst = min(2 if len(group) > 4 else 1, max(1, len(ranked) - 1))
            picks = {"BA": ranked[:1], "WA": ranked[-worst:], "GA": ranked[:half]}
            shuffled = [group[at] for at in rng.permutation(len(group))]
            picks["RA"] = tuple([vowel for vowel in shuffled if vowel in ranked][:half])
            for name, vowels in picks.items():
                chosen[name][emotion] = chosen[name].get(emotion, ()) + tuple(vowels)
    return AnchorSets(chosen)


def rank(cells: Mapping[Cell, Similarity], emotion: str, group: Sequence[str]) -> tuple[str, ...]:
    """Return the vowels of the group present in both languages, most similar first."""
    present = [cells[emotion, vowel] for vowel in group if (emotion, vowel) in cells]
    return tuple(cell.vowel for cell in sorted(present, key=lambda cell: (-cell.combined, cell.euclidean)))


def check_common_vowels(source: set[str], target: set[str], groups: Sequence[Sequence[str]]) -> None:
    """Raise TrainingError where the two languages have no vowel in common, whatever the emotion."""
    wanted = {vowel for group in groups for vowel in group}
    if not source & target & wanted:
        raise TrainingError(
            "at least one vowel in both corpora",
            f"source {sorted(source & wanted) or 'none'}, target {sorted(target & wanted) or 'none'}",
            "check the alignments and the vowel map, or leave out the triplet models",
        )


def score_rows(
    *,
    system: str,
    seed: int,
    fold: int,
    emotions: Sequence[str],
    groups: Sequence[Sequence[str]],
    source: Mapping[Cell, Centroid],
    target: Mapping[Cell, Centroid],
    cells: Mapping[Cell, Similarity],
    sets: AnchorSets,
    target_inventory: Collection[str],
    n_labelled: Mapping[str, int],
    n_adapt: int,
) -> tuple[AnchorScore, ...]:
    """Return one row for each emotion and vowel, absent ones included with NaN scores.

    ``target_inventory`` holds the vowels of the target corpus, whatever the emotion; ``n_labelled`` (by
    emotion) and ``n_adapt`` count adaptation utterances.
    """
    rows = []
    for emotion in emotions:
        for vowel in (vowel for group in groups for vowel in group):
            cell = (emotion, vowel)
            similarity = cells.get(cell)
            names = [name for name in SETS if vowel in sets.chosen[name].get(emotion, ())]
            rows.append(
                AnchorScore(
                    system=system, seed=seed, fold=fold, emotion=emotion, vowel=vowel,
                    cosine=similarity.cosine if similarity else math.nan,
                    euclidean=similarity.euclidean if similarity else math.nan,
                    combined=similarity.combined if similarity else math.nan,
                    n_source=source[cell].count if cell in source else 0,
                    n_target=target[cell].count if cell in target else 0,
                    absent=_absent(cell, source, target, target_inventory), chosen=",".join(names),
                    n_labelled=n_labelled.get(emotion, 0), n_adapt=n_adapt,
                )
            )  # fmt: skip
    return tuple(rows)


def _absent(
    cell: Cell, source: Mapping[Cell, Centroid], target: Mapping[Cell, Centroid], inventory: Collection[str]
) -> str:
    """Return which side lacks the vowel, or ``unlabelled`` where only labels are lacking; see AnchorScore."""
    if cell not in source:
        return "source" if cell[1] in inventory else "both"
    if cell in target:
        return ""
    labels_lack = cell[1] in inventory and cell[0] != ANY_EMOTION
    return "unlabelled" if labels_lack else "target"
