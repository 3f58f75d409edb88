"""The published values of system 002 that may stand beside ours, never to be compared with them."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from store.vocabulary import FOUR_CLASSES

PAPER_VALUES = Path(__file__).with_name("paper_values.csv")
DIRECTIONS = ("M→B", "B→M")
"""MSP-Podcast (English) to BIIC-Podcast (Taiwanese Mandarin), and the reverse."""
PAPER_NOTE = (
    "Paper: IEEE TAFFC 2025, doi 10.1109/TAFFC.2025.3530105, Table 5, 4-CAT, vowels “Both”, UAR in percent, "
    "for MSP-Podcast → BIIC-Podcast and the reverse. Other corpora, another encoder and another protocol: "
    "shown for orientation, not comparable. A “?” marks a cell of the paper that is doubtful."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperValue:
    """One published cell, in percent; ``flagged`` marks a doubtful one, which must never be a target."""

    direction: str
    value: float
    flagged: bool
    note: str

    @property
    def text(self) -> str:
        """The value as printed, with ``?`` where it is flagged."""
        return f"{self.value:.2f}{' ?' if self.flagged else ''}"


@cache
def _table_5() -> dict[str, tuple[PaperValue, ...]]:
    found: dict[str, list[PaperValue]] = {}
    with PAPER_VALUES.open(encoding="utf-8", newline="") as file:
        for cell in csv.DictReader(file):
            if (cell["system"], cell["table"], cell["column"]) != ("002", "T5 ablations UAR", "4-CAT"):
                continue
            direction, _, row = cell["row"].partition(" ")
            found.setdefault(row, []).append(
                PaperValue(
                    direction=direction,
                    value=float(cell["value"]),
                    flagged=cell["flag"] == "?",
                    note=cell["note"],
                )
            )
    return {row: tuple(values) for row, values in found.items()}


def paper_values(model: str, classes: Sequence[str]) -> tuple[PaperValue, ...]:
    """Return the published UAR of ``model`` in both directions; empty where none fits these classes."""
    if set(classes) != set(FOUR_CLASSES):
        return ()
    return _table_5().get("— CL" if model == "CL" else f"Both {model}", ())
