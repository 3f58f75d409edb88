import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.clip import Clip
from features.mel import LOG_MEL_SPEC
from features.segments import (
    bounds_of,
    interval_bounds,
    kept_rows,
    phone_offsets,
    pool,
    segment_bounds,
    segments,
)  # fmt: skip
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


def test_an_interval_holds_the_frames_within_the_phone():
    # frames at 0, 320, 640 ...: a phone from 400 to 1000 holds 640 and 960
    bounds = interval_bounds(
        [phone(400, 1_000), phone(0, 320), phone(330, 340), phone(640, 960)], 50, hop=320
    )
    np.testing.assert_array_equal(bounds, [[2, 4], [0, 1], [1, 2], [2, 3]])


@given(st.integers(0, 40), st.lists(st.tuples(st.integers(0, 9_000), st.integers(1, 4_000)), max_size=8))
def test_intervals_stay_inside_and_are_empty_only_without_frames(rows, spans):
    phones = [phone(start, start + length) for start, length in spans]
    bounds = interval_bounds(phones, rows, hop=320)
    assert bounds.shape == (len(spans), 2)
    assert ((bounds >= 0) & (bounds <= rows)).all()
    assert (rows == 0) or (bounds[:, 1] > bounds[:, 0]).all()
    for one, (first, last) in zip(phones, bounds, strict=True):
        inside = [frame for frame in range(rows) if one.start <= frame * 320 < one.stop]
        assert inside in ([], list(range(first, last)))


@pytest.mark.parametrize("window", ["centre", "interval"])
def test_kept_frames_are_found_again_by_phone(window):
    frames = np.random.default_rng(0).normal(size=(50, 3, 4)).astype(np.float16)
    phones = (phone(7_000, 9_000), phone(0, 2), phone(15_000, 16_500))
    clip = Clip(np.zeros(16_000, np.float32), 16_000, phones=phones, frames=frames)
    kept = segments(ENCODER, window, kept=True)
    (rows,) = kept.extract_many([clip])
    offsets = phone_offsets(kept.spec, phones, 50)
    assert len(rows) == offsets[-1] == kept_rows(kept.spec, phones, 50)
    pooled = segments(ENCODER, window)
    (means,) = pooled.extract_many([clip])
    for number, (first, last) in enumerate(bounds_of(kept.spec, phones, 50)):
        part = rows[offsets[number] : offsets[number + 1]]
        np.testing.assert_array_equal(part, frames[first:last])
        np.testing.assert_allclose(means[number], part.mean(axis=0, dtype=np.float32), atol=2e-3)


def test_each_operation_has_a_name_and_a_digest_of_its_own():
    made = [segments(ENCODER, window, kept=kept).spec for window in ("centre", "interval") for kept in (0, 1)]
    assert [spec.name for spec in made] == [
        "segments-encoder", "segments-frames-encoder", "segments-interval-encoder",
        "segments-interval-frames-encoder",
    ]  # fmt: skip
    assert len({spec.digest for spec in made}) == 4


def test_undefined_frames_are_left_out_of_the_mean():
    frames = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan], [5.0, 7.0]], np.float32)
    found = pool(frames, np.array([[0, 3], [0, 4], [2, 3]]))
    np.testing.assert_array_equal(found, [[2.0, np.nan], [3.0, 7.0], [np.nan, np.nan]])


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
