"""Spectral contrast: peaks against valleys in octave bands (Jiang et al. 2002), as librosa defines it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.clip import Clip, checked_samples
from features.mel import FLOOR
from features.stft import LIBROSA, power_spectrum
from store.records import FeatureSpec

LOWEST, OCTAVES, QUANTILE, RANGE = 200.0, 6, 0.02, 80.0
"""Hz of the first edge, bands above it, share of bins that counts as peak or valley, dB below the loudest."""
BANDS = OCTAVES + 1

SPEC = FeatureSpec(
    name="contrast7",
    version=1,
    params={
        "n_fft": LIBROSA.n_fft, "hop": LIBROSA.hop, "window": "hann", "centre": "zeros", "f_min": LOWEST,
        "bands": OCTAVES, "quantile": QUANTILE, "spectrum": "magnitude", "log": "10 log10", "floor": FLOOR,
        "top_db": RANGE, "precision": "float64",
    },
    dims=(BANDS,),
    dtype="float32",
    sample_rate=LIBROSA.rate,
    law=LIBROSA.law,
)  # fmt: skip


def contrast(magnitude: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the contrast of seven bands in dB, shape (rows, 7), of ``magnitude`` (rows, 1025) at 22,050 Hz.

    ``librosa.feature.spectral_contrast(S=magnitude.T, sr=22050)``: bands from 0, 200, 400 ... 6400 Hz. Peaks
    and valleys are limited to 80 dB below the loudest of the recording, so that a row depends on all of it.
    In double precision, since in single precision the deepest valleys are rounding errors.
    """
    peaks = np.empty((len(magnitude), BANDS))
    valleys = np.empty_like(peaks)
    for band, (first, last, extremes) in enumerate(_bands()):
        bins = np.sort(magnitude[:, first:last], axis=1)
        valleys[:, band] = bins[:, :extremes].mean(axis=1)
        peaks[:, band] = bins[:, -extremes:].mean(axis=1)
    return np.asarray(_limited(peaks) - _limited(valleys), dtype=np.float32)


def _bands() -> list[tuple[int, int, int]]:
    """Return (first bin, last bin + 1, how many are extremes) of each band, librosa's borders."""
    frequencies = np.arange(LIBROSA.bins) * LIBROSA.rate / LIBROSA.n_fft
    edges = [0.0, *(LOWEST * 2.0**octave for octave in range(OCTAVES + 1))]
    bands = []
    for band in range(BANDS):
        inside = np.flatnonzero((frequencies >= edges[band]) & (frequencies <= edges[band + 1]))
        first, last = int(inside[0]) - (band > 0), int(inside[-1]) + 1
        if band == OCTAVES:
            last = LIBROSA.bins
        extremes = max(int(np.rint(QUANTILE * (last - first))), 1)
        bands.append((first, last if band == OCTAVES else last - 1, extremes))
    return bands


def _limited(magnitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``librosa.power_to_db(magnitude)``; it is librosa that takes the magnitude for a power."""
    decibel = 10.0 * np.log10(np.maximum(magnitude, FLOOR))
    return np.asarray(np.maximum(decibel, decibel.max() - RANGE))


@dataclass(frozen=True)
class Contrast:
    """`contrast` as an extractor."""

    spec: FeatureSpec = SPEC

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (rows, 7) float32 in dB for each clip."""
        waves = [checked_samples(clip, self.spec.sample_rate).astype(np.float64) for clip in clips]
        return [contrast(np.sqrt(power_spectrum(wave, LIBROSA))) for wave in waves]
