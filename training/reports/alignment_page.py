"""Writes the page of a corpus's alignment: pictures of utterances, phones, and what was left out."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from store.atomic import write_text
from store.records import Alignment, Skipped
from store.vocabulary import COMMON_RATE
from training.reports.alignment_figures import PhoneValues, draw_durations, draw_phone_scores
from training.reports.figures import Drawing
from training.reports.page import inline

TEMPLATE = "alignment_template.html"
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneRow:
    """One line of the table of phones, as text."""

    phone: str
    kind: str
    vowel: str
    n: int
    median_ms: str
    short_percent: str
    median_score: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentContent:
    """What the page says: counts, notes, reasons with their numbers of utterances, and the phones."""

    title: str
    aligner: str
    notes: tuple[str, ...]
    n_utterances: int
    n_aligned: int
    n_phones: int
    shortest_ms: int
    reasons: tuple[tuple[str, int], ...]
    left_out: tuple[Skipped, ...]
    phones: tuple[PhoneRow, ...]


def phone_values(alignments: Sequence[Alignment]) -> dict[str, PhoneValues]:
    """Return durations and scores of each phone, the most frequent phone first."""
    tokens: dict[str, list[tuple[float, float]]] = {}
    for row in alignments:
        for item in row.phones:
            tokens.setdefault(item.phone, []).append(((item.stop - item.start) / COMMON_RATE, item.score))
    ranked = sorted(tokens.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return {
        phone: PhoneValues(phone=phone, seconds=values[:, 0], scores=values[:, 1])
        for phone, values in ((phone, np.array(rows, dtype=np.float64)) for phone, rows in ranked)
    }


def phone_rows(
    values: Mapping[str, PhoneValues], kinds: Mapping[str, str], vowels: Mapping[str, str], shortest: float
) -> tuple[PhoneRow, ...]:
    """Return the table of phones; ``kinds`` and ``vowels`` give articulatory class and shared vowel."""
    return tuple(
        PhoneRow(
            phone=phone,
            kind=kinds.get(phone, ""),
            vowel=f"/{vowels[phone]}/" if phone in vowels else "",
            n=len(item.seconds),
            median_ms=f"{1000 * np.median(item.seconds):.0f}",
            short_percent=f"{100 * np.mean(item.seconds <= shortest):.0f}",
            median_score=f"{np.median(item.scores):.2f}",
        )
        for phone, item in values.items()
    )


def group_reasons(left_out: Sequence[Skipped]) -> tuple[tuple[str, int], ...]:
    """Return the reasons with their numbers of utterances, most frequent first; numbers become N."""
    counts = Counter(_NUMBER.sub("N", row.reason) for row in left_out)
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def write_alignment_page(
    path: Path,
    content: AlignmentContent,
    pictures: Sequence[Drawing],
    values: Mapping[str, PhoneValues],
    shortest: float,
) -> None:
    """Write one self-contained page; raises `StoreError` if the file cannot be written."""
    histograms = [draw_durations(values, shortest)] if values else []
    if any(item.scores.any() for item in values.values()):  # hand labels and TextGrids have no scores
        histograms.append(draw_phone_scores(values))
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    page = environment.get_template(TEMPLATE).render(
        content=content, pictures=[inline(d) for d in pictures], histograms=[inline(d) for d in histograms]
    )
    write_text(path, page.rstrip() + "\n")
