"""Where phones begin in the mean over all paths near the best one, by a forward and a backward pass."""

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.aligners.graph import Graph

REACH = 40
"""Frames by which another path may lead or lag the best one."""

_LEAST = 1e-250
"""What a frame's paths must weigh together, lest they cannot be told from nothing."""


def mean_boundaries(
    graph: Graph, path: NDArray[np.int64], log_likelihood: NDArray[np.float32], log_stay: NDArray[np.float32],
    log_leave: NDArray[np.float32],
) -> NDArray[np.int64]:  # fmt: skip
    """Return the first frame of each slot on ``path``, and the number of frames: (slots on the path + 1,).

    All paths through these slots count by their probability, as far as they lie within `REACH`. No slot gets
    shorter than ``graph.per_slot`` frames, since it is so on none of the paths. Where the paths become too
    unlikely for the numbers (a text that is not spoken), the best one's own boundaries stand.
    """
    owners = path // graph.per_slot
    edges = np.concatenate([[0], np.flatnonzero(np.diff(owners)) + 1, [len(path)]])
    pdf = graph.pdf.reshape(-1, graph.per_slot)[owners[edges[:-1]]].ravel()
    place = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    frames = np.arange(len(path))
    lowest, highest = place[np.maximum(frames - REACH, 0)], place[np.minimum(frames + REACH, len(path) - 1)]
    expected = _expected_frames(
        np.take(log_likelihood, pdf, axis=1), np.exp(log_stay[pdf].astype(np.float64)),
        np.exp(log_leave[pdf].astype(np.float64)), lowest, highest, graph.per_slot,
    )  # fmt: skip
    if np.isnan(expected).any():
        return edges
    return np.floor(np.concatenate([[0.0], np.cumsum(expected)]) + 0.5).astype(np.int64)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _expected_frames(  # noqa: PLR0917 - one compiled loop
    emission: NDArray[np.float32], stay: NDArray[np.float64], leave: NDArray[np.float64],
    lowest: NDArray[np.int64], highest: NDArray[np.int64], per_slot: int,
) -> NDArray[np.float64]:  # fmt: skip
    """Return the expected frames of each slot of a chain, NaN where the numbers do not reach.

    ``emission`` (frames, slots x per_slot); at each frame the slots from ``lowest`` to ``highest`` are
    possible. Probabilities of a frame are scaled to a sum of one.
    """
    n_frames, n_states = emission.shape
    density, forward = _forward(emission, stay, leave, lowest, highest, per_slot)
    after = np.zeros(n_states)  # of what follows, given the state; -1 is the last one
    after[-1] = 1.0
    expected = np.zeros(n_states // per_slot)
    for frame in range(n_frames - 1, -1, -1):
        first, stop = lowest[frame] * per_slot, (highest[frame] + 1) * per_slot
        if frame < n_frames - 1:
            following = density[frame + 1]
            for state in range(first, stop):
                after[state] *= stay[state] * following[state]
                if state + 1 < n_states:
                    after[state] += leave[state] * following[state + 1] * after[state + 1]
        weight, size = 0.0, 0.0
        for state in range(first, stop):
            weight += forward[frame, state] * after[state]
            size += after[state]
        if not weight > _LEAST:
            return np.full(n_states // per_slot, np.nan)
        for state in range(first, stop):
            expected[state // per_slot] += forward[frame, state] * after[state] / weight
            after[state] /= size
    return expected


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _forward(  # noqa: PLR0917 - one compiled loop
    emission: NDArray[np.float32], stay: NDArray[np.float64], leave: NDArray[np.float64],
    lowest: NDArray[np.int64], highest: NDArray[np.int64], per_slot: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Return each frame's densities by its largest, and the probabilities of its states by what came before.

    Both are (frames, S) and 0 for what is not possible.
    """
    n_frames, n_states = emission.shape
    density = np.zeros((n_frames, n_states))
    forward = np.zeros((n_frames, n_states))
    for frame in range(n_frames):
        first, stop = lowest[frame] * per_slot, (highest[frame] + 1) * per_slot
        peak = emission[frame, first:stop].max()
        total = 0.0
        for state in range(first, stop):
            density[frame, state] = np.exp(emission[frame, state] - peak)
            came = 1.0 * (frame == 0 and state == 0)
            if frame:
                came = forward[frame - 1, state] * stay[state]
                if state:
                    came += forward[frame - 1, state - 1] * leave[state - 1]
            forward[frame, state] = came * density[frame, state]
            total += forward[frame, state]
        if total > _LEAST:
            forward[frame, first:stop] /= total
    return density, forward
