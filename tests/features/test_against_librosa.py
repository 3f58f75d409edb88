"""librosa is the reference: ours agree to 1e-4 on synthetic signals and real speech."""

import warnings

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.cepstra import Mfcc, cepstra, with_deltas
from features.clip import Clip
from features.contrast import Contrast
from features.framing import row_count
from features.mel import MEL_80, MEL_128, LogMel, MelPower, log_mel, log_mel_128, mel_power
from features.system000 import lmf23
from features.system001 import Vec149, vec149
from features.temporal import energy, zero_crossing_rate
from store.errors import ExtractionError
from tests.features.signals import REAL, real, speechlike, synthetic

SYNTHETIC = tuple(synthetic(16_000))


@pytest.fixture(params=[*SYNTHETIC, *REAL])
def sound(request):
    """Return a function from a rate to one signal at that rate."""
    if request.param in REAL and real(request.param, 16_000) is None:
        pytest.skip("no folder shared/corpora/originals beside the clone")

    def at(rate):
        return synthetic(rate)[request.param] if request.param in SYNTHETIC else real(request.param, rate)

    return at


def reference_mel(samples, rate, bands, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa warns about clips shorter than n_fft
        return librosa.feature.melspectrogram(y=samples, sr=rate, n_mels=bands, **options)


def agree(ours, reference, floor=1e-11):
    """Within 1e-4 of each value; ``floor`` of the largest is the rounding error of single precision."""
    assert ours.shape == reference.shape
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, reference, rtol=1e-4, atol=floor * np.abs(reference).max())


def test_log_mel_80(sound):
    samples = sound(16_000)
    power = reference_mel(samples, 16_000, 80, n_fft=400, hop_length=160).T
    agree(mel_power(samples, MEL_80), power)
    np.testing.assert_array_equal(
        log_mel(samples), librosa.power_to_db(mel_power(samples, MEL_80), top_db=None)
    )


def test_log_mel_128(sound):
    samples = sound(16_000)
    power = reference_mel(samples, 16_000, 128, n_fft=1024, win_length=400, hop_length=160).T
    agree(mel_power(samples, MEL_128), power)
    (rows,) = log_mel_128().extract_many([Clip(samples, 16_000)])
    np.testing.assert_array_equal(rows, log_mel(samples, MEL_128))


def test_no_band_of_128_is_empty():
    (rows,) = log_mel_128().extract_many([Clip(synthetic(16_000)["noise"], 16_000)])
    assert rows[5:-5].min() > -60


def test_mel_power_128(sound):
    (rows,) = MelPower().extract_many([Clip(sound(22_050), 22_050)])
    agree(rows, reference_mel(sound(22_050), 22_050, 128).T)


def test_lmf23_of_system_000(sound):
    samples = sound(22_050)
    seven = np.pad(samples, (0, 154_350 - len(samples)), mode="wrap")
    power = reference_mel(seven, 22_050, 23, n_fft=2048, hop_length=512).T
    ours = lmf23(samples)
    assert ours.shape == (302, 23)
    agree(10 ** (ours / 10), np.maximum(power, 1e-10))


def test_lmf23_keeps_the_head_of_longer_recordings():
    long = np.tile(synthetic(22_050)["noise"], 12)
    np.testing.assert_array_equal(lmf23(long), lmf23(long[:154_350]))


@pytest.mark.parametrize("count", [13, 40])
def test_mfcc_and_changes(sound, count):
    samples = sound(16_000)
    decibel = log_mel(samples)
    expected = librosa.feature.mfcc(S=decibel.T, n_mfcc=count)
    ours = cepstra(decibel, count)
    agree(ours, expected.T, 1e-6)
    changes = [librosa.feature.delta(ours.T, order=order, mode="nearest") for order in (1, 2)]
    agree(with_deltas(ours), np.concatenate([ours.T, *changes]).T, 1e-6)


def test_changes_of_a_line_are_its_slope():
    line = np.arange(40, dtype=np.float32)[:, None] * 2
    np.testing.assert_allclose(with_deltas(line)[10:-10], np.stack([line[10:-10, 0], 0 * line[10:-10, 0] + 2,
        0 * line[10:-10, 0]], axis=1), atol=1e-4)  # fmt: skip


def test_contrast(sound):
    (rows,) = Contrast().extract_many([Clip(sound(22_050), 22_050)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = librosa.feature.spectral_contrast(y=sound(22_050).astype(np.float64), sr=22_050).T
    np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-4)


def test_zero_crossings(sound):
    samples = sound(16_000)
    expected = librosa.feature.zero_crossing_rate(samples, frame_length=400, hop_length=160)[0]
    np.testing.assert_allclose(zero_crossing_rate(samples), expected, rtol=1e-6)


def test_energy(sound):
    samples = sound(16_000)
    level = librosa.feature.rms(y=samples, frame_length=400, hop_length=160)[0]
    np.testing.assert_allclose(energy(samples), 20 * np.log10(np.maximum(level, 1e-5)), atol=1e-3)


def test_vec149_of_system_001(sound):
    samples = sound(22_050)
    if len(samples) <= 11_025:
        with pytest.raises(ExtractionError, match=r"more than 0.5 s; found 0.0"):
            vec149(samples)
        return
    part = samples[11_025 : 11_025 + 55_125].astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = [
            librosa.feature.zero_crossing_rate(part),
            librosa.feature.mfcc(y=part, sr=22_050, n_mfcc=13),
            librosa.feature.melspectrogram(y=part, sr=22_050),
            librosa.feature.spectral_contrast(y=part, sr=22_050),
        ]
    (rows,) = Vec149().extract_many([Clip(samples, 22_050)])
    assert rows.shape == (1, 149)
    np.testing.assert_allclose(
        rows[0], np.concatenate([e.mean(axis=1) for e in expected]), rtol=1e-4, atol=1e-5
    )


def test_digital_silence_is_minus_100_db():
    silence = np.zeros(1600, np.float32)
    np.testing.assert_allclose(log_mel(silence), -100.0, rtol=1e-6)
    np.testing.assert_allclose(energy(silence), -100.0, rtol=1e-6)


def test_a_sine_at_full_scale_has_minus_3_db():
    sine = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    np.testing.assert_allclose(energy(sine)[5:-5], -3.0103, atol=1e-3)
    np.testing.assert_allclose(zero_crossing_rate(sine)[5:-5], 2_000 / 16_000, atol=2 / 400)


def test_a_sine_of_1_khz_is_loudest_in_the_band_around_1_khz():
    samples = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    loudest = log_mel(samples)[10:-10].argmax(axis=1)
    centres = librosa.mel_frequencies(n_mels=82, fmin=0, fmax=8000)[1:-1]
    assert set(loudest) == {int(np.abs(centres - 1000).argmin())}


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3_000))
def test_rows_follow_the_law(n_samples):
    clip = Clip(speechlike(n_samples), 16_000)
    for extractor in (LogMel(), Mfcc()):
        (rows,) = extractor.extract_many([clip])
        assert rows.shape == (row_count(extractor.spec.law, n_samples), *extractor.spec.dims)
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
