"""Formants of vowels: one value for each vowel token, and Nearey's speaker normalisation."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store.errors import ExtractionError
from store.records import PhoneInterval
from store.vocabulary import COMMON_RATE, DIPHTHONGS

SHORTEST = 0.030
"""Seconds; shorter vowels are left out."""
RANGES = ((200.0, 1100.0), (500.0, 3200.0))
"""Plausible F1 and F2 in Hz; tokens outside are left out."""
_ONSET, _OFFSET = 0.2, 0.8
_ROW_STEP = COMMON_RATE // 100  # rows of `features.formants` are 10 ms apart


@dataclass(frozen=True, slots=True)
class VowelToken:
    """The formants (F1, F2) in Hz of one vowel token.

    ``phone`` is the index of the phone in the alignment. ``value`` is the median over the middle third of a
    monophthong, or the mean of ``onset`` (20 %) and ``offset`` (80 %) of a diphthong; the two are None for a
    monophthong.
    """

    phone: int
    vowel: str
    value: tuple[float, float]
    onset: tuple[float, float] | None = None
    offset: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class VowelMeasurement:
    """The tokens that were measured, and how many were left out for which reason."""

    tokens: tuple[VowelToken, ...]
    left_out: Mapping[str, int]


def measure_vowels(frames: NDArray[np.float32], phones: Sequence[PhoneInterval]) -> VowelMeasurement:
    """Measure the shared vowels among ``phones`` in formant rows ``frames`` (rows, >= 2) in Hz.

    ``frames`` are those of `features.formants` (row i at i x 10 ms, NaN where undefined); phones whose
    ``vowel`` is None are no tokens. Source: system 002, `methods.md` A.2.
    """
    tokens: list[VowelToken] = []
    left_out: Counter[str] = Counter()
    for index, phone in enumerate(phones):
        if phone.vowel is None:
            continue
        if phone.stop - phone.start < SHORTEST * COMMON_RATE:
            left_out["shorter than 30 ms"] += 1
            continue
        token = _token(index, phone.vowel, frames[:, :2].astype(np.float64), phone)
        reason = _fault(token)
        if reason:
            left_out[reason] += 1
        else:
            tokens.append(token)
    return VowelMeasurement(tuple(tokens), dict(left_out))


def vowel_tokens(frames: NDArray[np.float32], phones: Sequence[PhoneInterval]) -> tuple[VowelToken, ...]:
    """Return the tokens of `measure_vowels`."""
    return measure_vowels(frames, phones).tokens


def nearey(
    values: NDArray[np.float64], speakers: Sequence[str], *, shared: bool = False
) -> NDArray[np.float64]:
    """Return the log-mean normalised formants n_k = ln F_k - mean over the speaker's tokens of ln F_k.

    ``values`` (tokens, formants) are in Hz, ``speakers`` names the speaker of each. ``shared`` subtracts one
    mean over all formants instead (Nearey2). Source: Nearey 1978; `methods.md` A.2. Raises `ExtractionError`
    when a value is not positive or the lengths differ.
    """
    logs, names = _logs(values), np.asarray(speakers)
    if names.shape != (len(logs),):
        raise ExtractionError(f"a speaker for each of {len(logs)} tokens", f"{names.size}", "pass one each")
    normalised = np.empty_like(logs)
    for name in np.unique(names):
        own = names == name
        normalised[own] = logs[own] - (logs[own].mean() if shared else logs[own].mean(axis=0))
    return normalised


def nearey_hertz(
    values: NDArray[np.float64], speakers: Sequence[str], *, shared: bool = False
) -> NDArray[np.float64]:
    """Return `nearey` on an axis in Hz: exp(n_k + grand mean of ln F_k over all tokens)."""
    grand = _logs(values).mean(axis=0) if len(values) else 0.0
    return np.asarray(np.exp(nearey(values, speakers, shared=shared) + grand))


def _logs(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if values.ndim != 2 or not (values > 0).all():
        raise ExtractionError(
            "positive formants (tokens, formants)", f"shape {values.shape}", "drop NaN first"
        )
    return np.asarray(np.log(values))


def _token(index: int, vowel: str, frames: NDArray[np.float64], phone: PhoneInterval) -> VowelToken:
    length = phone.stop - phone.start
    if vowel not in DIPHTHONGS:
        middle = (phone.start + length / 3, phone.stop - length / 3)
        return VowelToken(index, vowel, _median(frames, *middle))
    onset = _at(frames, phone.start + _ONSET * length)
    offset = _at(frames, phone.start + _OFFSET * length)
    value = ((onset[0] + offset[0]) / 2, (onset[1] + offset[1]) / 2)
    return VowelToken(index, vowel, value, onset, offset)


def _median(frames: NDArray[np.float64], start: float, stop: float) -> tuple[float, float]:
    """Return the median over the rows in [start, stop] samples, or the row nearest to their middle."""
    rows = frames[int(np.ceil(start / _ROW_STEP)) : int(np.floor(stop / _ROW_STEP)) + 1]
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows):
        return _at(frames, (start + stop) / 2)
    first, second = np.median(rows, axis=0)
    return float(first), float(second)


def _at(frames: NDArray[np.float64], sample: float) -> tuple[float, float]:
    """Return the row nearest to ``sample``; NaN beyond the last row."""
    row = int(np.floor(sample / _ROW_STEP + 0.5))
    if row >= len(frames):
        return float("nan"), float("nan")
    return float(frames[row, 0]), float(frames[row, 1])


def _fault(token: VowelToken) -> str | None:
    points = [token.value] if token.onset is None or token.offset is None else [token.onset, token.offset]
    if not np.isfinite(points).all():
        return "no formants found"
    for name, axis, (low, high) in (("F1", 0, RANGES[0]), ("F2", 1, RANGES[1])):
        if any(not low <= point[axis] <= high for point in points):
            return f"{name} outside {low:.0f}-{high:.0f} Hz"
    return None
