"""espeak-ng: the same call gives the same samples, and phones tile the audio."""

import multiprocessing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import espeak
from store.errors import AlignmentError

SENTENCES = [
    ("Kids are talking by the door.", "en"), ("Der Lappen liegt auf dem Eisschrank.", "de"),
    ("Gli operai si alzano presto.", "it"), ("Kupiłem nową szafę.", "pl"), ("我今天很高兴。", "cmn"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "language"), SENTENCES)
def test_phones_tile_the_samples_and_agree_with_the_transcription(text: str, language: str) -> None:
    speech = espeak.synthesise(text, language)
    starts = [start for _, start, _ in speech.phones]
    stops = [stop for _, _, stop in speech.phones]
    assert starts[0] == 0
    assert starts[1:] == stops[:-1]
    assert stops[-1] == len(speech.samples)
    spoken = [phone for phone, _, _ in speech.phones if phone]
    written = [phone for word in espeak.words_to_phones(text, language) for phone in word]
    assert len(spoken) == pytest.approx(len(written), abs=2)
    assert spoken[0][0] == written[0][0]


def test_synthesis_does_not_depend_on_what_was_said_before() -> None:
    first = {pair: espeak.synthesise(*pair, variant="f2") for pair in SENTENCES}
    for pair in reversed(SENTENCES):
        again = espeak.synthesise(*pair, variant="f2")
        assert np.array_equal(first[pair].samples, again.samples)
        assert first[pair].phones == again.phones


def _in_another_process(text: str) -> tuple[int, tuple[tuple[str, int, int], ...]]:
    speech = espeak.synthesise(text, "de", variant="m1")
    return int(np.abs(speech.samples.astype(np.int64)).sum()), speech.phones


def test_synthesis_is_the_same_in_another_process() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_in_another_process, ("Guten Abend.",)) == _in_another_process("Guten Abend.")


def test_parameters_change_the_voice() -> None:
    slow = espeak.synthesise("Guten Abend.", "de", rate_wpm=100)
    fast = espeak.synthesise("Guten Abend.", "de", rate_wpm=250)
    assert len(slow.samples) > 1.4 * len(fast.samples)
    loud, quiet = (espeak.synthesise("Guten Abend.", "de", volume=volume) for volume in (100, 30))
    assert np.abs(loud.samples).max() > 2 * np.abs(quiet.samples).max()
    assert not np.array_equal(
        espeak.synthesise("Ja.", "de", pitch=90).samples[:4000], espeak.synthesise("Ja.", "de").samples[:4000]
    )


def test_transcription_keeps_words_and_drops_stress_and_switches() -> None:
    words = espeak.words_to_phones("Kids are talking, by the door.", "en")
    assert [word[0] for word in words] == ["k", "ɑːɹ", "t", "b", "ð", "d"]
    assert words[2] == ("t", "ɔː", "k", "ɪ", "ŋ")
    german = espeak.words_to_phones("Das Meeting mit Bob.", "de")
    assert not {mark for word in german for phone in word for mark in phone} & set("ˈˌ()_ ")


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=30), st.sampled_from(["de", "en", "cmn"]))
def test_any_text_is_transcribed_without_empty_words_or_phones(text: str, language: str) -> None:
    assert all(phone for word in espeak.words_to_phones(text, language) for phone in (*word, word))


def test_empty_text_is_silence() -> None:
    assert espeak.words_to_phones("", "de") == ()
    assert {phone for phone, _, _ in espeak.synthesise("", "de").phones} <= {""}


@pytest.mark.parametrize(("language", "variant"), [("xx", ""), ("de", "nobody"), ("../de", "")])
def test_an_unknown_voice_is_one_clear_error(language: str, variant: str) -> None:
    with pytest.raises(AlignmentError, match="expected a language that espeak-ng speaks"):
        espeak.synthesise("Ja", language, variant=variant)


def test_languages() -> None:
    assert all(espeak.has_language(name) for name in ("de", "en", "it", "pl", "cmn", "zh", "fr", "ru"))
    assert not any(espeak.has_language(name) for name in ("xx", "", "English"))


def test_a_data_folder_with_a_long_path_is_reached_by_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    before = espeak.synthesise("Ja.", "de")
    monkeypatch.setattr(espeak, "_LONGEST_DATA_PATH", 1)
    espeak._data_path.cache_clear()
    assert np.array_equal(espeak.synthesise("Ja.", "de").samples, before.samples)
    assert espeak._data_path() != str(espeak.espeakng_loader.get_data_path())
    espeak._data_path.cache_clear()
