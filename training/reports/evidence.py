"""What the records of a run say about its adaptation: which runs adapted, and how far RA differs from GA."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from statistics import fmean

from store.vocabulary import SHARED_VOWELS
from training.records import AnchorScore, Epoch

Run = tuple[int, int]
"""Seed and fold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """How far one triplet system adapted, over its runs (seed, fold).

    ``n_adapted`` counts the runs whose kept epoch had triplets: the others are plain CL (for AGA-CL,
    attention without the triplet loss). ``emotions`` gives, for each emotion of the anchors, the runs in
    which it had any; ``labelled`` is the mean share of adaptation utterances with a label (NaN: not recorded,
    or labels are not used).
    """

    n_runs: int
    n_adapted: int
    emotions: tuple[tuple[str, int], ...]
    labelled: float

    @property
    def partial(self) -> bool:
        """Whether some runs did not adapt."""
        return self.n_adapted < self.n_runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How often RA chose the very vowels of GA: cells are (seed, fold, emotion) with anchors of either.

    ``vowels`` are those that both languages have: with few of them, random sets are much like good ones.
    """

    n_cells: int
    n_same: int
    jaccard: float
    vowels: tuple[str, ...]


def adapted(system: str, epochs: Sequence[Epoch], anchors: Sequence[AnchorScore]) -> Adapted | None:
    """Return how far a system adapted; None without an epoch that was kept."""
    kept = {(row.seed, row.fold): row.n_triplets for row in epochs if row.system == system and row.kept}
    if not kept:
        return None
    own = [row for row in anchors if row.system == system]
    runs = {(row.emotion, row.seed, row.fold) for row in own if is_anchor(row)}
    held = Counter(emotion for emotion, *_ in runs)
    return Adapted(
        n_runs=len(kept),
        n_adapted=sum(count > 0 for count in kept.values()),
        emotions=tuple((name, held[name]) for name in dict.fromkeys(row.emotion for row in own)),
        labelled=_labelled(own),
    )


def _labelled(anchors: Sequence[AnchorScore]) -> float:
    """Return the share of labelled adaptation utterances, averaged over the runs that recorded it."""
    counts: dict[Run, dict[str, tuple[int, int]]] = {}
    for row in anchors:
        if row.n_adapt > 0 and row.emotion != "any":
            counts.setdefault((row.seed, row.fold), {})[row.emotion] = (row.n_labelled, row.n_adapt)
    shares = [sum(n / of for n, of in by_emotion.values()) for by_emotion in counts.values()]
    return fmean(shares) if shares else nan


def overlap(system: str, anchors: Sequence[AnchorScore]) -> Overlap | None:
    """Return how far the random sets of a system are its good ones; None without anchors of either kind."""
    cells: dict[tuple[int, int, str], tuple[set[str], set[str]]] = {}
    own = [row for row in anchors if row.system == system]
    for row in own:
        sides = cells.setdefault((row.seed, row.fold, row.emotion), (set(), set()))
        for side, name in zip(sides, ("RA", "GA"), strict=True):
            if name in row.chosen.split(","):
                side.add(row.vowel)
    used = [(random, good) for random, good in cells.values() if random | good]
    if not used:
        return None
    shared = {row.vowel for row in own if row.absent in ("", "unlabelled")}
    return Overlap(
        n_cells=len(used),
        n_same=sum(random == good for random, good in used),
        jaccard=fmean(len(random & good) / len(random | good) for random, good in used),
        vowels=tuple(vowel for vowel in SHARED_VOWELS if vowel in shared),
    )


def is_anchor(score: AnchorScore) -> bool:
    """Return whether the vowel is in the set that the score's own system uses (AGA-CL uses GA)."""
    name = score.system.split("-")[0].split(" ")[0]
    return {"AGA": "GA"}.get(name, name) in score.chosen.split(",")
