"""From the words of an utterance to a graph of HMM states, and the best path through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from store.vocabulary import SILENCE

STATES = 3
"""States of each unit, left to right without skips: no phone is shorter than 30 ms."""

_IMPOSSIBLE = np.float32(-1e30)


@dataclass(frozen=True)
class Slot:
    """One place in a pronunciation: IPA phone ("" for silence), HMM unit, whether it may be left out."""

    phone: str
    unit: str
    optional: bool = False


@dataclass(frozen=True)
class Graph:
    """The states of a sequence of slots: state s belongs to slot ``s // per_slot``.

    ``pdf`` (S,) is the mixture of each state. The first state of a slot is entered from the last states of
    ``before[first[slot]:first[slot + 1]]`` (slots; -1 is the start of the utterance).
    """

    slots: tuple[Slot, ...]
    per_slot: int
    pdf: NDArray[np.int64]
    before: NDArray[np.int64]
    first: NDArray[np.int64]
    last_slots: NDArray[np.int64]

    @property
    def shortest(self) -> int:
        """Fewest frames that any path needs."""
        return self.per_slot * sum(not slot.optional for slot in self.slots)


def build_graph(slots: Sequence[Slot], units: Mapping[str, int], *, repeat: int = 1) -> Graph:
    """Return the graph of ``slots``; the states of a unit are STATES x its index in ``units`` + k.

    ``repeat`` copies of each state stand one behind the other: with frames ``repeat`` times as dense, least
    and expected durations stay what they are.
    """
    pdf = [STATES * units[slot.unit] + state // repeat for slot in slots for state in range(STATES * repeat)]
    before: list[int] = []
    first = [0]
    for place in range(len(slots)):
        before += _predecessors(slots, place)
        first.append(len(before))
    ends = _predecessors(slots, len(slots))
    return Graph(
        tuple(slots), STATES * repeat, np.array(pdf, dtype=np.int64), np.array(before, dtype=np.int64),
        np.array(first, dtype=np.int64), np.array([end for end in ends if end >= 0], dtype=np.int64),
    )  # fmt: skip


def _predecessors(slots: Sequence[Slot], place: int) -> list[int]:
    """Return the slots that may stand just before ``place`` (all between are optional); -1 for the start."""
    found = []
    for previous in range(place - 1, -1, -1):
        found.append(previous)
        if not slots[previous].optional:
            return found
    return [*found, -1]


def best_path(
    graph: Graph, log_likelihood: NDArray[np.float32], log_stay: NDArray[np.float32],
    log_leave: NDArray[np.float32],
) -> NDArray[np.int64] | None:  # fmt: skip
    """Return the best state of each frame (frames,), or None if the utterance is too short for its phones.

    ``log_likelihood`` (frames, P) is already scaled; ``log_stay`` and ``log_leave`` (P,) are the transitions.
    """
    if len(log_likelihood) < graph.shortest or not len(graph.last_slots):
        return None
    emission = np.ascontiguousarray(log_likelihood[:, graph.pdf])
    path = _viterbi(
        emission,
        log_stay[graph.pdf],
        log_leave[graph.pdf],
        graph.before,
        graph.first,
        graph.last_slots,
        graph.per_slot,
    )
    return np.asarray(path, dtype=np.int64) if path[0] >= 0 else None


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _viterbi(  # noqa: PLR0912, PLR0917 - one compiled loop
    emission: NDArray[np.float32], stay: NDArray[np.float32], leave: NDArray[np.float32],
    before: NDArray[np.int64], first: NDArray[np.int64], last_slots: NDArray[np.int64],
    per_slot: int,
) -> NDArray[np.int64]:  # fmt: skip
    """Viterbi decoding over left-to-right units with optional ones; a path of -1 where there is none."""
    n_frames, n_states = emission.shape
    back = np.empty((n_frames, n_states), dtype=np.int32)
    score = np.full(n_states, _IMPOSSIBLE, dtype=np.float32)
    for slot in range(n_states // per_slot):
        for k in range(first[slot], first[slot + 1]):
            if before[k] < 0:
                score[slot * per_slot] = emission[0, slot * per_slot]
    for frame in range(1, n_frames):
        for state in range(n_states - 1, -1, -1):  # downwards: predecessors still hold the frame before
            best, origin = score[state] + stay[state], state
            if state % per_slot:
                value = score[state - 1] + leave[state - 1]
                if value > best:
                    best, origin = value, state - 1
            else:
                slot = state // per_slot
                for k in range(first[slot], first[slot + 1]):
                    if before[k] >= 0:
                        other = before[k] * per_slot + per_slot - 1
                        value = score[other] + leave[other]
                        if value > best:
                            best, origin = value, other
            score[state] = best + emission[frame, state]
            back[frame, state] = origin
    path = np.full(n_frames, -1, dtype=np.int64)
    best, end = _IMPOSSIBLE / 2, -1
    for slot in last_slots:
        state = slot * per_slot + per_slot - 1
        if score[state] + leave[state] > best:
            best, end = score[state] + leave[state], state
    if end >= 0:
        path[-1] = end
        for frame in range(n_frames - 1, 0, -1):
            path[frame - 1] = back[frame, path[frame]]
    return path


def silence(*, optional: bool = True) -> Slot:
    """Return a slot for a pause."""
    return Slot(SILENCE, SILENCE, optional)
