"""Features of the waveform itself: zero-crossing rate and energy, after librosa."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.clip import Clip, checked_samples
from store.records import FeatureSpec, FrameLaw
from store.vocabulary import COMMON_RATE

FRAME, HOP, QUIETEST = 400, 160, -100.0
_LAW = FrameLaw(kind="centred", hop=HOP)

ZCR_SPEC = FeatureSpec(
    name="zcr", version=1, params={"frame": FRAME, "hop": HOP, "padding": "edge", "threshold": 1e-10},
    dims=(1,), dtype="float32", sample_rate=COMMON_RATE, law=_LAW,
)  # fmt: skip
ENERGY_SPEC = FeatureSpec(
    name="energy", version=1,
    params={"frame": FRAME, "hop": HOP, "padding": "zeros", "log": "20 log10 rms", "floor": QUIETEST},
    dims=(1,), dtype="float32", sample_rate=COMMON_RATE, law=_LAW,
)  # fmt: skip


def zero_crossing_rate(
    samples: NDArray[np.float32], frame: int = FRAME, hop: int = HOP
) -> NDArray[np.float32]:
    """Return the share of sign changes in each frame, shape (1 + n // hop,), of ``samples`` (n,).

    ``librosa.feature.zero_crossing_rate(y, frame_length=frame, hop_length=hop)``: edge padding, samples
    within 1e-10 of zero count as zero, and zero as positive.
    """
    padded = np.pad(samples, frame // 2, mode="edge")
    negative = padded < -1e-10
    changes = np.concatenate([[0], np.cumsum(negative[1:] != negative[:-1])])  # up to each sample
    starts = np.arange(1 + samples.size // hop) * hop
    counts = changes[starts + frame - 1] - changes[starts]
    return np.asarray(counts / frame, dtype=np.float32)


def energy(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the level of 25 ms frames in dB, shape (1 + n // 160,), of ``samples`` (n,) at 16 kHz.

    ``20 log10(librosa.feature.rms(y, frame_length=400, hop_length=160))`` of the frame without a window, at
    least -100 dB; a sine at full scale has -3 dB.
    """
    padded = np.pad(samples, FRAME // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    power = np.einsum("ij,ij->i", frames, frames, dtype=np.float64) / FRAME
    quietest = 10 ** (QUIETEST / 10)
    return np.asarray(10.0 * np.log10(np.maximum(power, quietest)), dtype=np.float32)


@dataclass(frozen=True)
class ZeroCrossings:
    """`zero_crossing_rate` as an extractor."""

    spec: FeatureSpec = ZCR_SPEC

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (rows, 1) float32, a share of samples, for each clip."""
        return [zero_crossing_rate(checked_samples(clip, COMMON_RATE))[:, None] for clip in clips]


@dataclass(frozen=True)
class Energy:
    """`energy` as an extractor."""

    spec: FeatureSpec = ENERGY_SPEC

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (rows, 1) float32 in dB for each clip."""
        return [energy(checked_samples(clip, COMMON_RATE))[:, None] for clip in clips]
