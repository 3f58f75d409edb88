"""Gaussian mixtures for the states of the embedded aligner: likelihoods, re-estimation and splitting."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Labels = NDArray[np.int64]

VARIANCE_FLOOR = 0.03
"""Smallest variance of a Gaussian, as a share of the variance of all training frames."""


@dataclass(frozen=True)
class Mixtures:
    """Diagonal Gaussian mixtures of P states: state p owns the Gaussians [first[p], first[p + 1]).

    ``log_weights`` (G,), ``means`` and ``variances`` (G, D), ``first`` (P + 1,).
    """

    log_weights: Array
    means: Array
    variances: Array
    first: Labels

    @property
    def n_states(self) -> int:
        """Number of states P."""
        return len(self.first) - 1

    def peak_log_likelihood(self, features: Array, states: Labels | None = None) -> Array:
        """Return the log density of each frame's likeliest Gaussian in each state (or in those named).

        The result is (frames, P). Standing for the sum over the mixture it needs no exponentials and makes no
        difference, neither in training nor in the last alignment (EMO-DB: 0.02 ms in the median).
        """
        from pipeline.aligners.compiled import peaks  # numba takes half a second to load

        if states is None:
            return np.asarray(peaks(self.joint(features), self.first), dtype=np.float32)
        columns, first = self._columns(states)
        return np.asarray(peaks(self.joint(features, columns), first), dtype=np.float32)

    def of_states(self, states: Labels) -> "Mixtures":
        """Return the mixtures of the named states alone, in this order; one may be named more than once."""
        own, first = self._columns(states)
        return Mixtures(self.log_weights[own], self.means[own], self.variances[own], first)

    def _columns(self, states: Labels) -> tuple[Labels, Labels]:
        """Return the Gaussians of the named states, state after state, and where each state begins."""
        sizes = np.diff(self.first)[states]
        first = np.concatenate([[0], np.cumsum(sizes)])
        return np.arange(first[-1]) + np.repeat(self.first[states] - first[:-1], sizes), first

    def joint(self, features: Array, columns: Labels | None = None) -> Array:
        """Return log weight + log density of each frame under each Gaussian (or those named), (frames, G)."""
        slopes, constant = self._quadratic
        if columns is not None:
            slopes, constant = np.take(slopes, columns, axis=1), constant[columns]
        joint = np.concatenate([features, features**2], axis=1) @ slopes
        joint += constant
        return np.asarray(joint, dtype=np.float32)

    @cached_property
    def _quadratic(self) -> tuple[Array, Array]:
        """Return (2 D, G) and (G,): the joint log densities are [x, x ** 2] @ the first + the second."""
        precision = 1 / self.variances
        constant = self.log_weights - 0.5 * (
            np.log(2 * np.pi * self.variances).sum(1) + (self.means**2 * precision).sum(1)
        )
        slopes = np.concatenate([self.means * precision, -0.5 * precision], axis=1).T
        return np.ascontiguousarray(slopes, dtype=np.float32), constant.astype(np.float32)


def single_gaussians(features: Array, labels: Labels, n_states: int) -> Mixtures:
    """Return one Gaussian a state from frames with known states; a state without frames gets that of all."""
    counts = np.bincount(labels, minlength=n_states).astype(np.float64)[:, None]
    indicator = _sorted_sums(features, labels, n_states)
    squares = _sorted_sums(features**2, labels, n_states)
    everything_mean, everything_variance = features.mean(0), features.var(0)
    means = np.where(counts > 0, indicator / np.maximum(counts, 1), everything_mean)
    variances = np.where(counts > 1, squares / np.maximum(counts, 1) - means**2, everything_variance)
    variances = np.maximum(variances, VARIANCE_FLOOR * everything_variance)
    return Mixtures(
        np.zeros(n_states, np.float32), means.astype(np.float32), variances.astype(np.float32),
        np.arange(n_states + 1),
    )  # fmt: skip


def update(mixtures: Mixtures, features: Array, labels: Labels) -> Mixtures:
    """Return the mixtures after one EM step over frames with known states; unseen states stay as they are."""
    order = np.argsort(labels, kind="stable")
    edges = np.searchsorted(labels[order], np.arange(mixtures.n_states + 1))
    floor = VARIANCE_FLOOR * features.var(0)
    weights, means = mixtures.log_weights.copy(), mixtures.means.copy()
    variances = mixtures.variances.copy()
    for state in range(mixtures.n_states):
        frames = features[order[edges[state] : edges[state + 1]]]
        if not len(frames):
            continue
        own = slice(int(mixtures.first[state]), int(mixtures.first[state + 1]))
        part = Mixtures(weights[own], means[own], variances[own], np.array([0, own.stop - own.start]))
        joint = part.joint(frames)
        share = np.exp(joint - joint.max(1, keepdims=True))
        share /= share.sum(1, keepdims=True)
        mass = share.sum(0)
        alive = mass > 3  # a Gaussian with less than three frames keeps its place and loses its weight
        mean = (share.T @ frames) / np.maximum(mass, 1e-3)[:, None]
        square = (share.T @ frames**2) / np.maximum(mass, 1e-3)[:, None]
        weights[own] = np.log(np.maximum(mass, 1e-3) / np.maximum(mass, 1e-3).sum())
        means[own] = np.where(alive[:, None], mean, means[own])
        variances[own] = np.where(alive[:, None], np.maximum(square - mean**2, floor), variances[own])
    return replace(mixtures, log_weights=weights, means=means, variances=variances)


def split(mixtures: Mixtures, counts: NDArray[np.int64], total: int) -> Mixtures:
    """Return the mixtures with up to ``total`` Gaussians, shared by the fourth root of each state's frames.

    The heaviest Gaussian of a state is split along its standard deviations, in a fixed pattern of signs
    (Young et al., The HTK Book; Povey et al., Kaldi: power 0.25).
    """
    wanted = _shares(counts, total)
    signs = np.where(np.arange(mixtures.means.shape[1]) % 2 == 0, 1.0, -1.0).astype(np.float32)
    parts = []
    for state in range(mixtures.n_states):
        own = slice(int(mixtures.first[state]), int(mixtures.first[state + 1]))
        weights, means = list(mixtures.log_weights[own]), list(mixtures.means[own])
        variances = list(mixtures.variances[own])
        while len(weights) < wanted[state]:
            heaviest = int(np.argmax(weights))
            step = 0.2 * np.sqrt(variances[heaviest]) * np.roll(signs, len(weights) // 2)
            weights[heaviest] -= np.float32(np.log(2))
            weights.append(weights[heaviest])
            means.append(means[heaviest] - step)
            means[heaviest] = means[heaviest] + step
            variances.append(variances[heaviest])
        parts.append((weights, means, variances))
    first = np.cumsum([0, *(len(weights) for weights, _, _ in parts)])
    stacked = [np.array([row for part in parts for row in part[k]], dtype=np.float32) for k in range(3)]
    return Mixtures(stacked[0], stacked[1], stacked[2], first)


def averaged(several: Sequence[Mixtures]) -> Mixtures:
    """Return the mixtures whose Gaussians are the means of those in the same places of ``several``.

    Weights, means and variances are averaged, which makes sense within one EM run without splits in between.
    """

    def mean(arrays: Sequence[Array]) -> Array:
        return np.asarray(np.stack(arrays).mean(axis=0, dtype=np.float64), dtype=np.float32)

    weights = mean([one.log_weights for one in several])
    means = mean([one.means for one in several])
    variances = mean([one.variances for one in several])
    return replace(several[0], log_weights=weights, means=means, variances=variances)


def _shares(counts: NDArray[np.int64], total: int, fewest_frames: int = 12) -> Labels:
    """Return the number of Gaussians wanted for each state: at least one, none with too few frames."""
    strength = np.maximum(counts, 1).astype(np.float64) ** 0.25
    wanted = np.floor(total * strength / strength.sum()).astype(np.int64)
    return np.asarray(np.clip(wanted, 1, np.maximum(counts // fewest_frames, 1)), dtype=np.int64)


def _sorted_sums(values: Array, labels: Labels, n_states: int) -> NDArray[np.float64]:
    """Return the sums of the rows of each label, (P, D)."""
    return np.stack(
        [
            np.bincount(labels, weights=values[:, column], minlength=n_states)
            for column in range(values.shape[1])
        ],
        axis=1,
    )
