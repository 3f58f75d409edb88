"""Histograms of stored values, from a deterministic sample of utterances, and as inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.feature_store import FeatureStore
from store.records import FeatureSpec

UTTERANCES = 64
"""How many utterances of a cell are read: evenly spaced in the order of their ids."""
BINS = 48
TAIL = 0.1
"""Percent of the sampled values on each side that lie beyond the axis."""
WIDTH, HEIGHT = 240, 72


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """The sampled values of one (feature, corpus) on the axis that all corpora of the feature share.

    ``counts`` are those of the bins between ``low`` and ``high``; ``beyond`` and ``missing`` are the shares
    of values beyond the axis and of those that are not a number.
    """

    corpus: str
    utterances: int
    of_utterances: int
    values: int
    low: float
    high: float
    median: float
    counts: tuple[int, ...]
    beyond: float
    missing: float

    @property
    def path(self) -> str:
        """The outline as an SVG path in a box of `WIDTH` x `HEIGHT`; "" where there are no values."""
        most = max(self.counts, default=0)
        if not most:
            return ""
        step = WIDTH / len(self.counts)
        bars = (
            f"V{HEIGHT * (1 - count / most):.1f}H{(at + 1) * step:.1f}"
            for at, count in enumerate(self.counts)
        )
        return f"M0 {HEIGHT}{''.join(bars)}V{HEIGHT}Z"


def histograms(reader: FeatureStore, spec: FeatureSpec, corpora: Sequence[str]) -> tuple[Histogram, ...]:
    """Return one histogram a corpus; equal snapshots give equal ones.

    Raises
    ------
    StoreError
        If values are damaged.
    """
    names = {corpus: reader.index(spec, corpus)["utterance"].to_pylist() for corpus in corpora}
    samples = {corpus: _sample(reader, spec, ids) for corpus, ids in names.items()}
    finite = np.concatenate([block[np.isfinite(block)] for block in samples.values()])
    low, high = np.percentile(finite, [TAIL, 100 - TAIL]) if finite.size else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return tuple(
        _histogram(corpus, len(names[corpus]), block, float(low), float(high))
        for corpus, block in samples.items()
    )


def spaced(names: Sequence[str], most: int = UTTERANCES) -> list[str]:
    """Return at most ``most`` names, evenly spaced in their order."""
    ordered = sorted(names)
    if len(ordered) <= most:
        return ordered
    return [ordered[at * len(ordered) // most] for at in range(most)]


def _sample(reader: FeatureStore, spec: FeatureSpec, names: Sequence[str]) -> NDArray[Any]:
    blocks = reader.read_many(spec, spaced(names)).values()
    return np.concatenate([np.empty(0), *(block.reshape(-1) for block in blocks)])


def _histogram(corpus: str, of_utterances: int, values: NDArray[Any], low: float, high: float) -> Histogram:
    finite = values[np.isfinite(values)]
    counts, _ = np.histogram(finite, bins=BINS, range=(low, high))
    inside = int(counts.sum())
    return Histogram(
        corpus=corpus,
        utterances=min(of_utterances, UTTERANCES),
        of_utterances=of_utterances,
        values=values.size,
        low=low,
        high=high,
        median=float(np.median(finite)) if finite.size else float("nan"),
        counts=tuple(int(count) for count in counts),
        beyond=(finite.size - inside) / max(finite.size, 1),
        missing=1 - finite.size / max(values.size, 1),
    )
