import pickle
from dataclasses import replace

import numpy as np
import pytest

from features.clip import Clip
from features.extractor import OPERATIONS, build_extractors, names
from features.framing import row_count
from features.segments import kept_rows
from store.arrays import geometry
from store.errors import ConfigurationError, ExtractionError
from store.records import PhoneInterval

HERE = tuple(name for name in names() if name != "egemaps88")
DERIVED = (*(f"{operation}:mfcc13" for operation in OPERATIONS), "segments:encoder", "utterance-mean:f0")
PHONES = (PhoneInterval(phone="a", vowel="A", start=100, stop=900, score=0.0),)


@pytest.mark.parametrize("name", [*HERE, *DERIVED, "waveform-8000"])
def test_contract(name):
    """Every extractor: light, with rows by its law and type, whatever the batch and what was shared."""
    rng = np.random.default_rng(0)
    *_, parent = build_extractors([name.rpartition(":")[2]], encoder="logmel")
    *_, extractor = build_extractors([name], encoder="logmel")
    spec, rate = extractor.spec, extractor.spec.sample_rate or 44_100
    samples = [(0.1 * rng.standard_normal(n)).astype(np.float32) for n in (rate, rate * 4 // 5, 2 * rate)]
    clips = [Clip(s, rate, "female", PHONES) for s in samples]
    if spec.parent:
        frames = parent.extract_many(clips)
        clips = [replace(clip, frames=rows) for clip, rows in zip(clips, frames, strict=True)]
    assert len(pickle.dumps(extractor)) < 5_000
    together = pickle.loads(pickle.dumps(extractor)).extract_many(clips)  # noqa: S301
    for clip, rows in zip(clips, together, strict=True):
        expected = (
            kept_rows(spec, PHONES, len(clip.frames))
            if spec.law.kind == "phone-frames"
            else row_count(spec.law, clip.samples.size, 1)
        )
        assert rows.shape == (expected, *spec.dims)
        assert rows.dtype == spec.dtype
        alone = Clip(clip.samples, rate, "female", PHONES, clip.frames)
        np.testing.assert_array_equal(rows, extractor.extract_many([alone])[0])
        np.testing.assert_array_equal(rows, extractor.extract_many([clip])[0])
    assert extractor.extract_many([]) == []
    assert geometry(spec).row_shape == spec.dims


@pytest.mark.parametrize("name", [name for name in HERE if name != "vec149"])
def test_a_clip_of_one_sample_has_rows_by_the_law(name):
    (extractor,) = build_extractors([name], encoder="logmel")
    clip = Clip(np.array([0.1], np.float32), extractor.spec.sample_rate or 44_100)
    (rows,) = extractor.extract_many([clip])
    assert len(rows) == row_count(extractor.spec.law, 1)


def test_stored_rows_of_these_digests_stay_valid():
    """A digest changes only together with the values: raise `version` and say so in CHANGELOG.md."""
    built = build_extractors(["logmel80", "mfcc13", "formants"], encoder=None)
    assert [extractor.spec.digest[:8] for extractor in built] == ["21d6c470", "54fcc27c", "3baddf6c"]


def test_what_extractors_share_is_computed_once(monkeypatch):
    clip = Clip(np.ones(1600, np.float32), 16_000)
    for extractor in build_extractors(["logmel80", "mfcc13", "mfcc40-deltas"], encoder=None):
        extractor.extract_many([clip])
    assert len(clip.shared) == 1
    with pytest.raises(ValueError, match="read-only"):
        next(iter(clip.shared.values()))[0] = 0


def test_segments_bring_their_parent_first():
    encoder, segments = build_extractors(["segments"], encoder="logmel")
    assert segments.spec.parent == encoder.spec.digest


def test_the_built_in_encoder_is_log_mel_and_is_not_built_twice():
    (only,) = build_extractors(["logmel80", "encoder"], encoder="logmel")
    assert only.spec.name == "logmel80"


def test_an_alias_is_the_same_extractor():
    assert build_extractors(["mfcc"], encoder=None) == build_extractors(["mfcc13"], encoder=None)


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("logmell80", "logmel80"),
        ("formant", "formants"),
        ("mfc", "mfcc"),
        ("segment:mfcc13", "segments:mfcc13"),
        ("waveform-16k", "waveform-16000"),
        ("waveform-99", "waveform-16000"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(asked, near):
    with pytest.raises(ConfigurationError, match=f"did you mean '{near}'"):
        build_extractors([asked], encoder=None)


def test_an_encoder_must_be_named():
    with pytest.raises(ConfigurationError, match="beside the feature 'encoder'"):
        build_extractors(["segments"], encoder=None)


@pytest.mark.parametrize("name", ["waveform-16000", "vec149", "wave144k", "segments:mfcc13"])
def test_what_has_no_frames_in_time_cannot_be_cut_into_phones(name):
    with pytest.raises((ExtractionError, ConfigurationError), match=r"frames in time|OPERATION:NAME"):
        build_extractors([f"segments:{name}"], encoder=None)


def test_a_waveform_comes_at_any_rate():
    (extractor,) = build_extractors(["waveform-24414"], encoder=None)
    assert (extractor.spec.name, extractor.spec.sample_rate, extractor.spec.dims) == (
        "waveform-24414",
        24_414,
        (),
    )


def test_wave144k_pads_with_zeros_and_keeps_the_head_at_any_rate():
    (extractor,) = build_extractors(["wave144k"], encoder=None)
    ramp = np.linspace(-1, 1, 150_000, dtype=np.float32)
    long, short = extractor.extract_many([Clip(ramp, 48_000), Clip(ramp[:10], 24_414)])
    np.testing.assert_array_equal(long, ramp[:144_000])
    np.testing.assert_array_equal(short[:10], ramp[:10])
    assert not short[10:].any()
