"""Acoustic features of the embedded aligner: MFCC with deltas every 10 ms, and where the speech lies."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from store.vocabulary import COMMON_RATE

HOP = 160
"""Samples a frame: frame i stands for the samples [i x HOP, (i + 1) x HOP) and is centred on their middle."""

_WINDOW, _FFT, _BANDS, _COEFFICIENTS = 360, 512, 26, 13
_LOWEST_HZ, _HIGHEST_HZ, _EMPHASIS, _FLOOR = 60.0, 7600.0, 0.97, 1e-8

Array = NDArray[np.float32]


def frame_count(n_samples: int, hop: int = HOP) -> int:
    """Return the number of frames, ceil(n / hop)."""
    return -(-n_samples // hop)


def cepstra(samples: Array, hop: int = HOP) -> Array:
    """Return the MFCC (frames, 13) of mono samples in [-1, 1] at 16 kHz; c0 carries the energy."""
    from scipy.fft import rfft  # slow to load, and needed where something is aligned

    spectra = rfft(_frames(samples, hop), _FFT, axis=1, overwrite_x=True)
    bands = np.log(np.maximum((spectra.real**2 + spectra.imag**2) @ _mel_filters(), _FLOOR))
    return np.asarray(bands @ _cosines(), dtype=np.float32)


def energy_db(samples: Array) -> Array:
    """Return the energy of each frame in decibels, (frames,)."""
    count = frame_count(len(samples))
    padded = np.zeros(count * HOP, dtype=np.float64)
    padded[: len(samples)] = samples
    power = (padded.reshape(count, HOP) ** 2).mean(axis=1)
    smooth = np.convolve(np.pad(power, 1), np.ones(3) / 3, mode="valid")
    return np.asarray(10 * np.log10(np.maximum(smooth, 1e-10)), dtype=np.float32)


def speech_span(energy: Array, *, below_peak_db: float = 35.0, margin: int = 12) -> tuple[int, int]:
    """Return the frames [start, stop) from the first to the last one near the level of speech.

    A frame counts as near if it is no more than ``below_peak_db`` under the 95th percentile; ``margin``
    frames are added on both sides. A second of silence around the speech otherwise captures phones (RAVDESS).
    """
    loud = np.flatnonzero(energy >= np.percentile(energy, 95) - below_peak_db)
    return max(int(loud[0]) - margin, 0), min(int(loud[-1]) + 1 + margin, len(energy))


def with_deltas(static: Array, step: int = 1) -> Array:
    """Return (frames, 3 x 13): the coefficients, their slopes over five frames, and the slopes' slopes.

    ``step`` is the number of rows in 10 ms, so that slopes mean the same on a finer grid.
    """
    first = _slope(static, step)
    return np.concatenate([static, first, _slope(first, step)], axis=1)


def _slope(values: Array, step: int) -> Array:
    padded = np.pad(values, ((2 * step, 2 * step), (0, 0)), mode="edge")
    count = len(values)
    before2, before1, after1, after2 = (padded[k * step : k * step + count] for k in (0, 1, 3, 4))
    return np.asarray((2 * (after2 - before2) + (after1 - before1)) / 10, dtype=np.float32)


def _frames(samples: Array, hop: int) -> Array:
    """Return the windowed, pre-emphasised frames (frames, 360), centred on the middle of their hop."""
    count = frame_count(len(samples), hop)
    emphasised = np.append(samples[:1], samples[1:] - _EMPHASIS * samples[:-1])
    side = (_WINDOW - hop) // 2
    padded = np.pad(emphasised, (side, count * hop - len(samples) + side))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::hop]
    return np.asarray(windows, dtype=np.float32) * _hamming()


@cache
def _hamming() -> Array:
    return np.hamming(_WINDOW).astype(np.float32)


@cache
def _mel_filters() -> Array:
    """Return triangular filters on the mel scale, (257, 26)."""
    lowest, highest = (2595 * float(np.log10(1 + hertz / 700)) for hertz in (_LOWEST_HZ, _HIGHEST_HZ))
    mel = np.linspace(lowest, highest, _BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hertz = np.arange(_FFT // 2 + 1)[:, None] * COMMON_RATE / _FFT
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(np.minimum(rising, falling), 0), dtype=np.float32)


@cache
def _cosines() -> Array:
    """Return the orthonormal DCT-II with liftering, (26, 13)."""
    band, order = np.arange(_BANDS)[:, None] + 0.5, np.arange(_COEFFICIENTS)
    basis = np.cos(np.pi * band * order / _BANDS) * np.sqrt(2 / _BANDS)
    basis[:, 0] /= np.sqrt(2)
    return np.asarray(basis * (1 + 11 * np.sin(np.pi * order / 22)), dtype=np.float32)
