"""From the words of an utterance to a graph of HMM states, and the best path through it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from store.vocabulary import SILENCE

STATES = 3
"""States of each unit, left to right without skips: no phone is shorter than 30 ms."""


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

    @cached_property
    def shortest(self) -> int:
        """Fewest frames that any path needs."""
        return self.per_slot * sum(not slot.optional for slot in self.slots)


def build_graph(slots: Sequence[Slot], mixtures: NDArray[np.int64], *, repeat: int = 1) -> Graph:
    """Return the graph of ``slots``, whose states have the given ``mixtures`` (slots, STATES).

    ``repeat`` copies of each state stand one behind the other: with frames ``repeat`` times as dense, least
    and expected durations stay what they are.
    """
    before: list[int] = []
    first = [0]
    for place in range(len(slots)):
        before += _predecessors(slots, place)
        first.append(len(before))
    ends = _predecessors(slots, len(slots))
    return Graph(
        tuple(slots), STATES * repeat, np.repeat(mixtures.ravel(), repeat), np.array(before, dtype=np.int64),
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
    from pipeline.aligners.compiled import viterbi  # numba takes half a second to load

    if len(log_likelihood) < graph.shortest or not len(graph.last_slots):
        return None
    emission = np.take(log_likelihood, graph.pdf, axis=1)
    path = viterbi(
        emission,
        log_stay[graph.pdf],
        log_leave[graph.pdf],
        graph.before,
        graph.first,
        graph.last_slots,
        graph.per_slot,
    )
    return np.asarray(path, dtype=np.int64) if path[0] >= 0 else None


def silence(*, optional: bool = True) -> Slot:
    """Return a slot for a pause."""
    return Slot(SILENCE, SILENCE, optional)
