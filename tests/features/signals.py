"""Signals that the reference tests share: synthetic ones at any rate, and real speech where it is at hand."""

from functools import cache
from pathlib import Path

import librosa
import numpy as np

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
REAL = (
    "originals/emodb/wav/03a01Fa.wav",  # 16 kHz
    "originals/nemo/samples/EB0_anger_1.wav",  # 24 kHz
    "originals/ravdess/Actor_01/03-01-08-01-02-02-01.wav",  # 48 kHz
    "originals/emovo/f1/rab-f1-b1.wav",  # 48 kHz, two channels
)


def speechlike(n_samples, rate=16_000, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(n_samples) / rate
    tone = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
    envelope = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * time)
    return (0.05 * tone * envelope + 0.002 * rng.standard_normal(n_samples)).astype(np.float32)


def synthetic(rate):
    """Return mono float32 signals by name."""
    n = rate * 4 // 5
    time = np.arange(n) / rate
    click = np.zeros(n, np.float32)
    click[n // 2] = 1.0
    return {
        "speechlike": speechlike(n, rate),
        "silence": np.zeros(n, np.float32),
        "click": click,
        "one sample": np.array([0.25], np.float32),
        "few samples": speechlike(200, rate),
        "dc": np.full(n, 0.5, np.float32),
        "full scale": np.sign(np.sin(2 * np.pi * 151.3 * time)).astype(np.float32),
        "noise": np.clip(np.random.default_rng(1).standard_normal(n) / 3, -1, 1).astype(np.float32),
    }


@cache
def real(name, rate):
    """Return a real recording as mono float32, None where it is not at hand."""
    path = CORPORA / name
    if not path.is_file():
        return None
    return librosa.load(path, sr=rate, mono=True, duration=4)[0]
