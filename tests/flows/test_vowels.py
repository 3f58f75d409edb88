"""The vowel tokens of the report, against values worked out with parselmouth and numpy alone."""

import shutil
from dataclasses import dataclass
from math import exp, log
from pathlib import Path

import numpy as np
import parselmouth
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.formants import formants
from features.vowel_formants import VowelToken, measure_vowels
from flows.vowels import measured_vowels, normalised
from pipeline import audio, espeak
from pipeline.aligners.aligner import tiled
from pipeline.aligners.hand import HandAligner
from pipeline.aligners.seed import _to_common_rate, phone_segments
from pipeline.phones import shared_vowel
from store.records import Alignment, PhoneInterval, Utterance
from store.vocabulary import COMMON_RATE, DIPHTHONGS
from training.reports.vowel_figures import centres_of

SHARED = Path(__file__).parents[2].parent / "shared" / "corpora" / "emodb"


def utterance(corpus, speaker, name="a", emotion="neutral", gender="male"):
    return Utterance(
        id=f"{corpus}/{name}", corpus=corpus, path=f"{name}.wav", speaker=speaker, gender=gender,
        language="de",
        emotion=emotion, native_label="", text="x", text_id=None, group=None, n_samples=0,
        sample_rate=COMMON_RATE, n_channels=1, audio_sha256=name, licence="none",
    )  # fmt: skip


def by_hand(samples, phone, ceiling):
    """F1 and F2 of one vowel, asked of Praat point by point; None where it is no token."""
    sound = parselmouth.Sound(samples.astype(float), COMMON_RATE)
    tracks = sound.to_formant_burg(0.010, 5, ceiling, 0.025, 50)
    start, stop = phone.start / COMMON_RATE, phone.stop / COMMON_RATE
    if stop - start < 0.030:
        return None
    if phone.vowel in DIPHTHONGS:
        times = [[round((start + part * (stop - start)) * 100) / 100] for part in (0.2, 0.8)]
    else:
        third = (stop - start) / 3
        times = [[k / 100 for k in range(1_000) if start + third <= k / 100 <= stop - third]]
    points = [
        [np.median([tracks.get_value_at_time(number, time) for time in group]) for number in (1, 2)]
        for group in times
    ]
    if not all(200 <= f1 <= 1_100 and 500 <= f2 <= 3_200 for f1, f2 in points):
        return None
    return np.mean(points, axis=0)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the EMO-DB recordings are not beside the project")
def test_vowels_of_emodb_are_those_that_praat_gives(tmp_path):
    """Hand labels and recordings of two speakers; vowels whose thirds hold a row, which nearly all do."""
    compared = 0
    for stem, gender, ceiling in (("03a01Fa", "male", 5_000), ("08a02Na", "female", 5_500)):
        source = next((SHARED / "wav").glob(f"{stem[:6]}*"))
        samples = audio.load(source)
        shutil.copy(next((SHARED / "lablaut").glob(f"{source.stem}*")), tmp_path)
        (row,) = HandAligner(tmp_path).align(
            [utterance("emodb", stem[:2], source.stem)], lambda _, found=samples: found
        )
        assert isinstance(row, Alignment)
        tokens = {t.phone: t for t in measure_vowels(formants(samples, gender), row.phones).tokens}
        for index, phone in enumerate(row.phones):
            if phone.vowel is None or phone.stop - phone.start < 0.06 * COMMON_RATE:
                continue
            expected = by_hand(samples, phone, ceiling)
            assert (expected is None) == (index not in tokens)
            if expected is not None:
                np.testing.assert_allclose(tokens[index].value, expected, rtol=1e-5)
                compared += 1
    assert compared >= 8


def spoken(text, variant):
    """Samples and phones of an English sentence by espeak-ng, with its own times."""
    speech = espeak.synthesise(text, "en", variant=variant)
    samples = _to_common_rate(speech)
    phones = [
        PhoneInterval(
            phone=phone, vowel=shared_vowel(phone, "en"), start=round(start * COMMON_RATE),
            stop=round(stop * COMMON_RATE), score=0.0,
        )
        for phone, start, stop in phone_segments(speech, "en") if phone
    ]  # fmt: skip
    return samples, tiled(phones, len(samples))


