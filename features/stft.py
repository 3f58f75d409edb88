"""The short-time power spectrum that every spectral feature starts from, as librosa defines it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from features.mel_scale import cosine_window
from store.records import FrameLaw

Real = TypeVar("Real", np.float32, np.float64)


@dataclass(frozen=True, slots=True)
class Transform:
    """A centred short-time Fourier transform: sizes in samples at ``rate``.

    The periodic Hann window of ``window`` samples lies in the middle of ``n_fft``.
    """

    rate: int
    n_fft: int
    hop: int
    window: int

    @property
    def law(self) -> FrameLaw:
        """Row i is centred at sample i x hop."""
        return FrameLaw(kind="centred", hop=self.hop)

    @property
    def bins(self) -> int:
        """Number of frequencies, from 0 to half the rate."""
        return self.n_fft // 2 + 1


SPEECH = Transform(rate=16_000, n_fft=400, hop=160, window=400)
"""25 ms every 10 ms."""

SPEECH_FINE = Transform(rate=16_000, n_fft=1024, hop=160, window=400)
"""25 ms every 10 ms, zero-padded so that the narrowest of 128 mel bands still holds a bin."""

LIBROSA = Transform(rate=22_050, n_fft=2048, hop=512, window=2048)
"""librosa's own defaults, which systems 000 and 001 take."""


def power_spectrum(samples: NDArray[Real], transform: Transform) -> NDArray[Real]:
    """Return the power spectrum, shape (1 + n // hop, bins), of ``samples`` (n,), in their precision.

    Equal to ``abs(librosa.stft(y, n_fft=..., hop_length=..., win_length=...)).T ** 2`` of librosa 0.11:
    zero padding at both ends (McFee et al. 2015).
    """
    padded = np.pad(samples, transform.n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, transform.n_fft)[:: transform.hop]
    window = _window(transform.window, transform.n_fft).astype(samples.dtype)
    spectrum = scipy.fft.rfft(frames * window, axis=1)
    return np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=samples.dtype)


@lru_cache(maxsize=8)
def _window(length: int, n_fft: int) -> NDArray[np.float64]:
    before = (n_fft - length) // 2
    return np.pad(cosine_window(length), (before, n_fft - length - before))
