"""The input of system 000: 23 log-mel bands of exactly seven seconds (Thai cross-lingual CNN-BLSTM, 2024)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.clip import Clip, checked_samples
from features.mel import DECIBEL, MelBands, log_mel
from features.stft import LIBROSA
from store.records import FeatureSpec, FrameLaw

SAMPLES, BANDS = 154_350, 23
_BANDS = MelBands(LIBROSA, BANDS)
ROWS = 1 + SAMPLES // LIBROSA.hop

SPEC = FeatureSpec(
    name="lmf23",
    version=1,
    params={**_BANDS.params(), **DECIBEL, "samples": SAMPLES, "shorter": "wrap", "longer": "head"},
    dims=(BANDS,),
    dtype="float32",
    sample_rate=LIBROSA.rate,
    law=FrameLaw(kind="fixed", rows=ROWS),
)


def lmf23(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log-mel bands in dB, shape (302, 23), of ``samples`` (n,) at 22,050 Hz.

    Longer recordings are cut to their first 154,350 samples, shorter ones repeated until they are as long
    (``numpy.pad(mode="wrap")``); then 2048-point frames every 512 samples, power, 10 log10 of at least 1e-10.
    """
    return log_mel(np.resize(samples, SAMPLES), _BANDS)


@dataclass(frozen=True)
class Lmf23:
    """`lmf23` as an extractor."""

    spec: FeatureSpec = SPEC

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (302, 23) float32 in dB for each clip."""
        return [lmf23(checked_samples(clip, self.spec.sample_rate)) for clip in clips]
