"""The synthesised sample: deterministic, complete, marked as synthetic, and with all shared vowels."""

import hashlib
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline import synthesis
from pipeline.audio import load, read_native
from pipeline.corpora.corpus import corpus_by_name
from pipeline.espeak import words_to_phones
from pipeline.ingest import ingest
from pipeline.phones import shared_vowel, split_espeak
from pipeline.synthesis import Prosody, SampleClip, ensure_sample, recipe, recipe_digest, render, sample_clips
from store.errors import StoreError
from store.records import Utterance
from store.vocabulary import FOUR_CLASSES, SHARED_VOWELS

Rows = dict[str, tuple[Utterance, ...]]

NAMES = ["sample-en", "sample-cmn"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("work") / "sample"
    ensure_sample(made)
    return made


@pytest.fixture(scope="module")
def utterances(folder: Path) -> Rows:
    corpora = [corpus_by_name(name) for name in NAMES]
    results = [ingest(corpus, corpus.folder(folder), folder.parent / "cache") for corpus in corpora]
    assert [result.quarantined for result in results] == [(), ()]
    return {result.corpus: result.utterances for result in results}


def bytes_of(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", NAMES)
def test_each_speaker_says_each_sentence_in_each_emotion(name: str, utterances: Rows) -> None:
    rows = utterances[name]
    assert len(rows) == 6 * 4 * 7
    assert Counter(row.emotion for row in rows) == dict.fromkeys(FOUR_CLASSES, 42)
    assert len({(row.speaker, row.emotion, row.text_id) for row in rows}) == len(rows)
    genders = {row.speaker: row.gender for row in rows}
    assert Counter(genders.values()) == {"female": 3, "male": 3}


@pytest.mark.parametrize("name", NAMES)
def test_all_is_marked_as_synthetic(name: str, folder: Path, utterances: Rows) -> None:
    assert all(row.synthetic for row in utterances[name])
    assert all("espeak-ng" in row.licence for row in utterances[name])
    readme = (folder / name / "README").read_text()
    assert readme.startswith("SYNTHETIC")
    assert recipe_digest(name) in readme


@pytest.mark.parametrize("name", NAMES)
def test_no_two_recordings_are_equal(name: str, utterances: Rows) -> None:
    assert len({row.audio_sha256 for row in utterances[name]}) == len(utterances[name])


def test_no_voice_speaks_both_languages() -> None:
    english, mandarin = (set(recipe().corpora[name].speakers.values()) for name in NAMES)
    assert english & mandarin == set()
    assert len(english) == len(mandarin) == 6


@pytest.mark.parametrize("name", NAMES)
def test_recordings_are_16_khz_mono_of_sensible_length_and_level(
    name: str, folder: Path, utterances: Rows
) -> None:
    for row in utterances[name]:
        assert (row.sample_rate, row.n_channels) == (16_000, 1)
        assert 1.0 < row.seconds < 6.0
        samples = read_native(folder / name / row.path).samples
        assert np.sqrt(np.mean(samples**2)) > 0.005
        assert np.abs(samples).max() < 0.999, row.id


@pytest.mark.parametrize("name", NAMES)
def test_the_sentences_hold_the_ten_shared_vowels_several_times(name: str) -> None:
    language = recipe().corpora[name].language
    phones = (
        phone
        for text in recipe().corpora[name].sentences
        for word in words_to_phones(text, language)
        for symbol in word
        for phone, _ in split_espeak(symbol, language)
    )
    counts = Counter(vowel for phone in phones if (vowel := shared_vowel(phone, language)))
    assert set(counts) == set(SHARED_VOWELS)
    assert min(counts.values()) >= 3, counts


@pytest.mark.parametrize("name", NAMES)
def test_emotions_differ_in_prosody_on_average(name: str, folder: Path, utterances: Rows) -> None:
    def mean(emotion: str, quantity: str) -> float:
        rows = [row for row in utterances[name] if row.emotion == emotion]
        if quantity == "seconds":
            return float(np.mean([row.seconds for row in rows]))
        return float(np.mean([np.sqrt(np.mean(load(folder / name / row.path) ** 2)) for row in rows]))

    assert mean("anger", "seconds") < mean("neutral", "seconds") < mean("sadness", "seconds")
    assert mean("sadness", "level") < mean("neutral", "level") < mean("anger", "level")


def test_the_same_recipe_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    ensure_sample(tmp_path)
    assert bytes_of(tmp_path) == bytes_of(folder)


def test_a_clip_does_not_depend_on_what_was_said_before() -> None:
    clips = sample_clips("sample-cmn")
    first = render(clips[5])
    for other in clips[100:104]:
        render(other)
    np.testing.assert_array_equal(render(clips[5]), first)


def test_a_finished_sample_is_left_alone(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    calls: list[tuple[str, int, int]] = []
    ensure_sample(folder, lambda *call: calls.append(call))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert calls == []


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the sample small: two clips a corpus."""
    clips = sample_clips

    def few(name: str) -> tuple[SampleClip, ...]:
        return clips(name)[:2]

    monkeypatch.setattr(synthesis, "sample_clips", few)


@pytest.mark.usefixtures("tiny")
def test_progress_counts_all_clips_once(tmp_path: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    ensure_sample(tmp_path, lambda *call: calls.append(call))
    assert calls == [("sample", done, 4) for done in range(1, 5)]


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("damage", ["recipe", "wav", "folder"])
def test_an_incomplete_or_older_sample_is_made_anew(tmp_path: Path, damage: str) -> None:
    ensure_sample(tmp_path)
    whole = bytes_of(tmp_path)
    if damage == "recipe":
        (tmp_path / "sample-en" / "recipe").write_text("0" * 64)
    elif damage == "wav":
        next((tmp_path / "sample-en" / "wav").iterdir()).unlink()
    else:
        shutil.rmtree(tmp_path / "sample-en")
    ensure_sample(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)
    assert bytes_of(tmp_path) == whole


@pytest.mark.usefixtures("tiny")
def test_a_broken_off_synthesis_leaves_nothing(tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_sample(tmp_path, stop)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "sample").write_text("x")
    with pytest.raises(StoreError, match=r"to write .*sample-en; found .*irectory"):
        ensure_sample(tmp_path / "sample")


def test_every_prosody_is_within_what_espeak_takes() -> None:
    limits = {"rate_wpm": (80, 450), "pitch": (0, 99), "pitch_range": (0, 99), "volume": (0, 200)}
    for clip in [clip for name in NAMES for clip in sample_clips(name)]:
        for key, (low, high) in limits.items():
            assert low <= getattr(clip.prosody, key) <= high


def test_emotions_overlap_in_every_setting() -> None:
    # otherwise one number would give the class away and the sample would prove nothing about the models
    clips = sample_clips("sample-en")
    for key in Prosody.model_fields:
        values = {
            emotion: [getattr(clip.prosody, key) for clip in clips if f"_{emotion}_" in clip.stem]
            for emotion in FOUR_CLASSES
        }
        assert max(values["neutral"]) > min(values["happiness"])
        assert max(values["sadness"]) > min(values["neutral"])


def test_the_recipe_digest_depends_on_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {recipe_digest(name) for name in NAMES}
    louder = recipe().model_copy(update={"jitter": Prosody(rate_wpm=1, pitch=1, pitch_range=1, volume=1)})
    monkeypatch.setattr(synthesis, "recipe", lambda: louder)
    after = {recipe_digest(name) for name in NAMES}
    assert len(before) == len(after) == 2
    assert before & after == set()
