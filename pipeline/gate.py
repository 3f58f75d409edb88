"""The quality gate: rejects alignments that cannot be right, and counts phones at the shortest duration."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store.records import Alignment, PhoneInterval
from store.vocabulary import COMMON_RATE, SILENCE

SHORTEST = 0.030
"""Seconds; no phone of the embedded aligner is shorter, and where most are so short the text is wrong."""
FEWEST = 20
"""Utterances below which a corpus is too small to tell an outlier by."""
LAST = 3
"""Phones at the end of a recording that tell whether it was cut: the rest of its text crowds there."""
_RARE = 1 / 3
"""Share of recordings that end in speech beyond which that is usual in a corpus, and no sign of a cut."""
_SHORTER = 1.0
"""Robust standard deviations by which the last phones of a cut recording are shorter than the corpus's."""
_QUARTILES_OF_NORMAL = 1.349


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Thresholds beyond which an alignment is rejected.

    ``score`` is the lowest normalised score, ``score_spread`` how many robust standard deviations (quartile
    distance / 1.349) a score may lie below the corpus's median; ``floor`` the largest share of phones that
    last `SHORTEST` or less; ``slowest`` and ``fastest`` bound phones per second of speech, as multiples of
    the corpus's median. ``cut`` is how many robust standard deviations the last phones of a recording that
    ends in speech may score below those of the corpus, where they are short too and most others end in
    silence.

    The defaults are measured (decision 0003, docs/alignment.md): on EMO-DB they keep every right text and
    reject every shuffled one.
    """

    score: float = -0.85
    score_spread: float = 9.0
    floor: float = 0.5
    slowest: float = 0.4
    fastest: float = 2.0
    cut: float = 5.0


@dataclass(frozen=True, slots=True)
class Quality:
    """What the gate looks at, one value for each alignment.

    ``score`` is the aligner's normalised score, ``at_floor`` and ``phones`` count the phones that last
    `SHORTEST` or less and all, ``rate`` is in phones per second of speech (0 without a phone).
    ``last_score`` and ``last_length`` are the mean score and the geometric mean length (s) of the last
    `LAST` phones (NaN without a phone), ``open_end`` says that no silence follows them.
    """

    score: NDArray[np.float64]
    at_floor: NDArray[np.int64]
    phones: NDArray[np.int64]
    rate: NDArray[np.float64]
    last_score: NDArray[np.float64]
    last_length: NDArray[np.float64]
    open_end: NDArray[np.bool_]


def measure_quality(alignments: Sequence[Alignment]) -> Quality:
    """Return the measurements of the alignments, in their order."""
    spoken = [row.phones for row in alignments]
    phones = np.array([len(row) for row in spoken], dtype=np.int64)
    owner = np.repeat(np.arange(len(spoken)), phones)
    lengths = np.array([p.stop - p.start for row in spoken for p in row], dtype=np.float64) / COMMON_RATE
    seconds = np.bincount(owner, weights=lengths, minlength=len(spoken))
    at_floor = np.bincount(owner, weights=lengths <= SHORTEST, minlength=len(spoken))
    return Quality(
        score=np.array([row.score for row in alignments], dtype=np.float64),
        at_floor=at_floor.astype(np.int64),
        phones=phones,
        rate=np.divide(phones, seconds, out=np.zeros(len(spoken)), where=seconds > 0),
        last_score=np.array([np.mean([p.score for p in row[-LAST:]]) if row else np.nan for row in spoken]),
        last_length=np.array([_typical_length(row[-LAST:]) for row in spoken]),
        open_end=np.array([row.intervals[-1].phone != SILENCE for row in alignments], dtype=bool),
    )


def _typical_length(phones: Sequence[PhoneInterval]) -> float:
    """Return the geometric mean of the lengths of phones in seconds."""
    lengths = np.array([phone.stop - phone.start for phone in phones]) / COMMON_RATE
    return float(np.exp(np.log(lengths).mean())) if len(lengths) else np.nan


def faults(quality: Quality, gate: Gate, *, scored: bool = True, certain: bool = True) -> list[str | None]:
    """Return for each alignment why the gate rejects it, with number and threshold, or None.

    Parameters
    ----------
    quality, gate
        The measurements of a corpus's alignments, and the thresholds.
    scored
        Whether the aligner gives scores; hand labels and TextGrids have none.
    certain
        Whether the model was trained on the corpus. Without that the scores lie on another scale: they are
        then held against the corpus's median alone.

    Notes
    -----
    What is compared with the corpus needs at least `FEWEST` utterances.
    """
    found: list[str | None] = [None] * len(quality.score)
    comparable = len(found) >= FEWEST
    if comparable:
        _note_rates(found, quality.rate, gate)
    if comparable and scored and certain:
        _note_cuts(found, quality, gate)
    share = quality.at_floor / np.maximum(quality.phones, 1)
    for place in np.flatnonzero(share > gate.floor):
        found[place] = (
            f"{100 * share[place]:.0f} % of its phones last {1000 * SHORTEST:.0f} ms or less "
            f"(gate_floor: at most {100 * gate.floor:.0f} %)"
        )
    if scored:
        _note_scores(found, quality.score, _lowest(quality.score, gate, certain, comparable))
    return found


def _lowest(scores: NDArray[np.float64], gate: Gate, certain: bool, comparable: bool) -> float:
    """Return the lowest score that passes."""
    lowest = gate.score if certain else -np.inf
    if comparable:
        middle, spread = _usual(scores)
        if spread > 0:
            lowest = max(lowest, middle - gate.score_spread * spread)
    return float(lowest)


def _usual(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return median and robust standard deviation."""
    low, middle, high = np.nanquantile(values, [0.25, 0.5, 0.75]).tolist()
    return middle, (high - low) / _QUARTILES_OF_NORMAL


def _note_cuts(found: list[str | None], quality: Quality, gate: Gate) -> None:
    """Reject what ends in speech whose last phones fit badly and are short: its text goes on."""
    if np.isnan(quality.last_score).all() or quality.open_end.mean() > _RARE:
        return
    (usual, spread), lengths = _usual(quality.last_score), np.log(quality.last_length)
    usual_length, spread_of_length = _usual(lengths)
    if not (spread > 0 and spread_of_length > 0):
        return
    short = lengths < usual_length - _SHORTER * spread_of_length
    lowest = usual - gate.cut * spread
    for place in np.flatnonzero(quality.open_end & short & (quality.last_score < lowest)):
        found[place] = (
            f"it ends in speech, and its last {LAST} phones last {1000 * quality.last_length[place]:.0f} ms "
            f"(the corpus's {1000 * np.exp(usual_length):.0f} ms) with a score of "
            f"{quality.last_score[place]:.2f}: it may be cut (gate_cut: {gate.cut:g} robust SD under "
            f"the corpus's median, {lowest:.2f})"
        )


def _note_scores(found: list[str | None], scores: NDArray[np.float64], lowest: float) -> None:
    for place in np.flatnonzero(scores < lowest):
        found[place] = (
            f"score {scores[place]:.2f}, the text may be another (gate_score: at least {lowest:.2f})"
        )


def _note_rates(found: list[str | None], rates: NDArray[np.float64], gate: Gate) -> None:
    usual = float(np.median(rates))
    for place in np.flatnonzero((rates < gate.slowest * usual) | (rates > gate.fastest * usual)):
        found[place] = (
            f"{rates[place]:.1f} phones/s, the corpus has {usual:.1f} "
            f"(gate_slowest, gate_fastest: {gate.slowest:g} to {gate.fastest:g} times that)"
        )
