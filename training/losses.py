"""The anchored triplet loss and the drawing of its triplets (TAFFC 2025, eq. 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Tokens = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Utterance and position of each token in a padded batch."""


@dataclass(frozen=True, slots=True)
class Triplets:
    """Flat positions (utterance x phones + phone) in the target batch and, twice, in the source batch."""

    anchor: NDArray[np.int64]
    positive: NDArray[np.int64]
    negative: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.anchor)


def triplet_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    """Return the mean of [d(a, p) - d(a, n) + margin]_+ over L2-normalised triplets (n, d); 0 for none."""
    if not len(anchor):
        return anchor.sum()
    a, p, n = (functional.normalize(item.float(), dim=-1) for item in (anchor, positive, negative))
    near = torch.linalg.vector_norm(a - p, dim=-1)
    far = torch.linalg.vector_norm(a - n, dim=-1)
    return torch.relu(near - far + margin).mean()


def gather(source: Tensor, target: Tensor, triplets: Triplets) -> tuple[Tensor, Tensor, Tensor]:
    """Pick the vectors of the triplets out of encoder outputs (utterances, phones, d)."""
    picks = ((target, triplets.anchor), (source, triplets.positive), (source, triplets.negative))
    a, p, n = (
        item.flatten(0, 1).index_select(0, torch.from_numpy(at).to(item.device))  # (B, P, d) -> (n, d)
        for item, at in picks
    )
    return a, p, n


def draw_triplets(
    anchors: Mapping[int, Sequence[int]],
    *,
    source_labels: NDArray[np.int64],
    source_vowels: NDArray[np.int64],
    target_labels: NDArray[np.int64],
    target_vowels: NDArray[np.int64],
    limit: int,
    rng: np.random.Generator,
) -> Triplets:
    """Draw up to ``limit`` triplets for each emotion and anchor vowel from one pair of padded batches.

    Anchor = target token of (emotion, vowel), positive = source token of the same, negative = source token of
    the vowel under another emotion. Labels are (utterances,), vowels (utterances, phones); -1 means none.
    """
    parts = []
    for emotion, vowels in anchors.items():
        for vowel in vowels:
            said = source_vowels == vowel
            same = (source_labels == emotion)[:, None]
            spoken = (target_vowels == vowel) & (target_labels == emotion)[:, None]
            parts.append(_draw(spoken, said & same, said & ~same, limit, rng))
    return _join(parts)


def draw_vowel_triplets(
    anchors: Sequence[int],
    source_vowels: NDArray[np.int64],
    target_vowels: NDArray[np.int64],
    limit: int,
    rng: np.random.Generator,
) -> Triplets:
    """Draw triplets without any target label: the negative is a source token of another vowel."""
    parts = []
    for vowel in anchors:
        said = source_vowels == vowel
        others = (source_vowels >= 0) & ~said
        parts.append(_draw(target_vowels == vowel, said, others, limit, rng))
    return _join(parts)


def _draw(
    anchor: NDArray[np.bool_],
    positive: NDArray[np.bool_],
    negative: NDArray[np.bool_],
    limit: int,
    rng: np.random.Generator,
) -> Triplets:
    pools = [np.flatnonzero(mask) for mask in (anchor, positive, negative)]
    count = min(limit, int(np.prod([len(pool) for pool in pools])))
    picks = [pool[rng.integers(0, len(pool), count)] if count else pool[:0] for pool in pools]
    return Triplets(*picks)


def _join(parts: Sequence[Triplets]) -> Triplets:
    empty = [np.empty(0, dtype=np.int64)]
    return Triplets(
        np.concatenate(empty + [part.anchor for part in parts]),
        np.concatenate(empty + [part.positive for part in parts]),
        np.concatenate(empty + [part.negative for part in parts]),
    )
