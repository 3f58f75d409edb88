import warnings

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clip import Clip
from features.framing import row_count
from features.spectral import LogMel, Mfcc, log_mel, mfcc
from store.errors import ExtractionError


def speechlike(n_samples, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(n_samples) / 16_000
    tone = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
    envelope = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * time)
    return (0.05 * tone * envelope + 0.002 * rng.standard_normal(n_samples)).astype(np.float32)


def librosa_log_mel(samples):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa warns about clips shorter than n_fft
        power = librosa.feature.melspectrogram(
            y=samples, sr=16_000, n_fft=400, hop_length=160, n_mels=80, fmin=0, fmax=8000
        )
        return power, librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)


@pytest.mark.parametrize("n_samples", [1, 159, 160, 399, 400, 16_000, 50_001])
def test_log_mel_is_librosas(n_samples):
    samples = speechlike(n_samples)
    power, decibel = librosa_log_mel(samples)
    ours = log_mel(samples)
    np.testing.assert_allclose(10 ** (ours.T / 10), np.maximum(power, 1e-10), rtol=1e-4)
    np.testing.assert_allclose(ours.T, decibel, rtol=1e-4, atol=1e-3)


def test_mfcc_is_librosas_of_the_same_log_mel():
    samples = speechlike(20_000)
    expected = librosa.feature.mfcc(S=librosa_log_mel(samples)[1], n_mfcc=13)
    ours = mfcc(samples)
    assert ours.shape == (126, 13)
    np.testing.assert_allclose(ours.T, expected, rtol=1e-4, atol=5e-3)


def test_digital_silence_is_minus_100_db():
    np.testing.assert_allclose(log_mel(np.zeros(1600, np.float32)), -100.0, rtol=1e-6)


def test_a_sine_of_1_khz_is_loudest_in_the_band_around_1_khz():
    samples = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    loudest = log_mel(samples)[10:-10].argmax(axis=1)
    centres = librosa.mel_frequencies(n_mels=82, fmin=0, fmax=8000)[1:-1]
    assert set(loudest) == {int(np.abs(centres - 1000).argmin())}


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3_000))
def test_rows_follow_the_law(n_samples):
    clip = Clip(speechlike(n_samples), 16_000)
    for extractor in (LogMel(), Mfcc()):
        (rows,) = extractor.extract_many([clip])
        assert rows.shape == (row_count(extractor.spec.law, n_samples), *extractor.spec.dims)
        assert rows.dtype == extractor.spec.dtype
        assert np.isfinite(rows).all()


@pytest.mark.parametrize(
    ("samples", "rate", "match"),
    [
        (np.zeros(0, np.float32), 16_000, "mono samples"),
        (np.zeros((2, 100), np.float32), 16_000, "mono samples"),
        (np.zeros(100, np.float32), 48_000, "48000 Hz"),
        (np.array([0.0, np.nan], np.float32), 16_000, "finite samples"),
    ],
)
def test_clips_that_cannot_be_used_are_refused(samples, rate, match):
    with pytest.raises(ExtractionError, match=match):
        LogMel().extract_many([Clip(samples, rate)])
