"""Contexts of phones: the classes of their neighbours in the text, which change how they begin and end."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.aligners.graph import STATES, Slot
from pipeline.phones import articulatory_class
from store.vocabulary import SILENCE

_PAUSE = articulatory_class(SILENCE)


class Context(NamedTuple):
    """The first state of a unit after, or its last state before, a neighbour of an articulatory class.

    Between words the neighbour is the place of the pause, whether or not one was made.
    """

    unit: str
    state: int
    neighbour: str


def contexts_of(slots: Sequence[Slot], units: Sequence[str]) -> Iterator[tuple[int, Context]]:
    """Yield place and context of the first and last state of each slot but pauses.

    ``units`` are those that stand for the slots' own, which differ where the model never heard one.
    """
    classes = [_PAUSE, *(articulatory_class(slot.unit) for slot in slots), _PAUSE]
    for place, unit in enumerate(units):
        if unit != SILENCE:
            yield place, Context(unit, 0, classes[place])
            yield place, Context(unit, STATES - 1, classes[place + 2])
