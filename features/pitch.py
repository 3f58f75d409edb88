"""Fundamental frequency by Praat's autocorrelation method."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import parselmouth
from numpy.typing import NDArray

from features.clip import Clip, checked_samples
from features.framing import row_count
from store.records import FeatureSpec, FrameLaw
from store.vocabulary import COMMON_RATE

STEP, FLOOR, CEILING = 0.010, 75.0, 600.0
"""Seconds between rows; the lowest and highest F0 in Hz that are sought."""
_LAW = FrameLaw(kind="centred", hop=160)
_PERIODS = 3  # of the lowest F0 in Praat's window
_SETTINGS = {
    "max_number_of_candidates": 15, "silence_threshold": 0.03, "voicing_threshold": 0.45,
    "octave_cost": 0.01, "octave_jump_cost": 0.35, "voiced_unvoiced_cost": 0.14,
}  # fmt: skip

SPEC = FeatureSpec(
    name="f0",
    version=1,
    params={
        "method": "praat ac", "step": STEP, "floor": FLOOR, "ceiling": CEILING, "very_accurate": False,
        **_SETTINGS, "interpolation": "linear", "praat": parselmouth.PRAAT_VERSION,
    },
    dims=(1,),
    dtype="float32",
    sample_rate=COMMON_RATE,
    law=_LAW,
)  # fmt: skip


def pitch(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return F0 in Hz and the autocorrelation at its period, every 10 ms, shape (1 + n // 160, 2).

    ``samples`` (n,) are at 16 kHz; both are NaN where Praat finds no voice. Row i is read at i x 10 ms, as
    Praat's *Get value at time* with linear interpolation does (Boersma 1993; the settings are Praat's own).
    A clip shorter than 40 ms, three periods of the lowest F0, is all NaN.
    """
    count = row_count(_LAW, samples.size)
    if samples.size <= _PERIODS / FLOOR * COMMON_RATE:
        return np.full((count, 2), np.nan, dtype=np.float32)
    sound = parselmouth.Sound(samples.astype(np.float64), sampling_frequency=COMMON_RATE)
    found = sound.to_pitch_ac(time_step=STEP, pitch_floor=FLOOR, pitch_ceiling=CEILING, **_SETTINGS)
    candidates = found.selected_array
    values = np.stack([candidates["frequency"], candidates["strength"]], axis=1)
    values[values[:, 0] == 0] = np.nan
    return _at(values, (np.arange(count) * STEP - found.x1) / found.dx)


def _at(values: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return ``values`` (n, k) between rows: NaN where the nearer row is, the nearer where the other is NaN.

    Places half a row or more beyond either end are NaN.
    """
    framed = np.pad(values, ((1, 1), (0, 0)), constant_values=np.nan)
    left = np.clip(np.floor(places), -1, len(values) - 1).astype(np.int64)
    phase = (places - left)[:, None]
    near = framed[left + 1 + (phase[:, 0] >= 0.5)]
    far = framed[left + 1 + (phase[:, 0] < 0.5)]
    weight = np.where(phase < 0.5, phase, 1 - phase)
    mixed = np.where(np.isnan(far), near, near + weight * (far - near))
    mixed[(places < -0.5) | (places > len(values) - 0.5)] = np.nan
    return np.asarray(mixed, dtype=np.float32)


def shared_pitch(clip: Clip) -> NDArray[np.float32]:
    """Return `pitch` of a clip, computed once for all extractors; its errors: `checked_samples`."""
    samples = checked_samples(clip, COMMON_RATE)
    return clip.once("pitch", lambda: pitch(samples))


@dataclass(frozen=True)
class F0:
    """The first column of `pitch` as an extractor."""

    spec: FeatureSpec = SPEC

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (rows, 1) float32 in Hz, NaN where unvoiced, for each clip."""
        return [np.ascontiguousarray(shared_pitch(clip)[:, :1]) for clip in clips]
