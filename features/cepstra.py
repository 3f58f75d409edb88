"""Mel-frequency cepstral coefficients and their changes over time, after librosa."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from features.clip import Clip
from features.mel import DECIBEL, MEL_80, shared_log_mel
from store.digests import Json
from store.records import FeatureSpec

DELTA_WIDTH = 9
"""Frames over which a change is fitted (librosa's default)."""


def cepstra(decibel: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return ``count`` coefficients (c0 first), shape (rows, count), of log-mel rows ``decibel``.

    librosa's recipe (``librosa.feature.mfcc(S=decibel.T, n_mfcc=count)``): orthonormal DCT-II, without
    liftering (Davis & Mermelstein 1980).
    """
    cepstrum = scipy.fft.dct(decibel, axis=1, type=2, norm="ortho")
    return np.ascontiguousarray(cepstrum[:, :count], dtype=np.float32)


def with_deltas(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``rows`` (n, d) beside their first and second change over time, shape (n, 3 d).

    ``librosa.feature.delta(rows.T, width=9, order=1 or 2, mode="nearest")``: Savitzky-Golay fits over nine
    frames, the ends held, so that recordings of fewer frames have changes too (Furui 1986).
    """
    from scipy.signal import savgol_filter  # slow to import, and needed by this alone

    changes = [
        savgol_filter(rows, DELTA_WIDTH, order, deriv=order, axis=0, mode="nearest") for order in (1, 2)
    ]
    return np.concatenate([rows, *changes], axis=1, dtype=np.float32)


@dataclass(frozen=True)
class Mfcc:
    """The first coefficients of the 80-band log-mel spectrum, with their changes where asked for."""

    count: int = 13
    deltas: bool = False

    @cached_property
    def spec(self) -> FeatureSpec:
        """One row of ``count`` numbers, or three times as many, every 10 ms."""
        changes: dict[str, Json] = {"deltas": "savitzky-golay, nearest", "width": DELTA_WIDTH}
        return FeatureSpec(
            name=f"mfcc{self.count}" + ("-deltas" if self.deltas else ""),
            version=1,
            params={
                **MEL_80.params(), **DECIBEL, "dct": "II, ortho", "coefficients": self.count, "first": 0,
                **(changes if self.deltas else {}),
            },
            dims=(self.count * (3 if self.deltas else 1),),
            dtype="float32",
            sample_rate=MEL_80.transform.rate,
            law=MEL_80.transform.law,
        )  # fmt: skip

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (rows, count) float32, or (rows, 3 count) with changes, for each clip."""
        found = [cepstra(shared_log_mel(clip, MEL_80), self.count) for clip in clips]
        return [with_deltas(rows) for rows in found] if self.deltas else found
