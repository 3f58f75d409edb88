"""Kaldi's filter banks in 128 bands, the input of the Audio Spectrogram Transformer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from features.clip import Clip, checked_samples
from features.framing import row_count
from features.mel_scale import HAMMING, HANN, cosine_window
from store.records import FeatureSpec, FrameLaw
from store.vocabulary import COMMON_RATE

# kaldi-native-fbank refuses 128 bands over 512 points, since the narrowest ones hold no bin; AST has them.
BANDS, FRAME, HOP, N_FFT, LOWEST, PRE_EMPHASIS = 128, 400, 160, 512, 20.0, 0.97
FLOOR = float(np.finfo(np.float32).eps)
WINDOWS = {"hanning": HANN, "hamming": HAMMING}
_LAW = FrameLaw(kind="convolutional", hop=HOP, kernels=(FRAME,), strides=(HOP,))


def fbank(samples: NDArray[np.float32], window: str = "hanning", bands: int = BANDS) -> NDArray[np.float32]:
    """Return Kaldi's log filter banks, shape (1 + (n - 400) // 160, bands), of ``samples`` (n,) at 16 kHz.

    ``torchaudio.compliance.kaldi.fbank(num_mel_bins=128, window_type=window)`` on samples in [-1, 1], which
    is what AST's code calls (Gong et al. 2021): frames within the recording, each without its mean,
    pre-emphasis, symmetric window, power in HTK's mel bands from 20 Hz, natural logarithm. AST's scaling by
    mean and SD of AudioSet is left to training.
    """
    count = row_count(_LAW, samples.size)
    if not count:
        return np.empty((0, bands), dtype=np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP].astype(np.float64)
    frames -= frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    shaped = (frames - PRE_EMPHASIS * before) * cosine_window(FRAME, WINDOWS[window], periodic=False)
    spectrum = scipy.fft.rfft(shaped, n=N_FFT, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2) @ _filters(bands)
    return np.asarray(np.log(np.maximum(power, FLOOR)), dtype=np.float32)


@lru_cache(maxsize=4)
def _filters(bands: int) -> NDArray[np.float64]:
    """Return triangles that are equally wide in mel, 1127 ln(1 + f / 700), shape (257, bands)."""
    mel = 1127.0 * np.log1p(np.fft.rfftfreq(N_FFT, 1 / COMMON_RATE) / 700.0)[:, None]
    low, high = 1127.0 * np.log1p(np.array([LOWEST, COMMON_RATE / 2]) / 700.0)
    edges = np.linspace(low, high, bands + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (mel - left) / (centre - left), (right - mel) / (right - centre)
    return np.asarray(np.maximum(np.minimum(rising, falling), 0.0))


@dataclass(frozen=True)
class Fbank:
    """`fbank` as an extractor: with a Hann window as in AST's code, or a Hamming window as in the papers."""

    window: str = "hanning"

    @cached_property
    def spec(self) -> FeatureSpec:
        """128 numbers every 10 ms; row i is centred at sample 200 + 160 i."""
        return FeatureSpec(
            name="fbank128" + ("" if self.window == "hanning" else f"-{self.window}"),
            version=1,
            params={
                "method": "kaldi fbank", "frame": FRAME, "hop": HOP, "n_fft": N_FFT, "window": self.window,
                "dither": 0.0, "pre_emphasis": PRE_EMPHASIS, "remove_dc": True, "snip_edges": True,
                "bands": BANDS, "f_min": LOWEST, "f_max": COMMON_RATE / 2, "mel": "htk", "power": 2.0,
                "log": "natural", "floor": FLOOR,
            },
            dims=(BANDS,),
            dtype="float32",
            sample_rate=COMMON_RATE,
            law=_LAW,
        )  # fmt: skip

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (rows, 128) float32 for each clip; none for a clip shorter than 25 ms."""
        return [fbank(checked_samples(clip, self.spec.sample_rate), self.window) for clip in clips]
