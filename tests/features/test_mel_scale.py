"""The filters and windows are librosa's and scipy's to the last bit; workers import neither of the two."""

import subprocess
import sys
from pathlib import Path

import librosa.filters
import numpy as np
import pytest
import scipy.signal

from features.mel_scale import HAMMING, HANN, cosine_window, slaney_filters

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("rate", "n_fft", "bands"),
    [(16_000, 400, 80), (16_000, 1024, 128), (22_050, 2048, 23), (22_050, 2048, 128)],
)
def test_filters_are_librosas(rate, n_fft, bands):
    ours = slaney_filters(rate, n_fft, bands)
    np.testing.assert_array_equal(ours, librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=bands))
    assert ours.dtype == np.float32


@pytest.mark.parametrize(("name", "centre"), [("hann", HANN), ("hamming", HAMMING)])
@pytest.mark.parametrize("periodic", [True, False])
def test_windows_are_scipys(name, centre, periodic):
    ours = cosine_window(400, centre, periodic=periodic)
    np.testing.assert_array_equal(ours, scipy.signal.get_window(name, 400, fftbins=periodic))


def test_a_worker_imports_neither_librosa_nor_numba_nor_scipy_signal_nor_torch():
    code = "import pipeline.build, sys; print([m for m in sys.argv[1:] if m in sys.modules])"
    names = ("librosa", "numba", "scipy.signal", "scipy.stats", "torch", "matplotlib", "pandas", "prefect")
    found = subprocess.run(
        [sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
