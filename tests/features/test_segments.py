import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.clip import Clip
from features.segments import pool, segment_bounds, segments
from features.spectral import LOG_MEL_SPEC
from store.errors import ExtractionError
from store.records import FeatureSpec, FrameLaw, PhoneInterval

ENCODER = FeatureSpec(
    name="encoder",
    version=1,
    dims=(3, 4),
    dtype="float16",
    sample_rate=16_000,
    law=FrameLaw(kind="ceil", hop=320),
)


def phone(start, stop):
    return PhoneInterval(phone="a", vowel="A", start=start, stop=stop, score=0.0)


def test_thirteen_frames_at_20_ms_around_the_centre():
    # centre 0.5 s = frame 25: frames 19 .. 31
    np.testing.assert_array_equal(segment_bounds([phone(7_000, 9_000)], 50, hop=320), [[19, 32]])


def test_windows_are_clipped_at_both_ends():
    bounds = segment_bounds([phone(0, 320), phone(15_800, 16_000)], 50, hop=320)
    np.testing.assert_array_equal(bounds, [[0, 8], [43, 50]])  # centres 0.5 -> 1 (half up) and 49.7 -> 49


def test_log_mel_takes_twelve_frames_on_each_side():
    np.testing.assert_array_equal(segment_bounds([phone(7_000, 9_000)], 101, hop=160), [[38, 63]])


@given(st.integers(0, 40), st.lists(st.tuples(st.integers(0, 9_000), st.integers(1, 4_000)), max_size=8))
def test_windows_stay_inside_and_are_empty_only_without_frames(rows, spans):
    bounds = segment_bounds([phone(start, start + length) for start, length in spans], rows, hop=320)
    assert bounds.shape == (len(spans), 2)
    assert ((bounds >= 0) & (bounds <= rows)).all()
    assert (rows == 0) or (bounds[:, 1] > bounds[:, 0]).all()


def test_segments_are_means_of_stored_frames():
    frames = np.random.default_rng(0).normal(size=(50, 3, 4)).astype(np.float16)
    extractor = segments(ENCODER)
    clip = Clip(
        np.zeros(16_000, np.float32), 16_000, phones=(phone(7_000, 9_000), phone(0, 2)), frames=frames
    )
    (rows,) = extractor.extract_many([clip])
    assert rows.shape == (2, 3, 4)
    assert rows.dtype == np.float16
    np.testing.assert_allclose(rows[0], frames[19:32].astype(np.float64).mean(axis=0), rtol=1e-3, atol=1e-4)


def test_large_float16_frames_do_not_overflow_in_the_mean():
    frames = np.full((50, 3, 4), 60_000, np.float16)
    np.testing.assert_allclose(pool(frames, np.array([[0, 50]])), 60_000, rtol=1e-3)


def test_a_clip_without_frames_gives_nan_and_one_without_phones_gives_no_rows():
    empty = np.zeros((0, 3, 4), np.float16)
    clips = [Clip(np.zeros(9, np.float32), 16_000, phones=(phone(0, 9),), frames=empty),
             Clip(np.zeros(9, np.float32), 16_000, frames=empty)]  # fmt: skip
    with_phone, without = segments(ENCODER).extract_many(clips)
    assert np.isnan(with_phone).all()
    assert without.shape == (0, 3, 4)


def test_spec_names_parent_alignment_and_what_the_parent_uses():
    spec = segments(ENCODER).spec
    assert (spec.parent, spec.uses, spec.law.kind, spec.dims) == (
        ENCODER.digest,
        ("alignment",),
        "phones",
        (3, 4),
    )
    assert segments(LOG_MEL_SPEC).spec.digest != spec.digest


@pytest.mark.parametrize("frames", [None, np.zeros((5, 80), np.float32)])
def test_frames_must_be_those_of_the_parent(frames):
    clip = Clip(np.zeros(9, np.float32), 16_000, frames=frames)
    with pytest.raises(ExtractionError, match="stored rows of encoder"):
        segments(ENCODER).extract_many([clip])


def test_only_specs_with_frames_can_be_pooled():
    with pytest.raises(ExtractionError, match="frames in time"):
        segments(segments(ENCODER).spec)
