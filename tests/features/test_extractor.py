import pickle

import numpy as np
import pytest

from features.clip import Clip
from features.extractor import build_extractors, names
from features.framing import row_count
from store.errors import ConfigurationError
from store.records import PhoneInterval


@pytest.mark.parametrize("name", names())
def test_contract(name):
    """Every registered extractor: light, with rows by its law and type, whatever the batch."""
    rng = np.random.default_rng(0)
    phones = (PhoneInterval(phone="a", vowel="A", start=100, stop=900, score=0.0),)
    *_, parent = build_extractors([name.removeprefix("segments:")], encoder="logmel")
    samples = [(0.1 * rng.standard_normal(n)).astype(np.float32) for n in (1, 800, 6_000)]
    plain = [Clip(s, 16_000, "female", phones) for s in samples]
    clips = [
        Clip(c.samples, c.rate, c.gender, c.phones, frames)
        for c, frames in zip(plain, parent.extract_many(plain), strict=True)
    ]
    *_, extractor = build_extractors([name], encoder="logmel")
    assert len(pickle.dumps(extractor)) < 5_000
    together = pickle.loads(pickle.dumps(extractor)).extract_many(clips)  # noqa: S301
    for clip, rows in zip(clips, together, strict=True):
        spec = extractor.spec
        assert rows.shape == (row_count(spec.law, clip.samples.size, 1), *spec.dims)
        assert rows.dtype == spec.dtype
        np.testing.assert_array_equal(rows, extractor.extract_many([clip])[0])
    assert extractor.extract_many([]) == []


def test_segments_bring_their_parent_first():
    encoder, segments = build_extractors(["segments"], encoder="logmel")
    assert segments.spec.parent == encoder.spec.digest


def test_the_built_in_encoder_is_log_mel_and_is_not_built_twice():
    (only,) = build_extractors(["logmel80", "encoder"], encoder="logmel")
    assert only.spec.name == "logmel80"


def test_an_alias_is_the_same_extractor():
    assert build_extractors(["mfcc"], encoder=None) == build_extractors(["mfcc13"], encoder=None)


@pytest.mark.parametrize(
    ("asked", "near"), [("logmell80", "logmel80"), ("formant", "formants"), ("mfc", "mfcc")]
)
def test_an_unknown_name_is_refused_with_the_nearest(asked, near):
    with pytest.raises(ConfigurationError, match=f"write '{near}"):
        build_extractors([asked], encoder=None)


def test_an_encoder_must_be_named():
    with pytest.raises(ConfigurationError, match="beside the feature 'encoder'"):
        build_extractors(["segments"], encoder=None)
