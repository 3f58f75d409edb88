"""Log-mel spectra and cepstra that agree with librosa."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
import scipy.signal
from librosa.filters import mel
from numpy.typing import NDArray

from features.clip import Clip, checked_samples
from store.records import FeatureSpec, FrameLaw
from store.vocabulary import COMMON_RATE

N_FFT, HOP, BANDS, FLOOR = 400, 160, 80, 1e-10
_MEL: dict[str, str | int | float] = {
    "n_fft": N_FFT, "hop": HOP, "window": "hann", "centre": "zeros", "bands": BANDS, "f_min": 0.0,
    "f_max": 8000.0, "mel": "slaney", "norm": "slaney", "power": 2.0, "log": "10 log10", "floor": FLOOR,
}  # fmt: skip
_LAW = FrameLaw(kind="centred", hop=HOP)

LOG_MEL_SPEC = FeatureSpec(
    name="logmel80", version=1, params=_MEL, dims=(BANDS,), dtype="float32", sample_rate=COMMON_RATE, law=_LAW
)
MFCC_SPEC = FeatureSpec(
    name="mfcc13",
    version=1,
    params={**_MEL, "dct": "II, ortho", "coefficients": 13, "first": 0},
    dims=(13,),
    dtype="float32",
    sample_rate=COMMON_RATE,
    law=_LAW,
)


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log-mel spectrum in dB, shape (1 + n // 160, 80), of ``samples`` (n,) at 16 kHz.

    Equal to ``power_to_db(melspectrogram(y, sr=16000, n_fft=400, hop_length=160, n_mels=80), top_db=None)``
    of librosa 0.11 (zero padding, periodic Hann, Slaney's mel scale and area norm; McFee et al. 2015):
    10 log10(max(power, 1e-10)), so that digital silence is -100 dB. Row i is centred at sample 160 i.
    """
    padded = np.pad(samples, N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    spectrum = scipy.fft.rfft(frames * _window(), axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    bands = power @ _filters()
    decibel = 10.0 * np.log10(np.maximum(bands, np.float32(FLOOR)))
    return np.asarray(decibel, dtype=np.float32)


def mfcc(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 13 mel-frequency cepstral coefficients (c0 first), shape (1 + n // 160, 13).

    librosa's recipe (``librosa.feature.mfcc(S=..., n_mfcc=13)``): orthonormal DCT-II of the log-mel spectrum
    in dB, here of `log_mel` (80 bands, no ``top_db``), without liftering (Davis & Mermelstein 1980).
    """
    cepstrum = scipy.fft.dct(log_mel(samples), axis=1, type=2, norm="ortho")
    return np.ascontiguousarray(cepstrum[:, :13], dtype=np.float32)


@dataclass(frozen=True)
class LogMel:
    """`log_mel` as an extractor; also the built-in encoder that needs no download."""

    spec: FeatureSpec = LOG_MEL_SPEC

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (rows, 80) float32 in dB for each clip."""
        return [log_mel(checked_samples(clip, self.spec.sample_rate)) for clip in clips]


@dataclass(frozen=True)
class Mfcc:
    """`mfcc` as an extractor."""

    spec: FeatureSpec = MFCC_SPEC

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (rows, 13) float32 for each clip."""
        return [mfcc(checked_samples(clip, self.spec.sample_rate)) for clip in clips]


@lru_cache(maxsize=1)
def _window() -> NDArray[np.float32]:
    window = scipy.signal.get_window("hann", N_FFT, fftbins=True)
    return np.asarray(window, dtype=np.float32)


@lru_cache(maxsize=1)
def _filters() -> NDArray[np.float32]:
    """Return the mel filters, shape (201, 80)."""
    bank = mel(sr=COMMON_RATE, n_fft=N_FFT, n_mels=BANDS, fmin=0.0, fmax=8000.0)
    return np.ascontiguousarray(bank.T, dtype=np.float32)