@dataclass
class Shelf:
    """What `measured_vowels` needs of the feature store."""

    rows: dict
    utterances: dict
    alignments: dict

    def has(self, spec, name):
        return spec == "formants" and name in self.rows

    def read_many(self, _spec, names):
        return {name: self.rows[name] for name in names}

    def utterance(self, name):
        return self.utterances[name]

    def alignment(self, name):
        return self.alignments.get(name)


def test_stored_formants_and_phones_give_the_tokens_that_praat_gives():
    samples, intervals = spoken("Why did the old car go by my house so late today?", "m3")
    told = [utterance("toy", "1", name) for name in ("said", "unaligned", "unmeasured")]
    row = Alignment(utterance="toy/said", key="k", aligner="x", score=0.0, intervals=intervals)
    rows = {name: formants(samples, "male") for name in ("toy/said", "toy/unaligned")}
    shelf = Shelf(rows, {item.id: item for item in told}, {"toy/said": row})
    found = measured_vowels(shelf, "formants", told)
    assert {item.id for item, _ in found} == {"toy/said"}
    tokens = {token.phone: token for _, token in found}
    compared = set()
    for index, phone in enumerate(row.phones):
        if phone.vowel is not None and phone.stop - phone.start >= 0.06 * COMMON_RATE:
            expected = by_hand(samples, phone, 5_000)
            assert (expected is None) == (index not in tokens)
            if expected is not None:
                np.testing.assert_allclose(tokens[index].value, expected, rtol=1e-5)
                compared.add(phone.vowel)
    assert compared & set(DIPHTHONGS)
    assert compared - set(DIPHTHONGS)


def made(corpus, speaker, emotion, *values):
    return [
        (utterance(corpus, speaker, emotion=emotion), VowelToken(k, vowel, pair))
        for k, (vowel, pair) in enumerate(values)
    ]


def test_normalisation_is_by_speaker_and_on_one_axis_for_the_pair():
    found = [
        *made("a", "1", "neutral", ("i", (300.0, 2400.0)), ("A", (1200.0, 600.0))),
        *made("b", "1", "anger", ("i", (200.0, 1600.0)), ("A", (800.0, 400.0))),
    ]
    tokens = normalised(found)
    grand = [exp(sum(log(token.value[k]) for _, token in found) / 4) for k in (0, 1)]
    own = [exp((log(300) + log(1200)) / 2), exp((log(2400) + log(600)) / 2)]
    assert tokens[0].f1 == pytest.approx(300 / own[0] * grand[0])
    assert tokens[0].f2 == pytest.approx(2400 / own[1] * grand[1])
    assert (tokens[2].f1, tokens[2].f2) == (pytest.approx(tokens[0].f1), pytest.approx(tokens[0].f2))
    assert [(t.corpus, t.vowel, t.emotion) for t in tokens][3] == ("b", "A", "anger")
    centres = centres_of(tokens)
    assert centres["a", "neutral", "i"].distance(centres["b", "anger", "i"]) == pytest.approx(0, abs=1e-9)


@given(st.floats(0.5, 2.0), st.floats(0.5, 2.0))
def test_the_length_of_a_speakers_vocal_tract_does_not_matter(first, second):
    values = [("i", (300.0, 2300.0)), ("A", (750.0, 1250.0)), ("u", (330.0, 900.0))]
    scaled = [(vowel, (first * f1, second * f2)) for vowel, (f1, f2) in values]
    tokens = normalised([*made("a", "1", "neutral", *values), *made("b", "2", "neutral", *scaled)])
    for one, other in zip(tokens[:3], tokens[3:], strict=True):
        assert (one.f1, one.f2) == (pytest.approx(other.f1), pytest.approx(other.f2))


def test_no_tokens():
    assert normalised([]) == ()
