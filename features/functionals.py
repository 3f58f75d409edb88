"""Functionals: 88 numbers that sum up the pitch, level, resonances and timbre of a whole recording."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features import formants, pitch
from features.cepstra import Mfcc, cepstra
from features.clip import Clip, checked_samples
from features.mel import MEL_80, shared_log_mel
from features.pitch import shared_pitch
from features.temporal import ENERGY_SPEC, ZCR_SPEC, energy, zero_crossing_rate
from store.records import FeatureSpec, FrameLaw
from store.vocabulary import COMMON_RATE

DESCRIPTORS: tuple[str, ...] = (
    "energy", "zcr", "f0_semitones", "hnr", "f1", "f2", "f3", "b1", "b2",
    *(f"mfcc{number}" for number in range(1, 14)),
)  # fmt: skip
FUNCTIONALS: tuple[str, ...] = ("mean", "sd", "p20", "p80")
COLUMNS: tuple[str, ...] = tuple(f"{name}_{part}" for part in FUNCTIONALS for name in DESCRIPTORS)
"""The name of each of the 88 columns."""
_SEMITONE_ZERO = 27.5  # Hz, as in eGeMAPS

_MADE_OF = (ENERGY_SPEC, ZCR_SPEC, pitch.SPEC, formants.BANDWIDTH_SPEC, Mfcc(14).spec)

SPEC = FeatureSpec(
    name="functionals88",
    version=1,
    params={
        "columns": list(COLUMNS), "f0": "semitones above 27.5 Hz", "voiced_only": "f0 hnr f1-f3 b1 b2",
        "percentiles": "linear", "sd": "ddof 0",
        "made of": {spec.name: spec.digest for spec in _MADE_OF},
    },
    dims=(len(COLUMNS),),
    dtype="float32",
    sample_rate=COMMON_RATE,
    law=FrameLaw(kind="utterance"),
    uses=("gender",),
)  # fmt: skip


def descriptors(clip: Clip) -> NDArray[np.float32]:
    """Return the `DESCRIPTORS` every 10 ms, shape (1 + n // 160, 22), of a clip at 16 kHz.

    F0, harmonics-to-noise ratio (10 log10 r / (1 - r) of Praat's autocorrelation r), formants and bandwidths
    are NaN in frames without voice. c0 is left out of the MFCC, since energy is there. Raises
    `ExtractionError` as `checked_samples` does.
    """
    samples = checked_samples(clip, COMMON_RATE)
    frequency, periodicity = shared_pitch(clip).T
    periodic = np.clip(periodicity, 1e-3, 1 - 1e-6)
    resonances = np.where(np.isnan(frequency)[:, None], np.nan, formants.shared_tracks(clip)[:, :5])
    columns = (
        energy(samples), zero_crossing_rate(samples), 12 * np.log2(frequency / _SEMITONE_ZERO),
        10 * np.log10(periodic / (1 - periodic)),
    )  # fmt: skip
    timbre = cepstra(shared_log_mel(clip, MEL_80), 14)[:, 1:]
    return np.concatenate([np.stack(columns, axis=1), resonances, timbre], axis=1, dtype=np.float32)


def functionals(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return mean, SD, 20th and 80th percentile of each column of ``rows`` (n, d), shape (4 d,).

    NaN is left out; a column of nothing but NaN, such as F0 of a whisper, gives NaN.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns without a number, which are NaN
        values = rows.astype(np.float64)
        parts = (np.nanmean(values, axis=0), np.nanstd(values, axis=0))
        return np.concatenate([*parts, *np.nanpercentile(values, (20, 80), axis=0)]).astype(np.float32)


@dataclass(frozen=True)
class Functionals:
    """`functionals` of `descriptors` as an extractor: our own free set of the size of eGeMAPS."""

    spec: FeatureSpec = SPEC

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (1, 88) float32 for each clip; the columns are `COLUMNS`."""
        return [functionals(descriptors(clip))[None] for clip in clips]
