"""Recordings of which a tombstone stands in the store are not read, not kept and not named."""

import json
import shutil

import pytest

from pipeline import hash_cache
from pipeline.audio import read_native
from pipeline.corpora.corpus import corpus_by_name
from pipeline.ingest import ingest
from store.errors import CorpusError
from store.tombstones import AUDIO, REASON, SPEAKER, UTTERANCE, Tombstones
from tests.pipeline.corpus_trees import small_corpus

EMODB = corpus_by_name("emodb")


@pytest.fixture
def root(tmp_path):
    return small_corpus("emodb", tmp_path)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def everybody(root, cache):
    return ingest(EMODB, root, cache).utterances


def stones(*things):
    return Tombstones("salt").added("receipt", things)


def left(result):
    return {item.id for item in result.utterances}


def rows(result):
    return [row for row in result.excluded if row.reason == REASON]


def test_a_forgotten_speaker_is_not_read(root, cache, everybody, monkeypatch):
    speaker = everybody[0].speaker_key
    hers = {item.id for item in everybody if item.speaker_key == speaker}
    shutil.rmtree(cache)
    read = []
    monkeypatch.setattr(hash_cache, "read_native", lambda path: read.append(path.stem) or read_native(path))
    result = ingest(EMODB, root, cache, forgotten=stones((SPEAKER, speaker)))
    assert left(result) == {item.id for item in everybody} - hers
    assert f"emodb/{read[0]}" in left(result)
    assert {f"emodb/{name}" for name in read}.isdisjoint(hers)
    assert len(rows(result)) == len(hers)
    assert not any(name.split("/")[1] in repr(rows(result)) for name in hers)


def test_a_forgotten_recording_that_is_excluded_or_unreadable_is_not_named(root, cache, everybody):
    gone = everybody[0]
    (root / gone.path).write_bytes(b"no audio")
    result = ingest(EMODB, root, cache, classes=("sadness", "anger"), forgotten=stones((UTTERANCE, gone.id)))
    assert gone.id not in {row.utterance for row in (*result.quarantined, *result.excluded)}
    assert len(rows(result)) == 1


def test_the_audio_is_known_under_another_name_and_speaker(root, cache, everybody):
    gone = everybody[0]
    path = root / gone.path
    other = "16" if gone.speaker != "16" else "15"
    path.rename(path.with_name(f"{other}{path.stem[2:6]}z{path.suffix}".replace("z.", "x.")))
    before = left(ingest(EMODB, root, cache))
    held = stones((SPEAKER, gone.speaker_key), (UTTERANCE, gone.id), (AUDIO, gone.audio_sha256))
    result = ingest(EMODB, root, cache, forgotten=held)
    (renamed,) = {item for item in before - left(result) if not item.startswith(f"emodb/{gone.speaker}")}
    assert renamed.startswith(f"emodb/{other}")
    assert gone.audio_sha256 not in (cache / "emodb.json").read_text(encoding="utf-8")
    assert renamed.split("/")[1] not in (cache / "emodb.json").read_text(encoding="utf-8")


def test_the_same_tombstones_give_the_same_rows(root, cache, everybody):
    held = stones((UTTERANCE, everybody[0].id), (UTTERANCE, everybody[1].id))
    assert rows(ingest(EMODB, root, cache, forgotten=held)) == [
        held.row(name) for name in sorted(item.id for item in everybody[:2])
    ]
    assert json.loads((cache / "emodb.json").read_text(encoding="utf-8"))


def test_a_corpus_of_which_nobody_is_left_is_an_error(root, cache, everybody):
    held = stones(*((SPEAKER, item.speaker_key) for item in everybody))
    with pytest.raises(CorpusError, match=f"{len(everybody)} forgotten on request"):
        ingest(EMODB, root, cache, forgotten=held)
