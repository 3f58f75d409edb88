import numpy as np
import pytest

from features.clip import Clip
from features.pooling import utterance_pooling
from store.errors import ExtractionError
from store.records import FeatureSpec, FrameLaw

ENCODER = FeatureSpec(
    name="encoder", version=1, dims=(3, 4), dtype="float16", sample_rate=16_000,
    law=FrameLaw(kind="ceil", hop=320),
)  # fmt: skip
SILENT = np.zeros(0, np.float32)


def pooled(frames, **options):
    (rows,) = utterance_pooling(ENCODER, **options).extract_many([Clip(SILENT, 16_000, frames=frames)])
    return rows


def test_mean_and_standard_deviation_by_layer():
    frames = np.random.default_rng(0).normal(size=(50, 3, 4)).astype(np.float16)
    both = frames.astype(np.float64)
    np.testing.assert_allclose(pooled(frames)[0], both.mean(axis=0), atol=1e-5)
    expected = np.concatenate([both.mean(axis=0), both.std(axis=0)], axis=-1)
    assert expected.shape == utterance_pooling(ENCODER, spread=True).spec.dims == (3, 8)
    np.testing.assert_allclose(pooled(frames, spread=True)[0], expected, atol=1e-5)


def test_undefined_numbers_are_left_out():
    frames = np.full((4, 3, 4), np.nan, np.float16)
    frames[1:3] = [[[1.0] * 4] * 3, [[3.0] * 4] * 3]
    np.testing.assert_array_equal(pooled(frames, spread=True)[0], [[2.0] * 4 + [1.0] * 4] * 3)
    assert np.isnan(pooled(frames[:1])).all()


def test_large_float16_frames_do_not_overflow():
    rows = pooled(np.full((50, 3, 4), 60_000, np.float16), spread=True)
    np.testing.assert_array_equal(rows[0], [[60_000.0] * 4 + [0.0] * 4] * 3)


def test_what_is_pooled_names_its_parent_and_is_float32():
    spec = utterance_pooling(ENCODER).spec
    assert (spec.name, spec.parent, spec.dtype) == ("utterance-mean-encoder", ENCODER.digest, "float32")


def test_a_clip_without_the_parents_rows_is_refused():
    with pytest.raises(ExtractionError, match="stored rows of encoder"):
        pooled(None)
