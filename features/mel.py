"""Mel-band power and log-mel spectra that agree with librosa."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from features.clip import Clip, checked_samples
from features.mel_scale import slaney_filters
from features.stft import LIBROSA, SPEECH, SPEECH_FINE, Real, Transform, power_spectrum
from store.digests import Json
from store.records import FeatureSpec

FLOOR = 1e-10
"""Power below this counts as this much, so that digital silence is -100 dB."""


@dataclass(frozen=True, slots=True)
class MelBands:
    """Slaney's mel bands from 0 Hz to half the rate over a `Transform`; areas are normalised."""

    transform: Transform
    bands: int

    def params(self) -> dict[str, Json]:
        """Return what a spec says of the bands."""
        transform = self.transform
        zero_padded = {"win_length": transform.window} if transform.window != transform.n_fft else {}
        return {
            "n_fft": transform.n_fft, "hop": transform.hop, "window": "hann", "centre": "zeros",
            "bands": self.bands, "f_min": 0.0, "f_max": transform.rate / 2, "mel": "slaney",
            "norm": "slaney", "power": 2.0, **zero_padded,
        }  # fmt: skip


MEL_80 = MelBands(SPEECH, 80)
MEL_128 = MelBands(SPEECH_FINE, 128)
MEL_128_WIDE = MelBands(LIBROSA, 128)
DECIBEL: Mapping[str, Json] = {"log": "10 log10", "floor": FLOOR}


def mel_power(samples: NDArray[np.float32], bands: MelBands) -> NDArray[np.float32]:
    """Return the power in each mel band, shape (1 + n // hop, bands), of ``samples`` (n,).

    Equal to ``librosa.feature.melspectrogram`` of librosa 0.11 with the same numbers (McFee et al. 2015).
    """
    return power_spectrum(samples, bands.transform) @ filters(bands)


def decibel(power: NDArray[Real]) -> NDArray[np.float32]:
    """Return 10 log10(max(power, 1e-10)): ``librosa.power_to_db(power, top_db=None)``."""
    return np.asarray(10.0 * np.log10(np.maximum(power, power.dtype.type(FLOOR))), dtype=np.float32)


def log_mel(samples: NDArray[np.float32], bands: MelBands = MEL_80) -> NDArray[np.float32]:
    """Return the log-mel spectrum in dB, shape (1 + n // hop, bands), of ``samples`` (n,)."""
    return decibel(mel_power(samples, bands))


def shared_log_mel(clip: Clip, bands: MelBands) -> NDArray[np.float32]:
    """Return `log_mel` of a clip, computed once for all extractors; its errors: `checked_samples`."""
    samples = checked_samples(clip, bands.transform.rate)
    return clip.once(("log mel", bands), lambda: log_mel(samples, bands))


def _spec(name: str, bands: MelBands, params: Mapping[str, Json]) -> FeatureSpec:
    return FeatureSpec(
        name=name,
        version=1,
        params={**bands.params(), **params},
        dims=(bands.bands,),
        dtype="float32",
        sample_rate=bands.transform.rate,
        law=bands.transform.law,
    )


LOG_MEL_SPEC = _spec("logmel80", MEL_80, DECIBEL)
MEL_POWER_SPEC = _spec("melpower128", MEL_128_WIDE, {})


@dataclass(frozen=True)
class LogMel:
    """`log_mel` as an extractor; with 80 bands also the built-in encoder that needs no download."""

    spec: FeatureSpec = LOG_MEL_SPEC
    bands: MelBands = MEL_80

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (rows, bands) float32 in dB for each clip."""
        return [shared_log_mel(clip, self.bands) for clip in clips]


@dataclass(frozen=True)
class MelPower:
    """`mel_power` as an extractor."""

    spec: FeatureSpec = MEL_POWER_SPEC
    bands: MelBands = MEL_128_WIDE

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (rows, bands) float32, power, for each clip."""
        rate = self.spec.sample_rate
        return [mel_power(checked_samples(clip, rate), self.bands) for clip in clips]


def log_mel_128() -> LogMel:
    """Return the extractor of 128 bands."""
    return LogMel(_spec("logmel128", MEL_128, DECIBEL), MEL_128)


@lru_cache(maxsize=8)
def filters(bands: MelBands) -> NDArray[np.float32]:
    """Return the mel filters, shape (bins, bands)."""
    transform = bands.transform
    return np.ascontiguousarray(slaney_filters(transform.rate, transform.n_fft, bands.bands).T)
