"""The compiled loops of the embedded aligner: mixtures from their Gaussians, and the best path."""

import numba
import numpy as np
from numpy.typing import NDArray

_IMPOSSIBLE = np.float32(-1e30)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def peaks(joint: NDArray[np.float32], first: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the largest value of each state's columns [first[p], first[p + 1]), (frames, P)."""
    n_frames, n_states = len(joint), len(first) - 1
    found = np.empty((n_frames, n_states), dtype=np.float32)
    for frame in range(n_frames):
        for state in range(n_states):
            best = joint[frame, first[state]]
            for column in range(first[state] + 1, first[state + 1]):
                best = max(best, joint[frame, column])
            found[frame, state] = best
    return found


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def viterbi(  # noqa: PLR0917 - one compiled loop
    emission: NDArray[np.float32], stay: NDArray[np.float32], leave: NDArray[np.float32],
    before: NDArray[np.int64], first: NDArray[np.int64], last_slots: NDArray[np.int64],
    per_slot: int,
) -> NDArray[np.int64]:  # fmt: skip
    """Return the best state of each frame over left-to-right slots, optional ones too; -1 without a path.

    ``emission`` (frames, S) with S = slots x per_slot; ``stay`` and ``leave`` (S,); the rest as in `Graph`.
    """
    n_frames, n_states = emission.shape
    moved = np.empty((n_frames, n_states), dtype=np.int32)  # how many states the best path came forward
    score = np.full(n_states, _IMPOSSIBLE, dtype=np.float32)
    old = score.copy()
    step = leave.copy()  # from a state to the next one of its slot
    step[per_slot - 1 :: per_slot] = _IMPOSSIBLE
    for slot in range(n_states // per_slot):
        if before[first[slot + 1] - 1] < 0:
            score[slot * per_slot] = emission[0, slot * per_slot]
    for frame in range(1, n_frames):
        score, old = old, score
        emitted, back = emission[frame], moved[frame]
        score[0], back[0] = old[0] + stay[0], 0
        for state in range(1, n_states):  # without branches, so that the compiler makes vectors of it
            waited = old[state] + stay[state]
            came = old[state - 1] + step[state - 1]
            back[state] = np.int32(came > waited)
            score[state] = max(waited, came)
        for slot in range(n_states // per_slot):
            state = slot * per_slot
            for k in range(first[slot], first[slot + 1]):
                if before[k] >= 0:
                    other = before[k] * per_slot + per_slot - 1
                    value = old[other] + leave[other]
                    if value > score[state]:
                        score[state], back[state] = value, state - other
        for state in range(n_states):
            score[state] += emitted[state]
    path: NDArray[np.int64] = _traced(moved, score + leave, last_slots, per_slot)
    return path


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _traced(
    moved: NDArray[np.int32], final: NDArray[np.float32], last_slots: NDArray[np.int64], per_slot: int
) -> NDArray[np.int64]:
    """Return the path that ends in the best last state of ``last_slots``."""
    path = np.full(len(moved), -1, dtype=np.int64)
    best, end = _IMPOSSIBLE / 2, -1
    for slot in last_slots:
        state = slot * per_slot + per_slot - 1
        if final[state] > best:
            best, end = final[state], state
    if end >= 0:
        path[-1] = end
        for frame in range(len(moved) - 1, 0, -1):
            path[frame - 1] = path[frame] - moved[frame, path[frame]]
    return path
