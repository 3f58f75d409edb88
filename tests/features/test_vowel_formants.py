import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.vowel_formants import measure_vowels, nearey, nearey_hertz, vowel_tokens
from store.errors import ExtractionError
from store.records import PhoneInterval


def phone(vowel, start, stop):
    return PhoneInterval(phone="x", vowel=vowel, start=start, stop=stop, score=0.0)


def ramp(rows=101):
    """F1 = 300 + row, F2 = 1500 + 2 row, F3 constant."""
    row = np.arange(rows, dtype=np.float32)
    return np.stack([300 + row, 1500 + 2 * row, np.full_like(row, 2500)], axis=1)


def test_a_monophthong_is_the_median_of_its_middle_third():
    frames = ramp()
    frames[0:18], frames[33:] = 5.0, 9_000.0  # only rows 20 .. 30 of 10 .. 40 may count
    (token,) = vowel_tokens(frames, [phone("A", 1_600, 6_400)])
    assert token.value == (325.0, 1550.0)
    assert token.onset is None


def test_a_diphthong_keeps_both_points_and_their_mean():
    (token,) = vowel_tokens(ramp(), [phone(None, 0, 1_600), phone("aI", 1_600, 4_800)])
    assert (token.phone, token.vowel) == (1, "aI")
    assert (token.onset, token.offset) == ((314.0, 1528.0), (326.0, 1552.0))
    assert token.value == (320.0, 1540.0)


def test_undefined_rows_are_passed_over_in_the_median():
    frames = ramp()
    frames[24:] = np.nan
    (token,) = vowel_tokens(frames, [phone("i", 1_600, 6_400)])
    assert token.value == (321.5, 1543.0)


def test_tokens_left_out_are_counted_with_the_reason():
    frames = np.tile(np.float32([500, 1500, 2500]), (101, 1))
    frames[20:30, 0], frames[40:50, 1], frames[60:70] = 1_150, 3_300, np.nan
    spans = [(0, 479), (2_000, 2_480), (3_200, 4_640), (6_400, 7_840), (9_600, 11_040), (40_000, 41_000)]
    measured = measure_vowels(frames, [phone("E", *span) for span in spans])
    assert [token.phone for token in measured.tokens] == [1]
    assert measured.left_out == {
        "shorter than 30 ms": 1,
        "F1 outside 200-1100 Hz": 1,
        "F2 outside 500-3200 Hz": 1,
        "no formants found": 2,
    }


def test_a_very_short_vowel_takes_the_nearest_row():
    (token,) = vowel_tokens(ramp(), [phone("u", 1_610, 2_095)])  # its middle third lies between two rows
    assert token.value == (312.0, 1524.0)


hertz = arrays(np.float64, (12, 2), elements=st.floats(200, 3_000))
SPEAKERS = ["a", "b", "a"] * 4


@given(hertz, st.floats(0.5, 2.0))
def test_nearey_removes_the_size_of_a_speaker(values, scale):
    scaled = values.copy()
    scaled[np.array(SPEAKERS) == "b"] *= scale
    for shared in (False, True):
        np.testing.assert_allclose(
            nearey(scaled, SPEAKERS, shared=shared), nearey(values, SPEAKERS, shared=shared), atol=1e-9
        )


@given(hertz)
def test_nearey1_has_a_mean_of_zero_per_speaker_and_formant(values):
    normalised = nearey(values, SPEAKERS)
    for name in "ab":
        np.testing.assert_allclose(normalised[np.array(SPEAKERS) == name].mean(axis=0), 0, atol=1e-9)


def test_hertz_of_one_speaker_are_the_values_themselves():
    values = np.array([[300.0, 2200.0], [700.0, 1200.0]])
    np.testing.assert_allclose(nearey_hertz(values, ["a", "a"]), values)


@pytest.mark.parametrize(
    ("values", "speakers"), [([[np.nan, 1.0]], ["a"]), ([[0.0, 1.0]], ["a"]), ([[1.0, 1.0]], [])]
)
def test_values_that_cannot_be_normalised_are_refused(values, speakers):
    with pytest.raises(ExtractionError):
        nearey(np.array(values), speakers)
