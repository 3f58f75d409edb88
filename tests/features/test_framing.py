import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.framing import resampled_length, row_count
from store.errors import ConfigurationError
from store.records import FrameLaw

CENTRED = FrameLaw(kind="centred", hop=160)
CEIL = FrameLaw(kind="ceil", hop=320)
WAV2VEC2 = FrameLaw(
    kind="convolutional", hop=320, kernels=(10, 3, 3, 3, 3, 2, 2), strides=(5, 2, 2, 2, 2, 2, 2)
)


@pytest.mark.parametrize(
    ("law", "n_samples", "rows"),
    [
        (CENTRED, 0, 0), (CENTRED, 1, 1), (CENTRED, 159, 1), (CENTRED, 160, 2), (CENTRED, 16_000, 101),
        (CEIL, 0, 0), (CEIL, 1, 1), (CEIL, 320, 1), (CEIL, 321, 2), (CEIL, 480_000, 1500),
        (WAV2VEC2, 0, 0), (WAV2VEC2, 399, 0), (WAV2VEC2, 400, 1), (WAV2VEC2, 719, 1), (WAV2VEC2, 720, 2),
        (WAV2VEC2, 16_000, 49),
        (FrameLaw(kind="utterance"), 5, 1), (FrameLaw(kind="utterance"), 0, 0),
    ],
)  # fmt: skip
def test_row_counts_known_by_hand(law, n_samples, rows):
    assert row_count(law, n_samples) == rows


def test_phone_law_counts_phones_and_not_samples():
    assert row_count(FrameLaw(kind="phones", hop=320), 16_000, 7) == 7


def test_unknown_law_is_refused():
    with pytest.raises(ConfigurationError, match="'dense'"):
        row_count(FrameLaw(kind="dense", hop=1), 10)


@given(st.integers(1, 10**7), st.sampled_from([8_000, 16_000, 22_050, 24_000, 44_100, 48_000]))
def test_resampled_length_is_the_quotient_rounded_up(n_samples, rate):
    length = resampled_length(n_samples, rate, 16_000)
    assert (length - 1) * rate < n_samples * 16_000 <= length * rate


@given(st.sampled_from([CENTRED, CEIL, WAV2VEC2]), st.integers(0, 10**6))
def test_rows_grow_by_at_most_one_with_one_more_sample(law, n_samples):
    assert row_count(law, n_samples + 1) - row_count(law, n_samples) in (0, 1)
