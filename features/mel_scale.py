"""Slaney's mel filters and the cosine windows, bit by bit librosa's and scipy's, without what those import.

Importing `librosa.filters` and `scipy.signal` takes half of the start of every worker process.
"""

import numpy as np
from numpy.typing import NDArray

LINEAR, KNEE, LOG_STEP = 200.0 / 3, 1000.0, np.log(6.4) / 27.0
"""Hz of a mel below the knee, Hz of the knee, logarithm of the ratio of neighbouring mels above it."""
HANN, HAMMING = 0.5, 0.54


def slaney_filters(rate: int, n_fft: int, bands: int) -> NDArray[np.float32]:
    """Return triangles of equal area from 0 Hz to half the rate, shape (bands, 1 + n_fft // 2).

    ``librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=bands)`` (Slaney 1998, Auditory Toolbox).
    """
    edges = _hertz(np.linspace(0.0, _mel(rate / 2), bands + 2))
    distance = np.subtract.outer(edges, np.fft.rfftfreq(n=n_fft, d=1.0 / rate))
    widths = np.diff(edges)[:, None]
    rising, falling = -distance[:-2] / widths[:-1], distance[2:] / widths[1:]
    weights: NDArray[np.float32] = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    weights *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return weights


def cosine_window(length: int, centre: float = HANN, *, periodic: bool = True) -> NDArray[np.float64]:
    """Return ``centre - (1 - centre) cos(2 pi i / n)``, shape (length,); n is ``length``, symmetric one less.

    ``scipy.signal.get_window("hann" or "hamming", length, fftbins=periodic)``.
    """
    phase = np.linspace(-np.pi, np.pi, length + periodic)
    return np.asarray(centre + (1.0 - centre) * np.cos(phase))[:length]


def _mel(hertz: float) -> float:
    if hertz < KNEE:
        return hertz / LINEAR
    return float(KNEE / LINEAR + np.log(hertz / KNEE) / LOG_STEP)


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    knee = KNEE / LINEAR
    return np.where(mels >= knee, KNEE * np.exp(LOG_STEP * (mels - knee)), LINEAR * mels)
