"""Formants F1-F3 and their bandwidths by Praat's Burg method."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import parselmouth
from numpy.typing import NDArray

from features.clip import Clip, checked_samples
from features.framing import row_count
from store.errors import ExtractionError
from store.records import FeatureSpec, FrameLaw
from store.vocabulary import COMMON_RATE

CEILINGS = {"male": 5000.0, "female": 5500.0, "unknown": 5500.0}
"""Highest formant frequency in Hz for each gender (Praat's manual, "Sound: To Formant (burg)...")."""
STEP, WINDOW, PRE_EMPHASIS, SEARCHED, KEPT = 0.010, 0.025, 50.0, 5.0, 3
_LAW = FrameLaw(kind="centred", hop=160)

SPEC = FeatureSpec(
    name="formants",
    version=1,
    params={
        "method": "praat burg", "formants": SEARCHED, "ceilings": CEILINGS, "window": WINDOW, "step": STEP,
        "pre_emphasis": PRE_EMPHASIS, "interpolation": "linear", "praat": parselmouth.PRAAT_VERSION,
    },
    dims=(KEPT,),
    dtype="float32",
    sample_rate=COMMON_RATE,
    law=_LAW,
    uses=("gender",),
)  # fmt: skip


BANDWIDTH_SPEC = replace(SPEC, name="formants-bandwidths", dims=(2 * KEPT,))


def tracks(samples: NDArray[np.float32], gender: str) -> NDArray[np.float32]:
    """Return F1, F2, F3 and their bandwidths in Hz every 10 ms, shape (1 + n // 160, 6), NaN where undefined.

    ``samples`` (n,) are at 16 kHz. Five formants are sought below 5000 Hz for male and 5500 Hz for female and
    unknown speakers in 25 ms windows (Boersma & Weenink, Praat); row i is read at i x 10 ms. A clip too
    short for Praat is all NaN. Raises `ExtractionError` on an unknown gender.
    """
    if gender not in CEILINGS:
        raise ExtractionError(f"a gender of {', '.join(CEILINGS)}", repr(gender), "mend the corpus adapter")
    rows = np.full((row_count(_LAW, samples.size), 2 * KEPT), np.nan, dtype=np.float32)
    if samples.size <= 2 * WINDOW * COMMON_RATE:  # Praat's Gaussian window is twice as long as its name says
        return rows
    sound = parselmouth.Sound(samples.astype(np.float64), sampling_frequency=COMMON_RATE)
    found = sound.to_formant_burg(
        time_step=STEP,
        max_number_of_formants=SEARCHED,
        maximum_formant=CEILINGS[gender],
        window_length=WINDOW,
        pre_emphasis_from=PRE_EMPHASIS,
    )
    for row in range(len(rows)):
        rows[row, :KEPT] = [found.get_value_at_time(number, row * STEP) for number in range(1, KEPT + 1)]
        rows[row, KEPT:] = [found.get_bandwidth_at_time(number, row * STEP) for number in range(1, KEPT + 1)]
    return rows


def formants(samples: NDArray[np.float32], gender: str) -> NDArray[np.float32]:
    """Return F1, F2 and F3 of `tracks`, shape (1 + n // 160, 3)."""
    return np.ascontiguousarray(tracks(samples, gender)[:, :KEPT])


def shared_tracks(clip: Clip) -> NDArray[np.float32]:
    """Return `tracks` of a clip, computed once for all extractors; its errors: `checked_samples`."""
    samples = checked_samples(clip, COMMON_RATE)
    return clip.once(("formants", clip.gender), lambda: tracks(samples, clip.gender))


@dataclass(frozen=True)
class Formants:
    """F1 to F3 as an extractor."""

    spec: FeatureSpec = SPEC

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (rows, 3) float32 in Hz for each clip."""
        return [np.ascontiguousarray(shared_tracks(clip)[:, :KEPT]) for clip in clips]


@dataclass(frozen=True)
class FormantsAndBandwidths:
    """F1 to F3 and their bandwidths B1 to B3 as an extractor."""

    spec: FeatureSpec = BANDWIDTH_SPEC

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (rows, 6) float32 in Hz for each clip."""
        return [shared_tracks(clip) for clip in clips]
