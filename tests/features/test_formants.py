import numpy as np
import parselmouth
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clip import Clip
from features.formants import Formants, formants
from features.framing import row_count
from store.errors import ExtractionError

RESONANCES = (700.0, 1200.0, 2600.0, 3500.0, 4500.0)


def vowel(n_samples=16_000, f0=110):
    """A pulse train through five resonators: a synthetic /a/ with known formants."""
    signal = np.zeros(n_samples)
    signal[:: 16_000 // f0] = 1.0
    for frequency in RESONANCES:
        radius = np.exp(-np.pi * 80 / 16_000)
        a1, a2 = 2 * radius * np.cos(2 * np.pi * frequency / 16_000), -(radius**2)
        out = np.zeros(n_samples + 2)
        for i, value in enumerate(signal):
            out[i + 2] = value + a1 * out[i + 1] + a2 * out[i]
        signal = out[2:]
    return (0.5 * signal / np.abs(signal).max()).astype(np.float32)


VOWEL = vowel()


@pytest.mark.parametrize(("gender", "ceiling"), [("male", 5000), ("female", 5500), ("unknown", 5500)])
def test_values_are_praats(gender, ceiling):
    tracks = parselmouth.Sound(VOWEL.astype(float), 16_000).to_formant_burg(0.01, 5, ceiling, 0.025, 50)
    expected = [[tracks.get_value_at_time(k, i * 0.01) for k in (1, 2, 3)] for i in range(101)]
    np.testing.assert_allclose(formants(VOWEL, gender), np.array(expected), rtol=1e-6)


def test_known_resonances_are_found():
    middle = np.nanmedian(formants(VOWEL, "male"), axis=0)
    np.testing.assert_allclose(middle, RESONANCES[:3], rtol=0.08)


def test_the_ceiling_follows_the_gender():
    male, female = Formants().extract_many([Clip(VOWEL, 16_000, g) for g in ("male", "female")])
    assert not np.array_equal(male, female, equal_nan=True)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4_000))
def test_clips_of_any_length_follow_the_law(n_samples):
    (rows,) = Formants().extract_many([Clip(VOWEL[:n_samples], 16_000)])
    assert rows.shape == (row_count(Formants().spec.law, n_samples), 3)


def test_one_sample_and_silence_are_nan():
    assert np.isnan(formants(np.ones(1, np.float32), "male")).all()
    assert np.isnan(formants(np.zeros(16_000, np.float32), "female")).all()


def test_an_unknown_gender_is_refused():
    with pytest.raises(ExtractionError, match="'robot'"):
        formants(VOWEL, "robot")
