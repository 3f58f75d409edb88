"""Whether a difference is more than chance: paired t-test, Holm, stars, bootstrap over speakers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from store.errors import TrainingError
from training.metrics import confusion
from training.records import Prediction

DRAWS = 2000
ROUNDING = 1e-12
"""Scores are ratios of counts: a smaller spread is rounding and would give an arbitrary t."""
STAR_LEVELS: Mapping[str, tuple[float, float, float]] = {
    "paper": (0.1, 0.05, 0.01),
    "usual": (0.05, 0.01, 0.001),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """A two-sided paired t-test over runs: d_r = A_r - B_r, t = mean(d) / (sd(d) / sqrt(R)), df = R - 1.

    With one run, or where all differences are equal (`no_spread`), ``t``, ``p`` and ``d_z`` are NaN: a spread
    of zero over a few seeds would make every difference infinitely sure.
    """

    n: int
    mean_difference: float
    t: float
    df: int
    p: float
    d_z: float

    @property
    def no_spread(self) -> bool:
        """Whether several runs differ by the same amount, so that there is nothing to test with."""
        return self.n > 1 and isnan(self.p)


def paired_t(first: Mapping[int, float], second: Mapping[int, float]) -> PairedTest:
    """Test ``first`` against ``second``, scores by seed; runs of the same seed are paired (A.2, section 0.4).

    Raises
    ------
    TrainingError
        If the two do not hold the same seeds, or none: seeds are never dropped to make a pair.
    """
    if first.keys() != second.keys() or not first:
        raise TrainingError(
            "two systems run with the same seeds",
            f"{sorted(first)} and {sorted(second)}",
            "run the missing seeds",
        )
    differences = np.array([first[seed] - second[seed] for seed in sorted(first)])
    n, mean = len(differences), float(differences.mean())
    sd = float(differences.std(ddof=1)) if n > 1 else nan
    d_z = mean / sd if sd > ROUNDING else nan
    t = d_z * sqrt(n)
    p = float(2 * stats.t.sf(abs(t), n - 1)) if n > 1 else nan
    return PairedTest(n=n, mean_difference=mean, t=t, df=n - 1, p=p, d_z=d_z)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return the Holm-adjusted p values (step-down Bonferroni), in order; NaN stays NaN, uncounted."""
    known = sorted((p, i) for i, p in enumerate(p_values) if not isnan(p))
    adjusted = [nan] * len(p_values)
    running = 0.0
    for rank, (p, i) in enumerate(known):
        running = max(running, min(1.0, p * (len(known) - rank)))
        adjusted[i] = running
    return tuple(adjusted)


def stars(p: float, usage: str = "usual") -> str:
    """Return the stars of ``p``: ``paper`` marks p < .1, .05, .01, ``usual`` .05, .01, .001.

    Raises
    ------
    TrainingError
        For another usage.
    """
    if usage not in STAR_LEVELS:
        raise TrainingError(f"stars of {', '.join(STAR_LEVELS)}", usage, "set one of these")
    return "*" * sum(p < level for level in STAR_LEVELS[usage])


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A percentile interval of the mean UAR over seeds: ``draws`` resamples of ``n_speakers`` speakers."""

    low: float
    high: float
    level: float
    draws: int
    n_speakers: int


def bootstrap_speakers(
    predictions: Sequence[Prediction],
    classes: Sequence[str],
    *,
    draws: int = DRAWS,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the cluster-bootstrap interval of one system's UAR, pooled over folds and averaged over seeds.

    Speakers are drawn with replacement, each with all its utterances in all seeds. In a draw, UAR is over the
    classes present.

    Raises
    ------
    TrainingError
        If there is no prediction or there are predictions of several systems.
    """
    systems = sorted({item.system for item in predictions})
    if len(systems) != 1:
        raise TrainingError(
            "predictions of one system", ", ".join(systems) or "none", "test each system alone"
        )
    counts = _counts(predictions, classes)
    n = counts.shape[1]
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
    resampled = np.einsum("dp,spij->dsij", weights, counts)
    support = resampled.sum(axis=3)
    hits = np.diagonal(resampled, axis1=2, axis2=3)
    recall = np.divide(hits, support, out=np.full(support.shape, np.nan), where=support > 0)
    scores = np.nanmean(recall, axis=2).mean(axis=1)
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high), level=level, draws=draws, n_speakers=n)


def _counts(predictions: Sequence[Prediction], classes: Sequence[str]) -> NDArray[np.int64]:
    """Return the confusion matrices (seeds, speakers, K, K)."""
    seeds = sorted({item.seed for item in predictions})
    speakers = sorted({item.speaker for item in predictions})
    cells: dict[tuple[int, str], list[Prediction]] = {}
    for item in predictions:
        cells.setdefault((item.seed, item.speaker), []).append(item)
    missing = [(seed, name) for seed in seeds for name in speakers if (seed, name) not in cells]
    if missing:
        raise TrainingError(
            "every speaker in every seed", f"none of {missing[0]}", "score all folds of each seed"
        )
    return np.array([[_confusion(cells[seed, name], classes) for name in speakers] for seed in seeds])


def _confusion(items: Sequence[Prediction], classes: Sequence[str]) -> NDArray[np.int64]:
    return confusion([item.emotion for item in items], [item.predicted for item in items], classes)
