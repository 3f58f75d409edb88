"""The seeded order of utterances in batches of similar length."""

import numpy as np
from numpy.typing import NDArray

POOL = 4
"""Batches within which utterances are sorted by length: little padding, still a new mixture each epoch."""


def rng_of(*parts: int) -> np.random.Generator:
    """Return the generator of one purpose, e.g. (seed, fold, epoch, purpose); independent of any other."""
    return np.random.default_rng(np.random.SeedSequence([part + 1 for part in parts]))


def bucketed(
    items: NDArray[np.int64], lengths: NDArray[np.int64], size: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Return batches of ``size`` (the last of each pool may be smaller) that hold every item once."""
    order = rng.permutation(len(items))
    batches = []
    for start in range(0, len(order), size * POOL):
        pool = order[start : start + size * POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [items[pool[at : at + size]] for at in range(0, len(pool), size)]
    return [batches[at] for at in rng.permutation(len(batches))]


def by_length(items: NDArray[np.int64], lengths: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Return batches in order of length, for scoring."""
    order = items[np.argsort(lengths, kind="stable")]
    return [order[at : at + size] for at in range(0, len(order), size)]
