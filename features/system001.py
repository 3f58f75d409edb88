"""The input of system 001: one vector of 149 time means (DANN poster, English and Mandarin ESD)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.cepstra import cepstra
from features.clip import Clip, checked_samples
from features.contrast import BANDS, RANGE, contrast
from features.mel import DECIBEL, MEL_128_WIDE, decibel, filters
from features.stft import LIBROSA, power_spectrum
from features.temporal import zero_crossing_rate
from store.errors import ExtractionError
from store.records import FeatureSpec, FrameLaw

OFFSET, DURATION, COEFFICIENTS = 0.5, 2.5, 13
_FIRST, _LAST = round(OFFSET * LIBROSA.rate), round((OFFSET + DURATION) * LIBROSA.rate)

SPEC = FeatureSpec(
    name="vec149",
    version=1,
    params={
        **MEL_128_WIDE.params(), **DECIBEL, "offset": OFFSET, "duration": DURATION, "top_db": RANGE,
        "order": ["zcr 1", f"mfcc {COEFFICIENTS}", "melpower 128", f"contrast {BANDS}"], "pooling": "mean",
        "precision": "float64",
    },
    dims=(1 + COEFFICIENTS + MEL_128_WIDE.bands + BANDS,),
    dtype="float32",
    sample_rate=LIBROSA.rate,
    law=FrameLaw(kind="utterance"),
)  # fmt: skip


def vec149(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 149 means over time, shape (149,), of ``samples`` (n,) at 22,050 Hz.

    Of the 2.5 s after the first half second: zero-crossing rate (1), MFCC (13, within 80 dB of the loudest
    band), mel power (128) and spectral contrast (7), each with librosa's defaults. Raises `ExtractionError`
    where nothing lies behind the first half second.
    """
    part = samples[_FIRST:_LAST]
    if part.size == 0:
        raise ExtractionError(
            f"a recording of more than {OFFSET} s",
            f"{samples.size / LIBROSA.rate:.2f} s",
            "leave it out of what reads vec149",
        )
    power = power_spectrum(part.astype(np.float64), LIBROSA)  # see `contrast` for the precision
    bands = power @ filters(MEL_128_WIDE)
    loudness = decibel(bands)
    rows = (
        zero_crossing_rate(part, LIBROSA.n_fft, LIBROSA.hop)[:, None],
        cepstra(np.maximum(loudness, loudness.max() - RANGE), COEFFICIENTS),
        bands,
        contrast(np.sqrt(power)),
    )
    return np.concatenate([item.mean(axis=0, dtype=np.float64) for item in rows]).astype(np.float32)


@dataclass(frozen=True)
class Vec149:
    """`vec149` as an extractor."""

    spec: FeatureSpec = SPEC

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (1, 149) float32 for each clip."""
        return [vec149(checked_samples(clip, self.spec.sample_rate))[None] for clip in clips]
