"""The compiled loops of the embedded aligner: peaks of mixtures, the best path, expected durations."""

import numba
import numpy as np
from numpy.typing import NDArray

_IMPOSSIBLE = np.float32(-1e30)
_LEAST = 1e-250
"""What the paths of a frame must weigh together, lest they cannot be told from nothing."""


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


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def expected_frames(  # noqa: PLR0917 - one compiled loop
    log_likelihood: NDArray[np.float32], pdf: NDArray[np.int64], stay: NDArray[np.float64],
    leave: NDArray[np.float64], lowest: NDArray[np.int64], highest: NDArray[np.int64], per_slot: int,
) -> NDArray[np.float64]:  # fmt: skip
    """Return the expected frames of each slot of a chain, NaN where the numbers do not reach.

    State s of the slots has column ``pdf[s]`` of ``log_likelihood`` (frames, P); at each frame the slots from
    ``lowest`` to ``highest`` are possible. Probabilities of a frame are scaled to a sum of one.
    """
    n_frames, n_states = len(log_likelihood), len(pdf)
    density, forward = _forward(log_likelihood, pdf, stay, leave, lowest, highest, per_slot)
    after = np.zeros(n_states)  # of what follows, given the state; -1 is the last one
    after[-1] = 1.0
    expected = np.zeros(n_states // per_slot)
    for frame in range(n_frames - 1, -1, -1):
        first, stop = lowest[frame] * per_slot, (highest[frame] + 1) * per_slot
        if frame < n_frames - 1:
            following, start = density[frame + 1], lowest[frame + 1] * per_slot
            for state in range(first, stop):
                after[state] *= stay[state] * _at(following, state - start)
                if state + 1 < n_states:
                    after[state] += leave[state] * _at(following, state + 1 - start) * after[state + 1]
        weight, size = 0.0, 0.0
        for state in range(first, stop):
            weight += forward[frame, state - first] * after[state]
            size += after[state]
        if not weight > _LEAST:
            return np.full(n_states // per_slot, np.nan)
        for state in range(first, stop):
            expected[state // per_slot] += forward[frame, state - first] * after[state] / weight
            after[state] /= size
    return expected


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _at(row: NDArray[np.float64], place: int) -> float:
    """Return a value of a row, 0 beyond its ends."""
    return row[place] if 0 <= place < len(row) else 0.0


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _forward(  # noqa: PLR0917 - one compiled loop
    log_likelihood: NDArray[np.float32], pdf: NDArray[np.int64], stay: NDArray[np.float64],
    leave: NDArray[np.float64], lowest: NDArray[np.int64], highest: NDArray[np.int64], per_slot: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Return each frame's densities by its largest, and the probabilities of its states by what came before.

    Both are (frames, the most states possible at a frame), so that they grow with the recording and not with
    its square: a row begins with the first state possible at its frame and ends in zeros.
    """
    n_frames, width = len(log_likelihood), ((highest - lowest).max() + 1) * per_slot
    density = np.zeros((n_frames, width))
    forward = np.zeros((n_frames, width))
    for frame in range(n_frames):
        first, stop = lowest[frame] * per_slot, (highest[frame] + 1) * per_slot
        scores = log_likelihood[frame]
        peak = scores[pdf[first]]
        for state in range(first + 1, stop):
            peak = max(peak, scores[pdf[state]])
        total = 0.0
        for state in range(first, stop):
            here = state - first
            density[frame, here] = np.exp(scores[pdf[state]] - peak)
            came = 1.0 * (frame == 0 and state == 0)
            if frame:
                before = state - lowest[frame - 1] * per_slot
                came = _at(forward[frame - 1], before) * stay[state]
                if state:
                    came += _at(forward[frame - 1], before - 1) * leave[state - 1]
            forward[frame, here] = came * density[frame, here]
            total += forward[frame, here]
        if total > _LEAST:
            forward[frame, : stop - first] /= total
    return density, forward
