"""From a corpus folder to utterances, and what becomes of files that cannot be used."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline import hash_cache
from pipeline.audio import NativeAudio, content_hash, read_native
from pipeline.corpora.corpus import Corpus, CorpusItem, corpus_by_name
from pipeline.ingest import Ingested, ingest
from store.errors import CorpusError, StoreError
from store.records import Skipped
from store.vocabulary import FOUR_CLASSES
from tests.pipeline.corpus_trees import CORPORA, PUBLISHED, small_corpus, tone

EMODB = corpus_by_name("emodb")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small_corpus("emodb", tmp_path)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "work" / "cache"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of all audio files that are decoded from now on."""
    names: list[str] = []

    def read(path: Path) -> NativeAudio:
        names.append(path.name)
        return read_native(path)

    monkeypatch.setattr(hash_cache, "read_native", read)
    return names


def ids(result: Ingested) -> list[str]:
    return [utterance.id for utterance in result.utterances]


# --------------------------------------------------------------------- rows


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_recording_becomes_an_utterance(name: str, tmp_path: Path, cache: Path) -> None:
    result = ingest(corpus_by_name(name), small_corpus(name, tmp_path), cache)
    inside = PUBLISHED[name][0].partition("/")[2]  # recordings may lie deeper than the corpus folder
    assert sorted(row.path for row in result.utterances) == sorted(
        f"{inside}/{path}".lstrip("/") for path in PUBLISHED[name][1]
    )
    assert (result.corpus, result.quarantined, result.excluded) == (name, (), ())
    assert (result.hashed, result.cached) == (len(PUBLISHED[name][1]), 0)


def test_an_utterance_says_what_name_table_and_file_say(root: Path, cache: Path) -> None:
    utterance = ingest(EMODB, root, cache).utterances[0]
    audio = read_native(root / utterance.path)
    assert (utterance.id, utterance.path, utterance.corpus) == ("emodb/03a01Fa", "wav/03a01Fa.wav", "emodb")
    assert (utterance.speaker, utterance.gender, utterance.language) == ("03", "male", "de")
    assert (utterance.emotion, utterance.native_label) == ("happiness", "F")
    assert (utterance.text_id, utterance.text) == ("a01", "Der Lappen liegt auf dem Eisschrank.")
    assert (utterance.n_samples, utterance.sample_rate, utterance.n_channels) == (1_600, 16_000, 1)
    assert utterance.audio_sha256 == content_hash(audio)
    assert not utterance.synthetic


def test_sample_counts_are_those_of_the_file(root: Path, cache: Path) -> None:
    path = tone(root / "wav" / "16b10Wb.wav", rate=48_000, channels=2, seconds=0.25)
    by_id = {row.id: row for row in ingest(EMODB, root, cache).utterances}
    utterance = by_id["emodb/16b10Wb"]
    assert (utterance.n_samples, utterance.sample_rate, utterance.n_channels) == (12_000, 48_000, 2)
    assert utterance.audio_sha256 == content_hash(read_native(path))


def test_equal_audio_under_two_names_stays_two_utterances(root: Path, cache: Path) -> None:
    shutil.copy(root / "wav" / "03a01Fa.wav", root / "wav" / "03a01Fb.wav")
    by_id = {row.id: row for row in ingest(EMODB, root, cache).utterances}
    assert by_id["emodb/03a01Fa"].audio_sha256 == by_id["emodb/03a01Fb"].audio_sha256


def test_the_extension_does_not_change_id_and_hash(root: Path, cache: Path) -> None:
    before = ingest(EMODB, root, cache)
    for path in sorted(root.rglob("*.wav")):
        samples, rate = soundfile.read(str(path), dtype="int16")
        soundfile.write(str(path.with_suffix(".flac")), samples, rate)
        path.unlink()
    after = ingest(EMODB, root, cache)
    assert [(row.id, row.audio_sha256) for row in before.utterances] == [
        (row.id, row.audio_sha256) for row in after.utterances
    ]


def test_classes_not_in_use_are_counted_and_not_read(root: Path, cache: Path, reads: list[str]) -> None:
    result = ingest(EMODB, root, cache, classes=("anger", "sadness"))
    assert ids(result) == ["emodb/03a01Wa", "emodb/08a01Td"]
    assert sorted(reads) == ["03a01Wa.wav", "08a01Td.wav"]
    assert [(row.utterance, row.reason) for row in result.excluded] == [
        ("emodb/03a01Fa", "class not in use: happiness"),
        ("emodb/03a01Nc", "class not in use: neutral"),
    ]
    assert result.quarantined == ()


# --------------------------------------------------------------------- quarantine


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1_000])


def _not_a_number(path: Path) -> None:
    soundfile.write(str(path), np.full(100, np.nan), 16_000, subtype="FLOAT")


def _link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere/at/all.wav")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_empty, "zero bytes"),
        (_cut, "ends before"),
        (_not_a_number, "finite"),
        (_link_to_nothing, "cannot be opened"),
    ],
)
def test_an_unusable_file_becomes_a_row_and_the_run_goes_on(
    damage: Callable[[Path], None], reason: str, root: Path, cache: Path
) -> None:
    damage(root / "wav" / "03a01Wa.wav")
    result = ingest(EMODB, root, cache)
    assert ids(result) == ["emodb/03a01Fa", "emodb/03a01Nc", "emodb/08a01Td"]
    (row,) = result.quarantined
    assert (row.utterance, row.corpus, row.path, row.stage) == (
        "emodb/03a01Wa", "emodb", "wav/03a01Wa.wav", "ingest",
    )  # fmt: skip
    assert reason in row.reason
    assert "\n" not in row.reason


def test_a_mended_file_leaves_the_quarantine(root: Path, cache: Path) -> None:
    _empty(root / "wav" / "03a01Wa.wav")
    assert len(ingest(EMODB, root, cache).quarantined) == 1
    tone(root / "wav" / "03a01Wa.wav")
    again = ingest(EMODB, root, cache)
    assert again.quarantined == ()
    assert (again.hashed, again.cached) == (1, 3)


def test_names_that_do_not_fit_are_in_the_quarantine(root: Path, cache: Path) -> None:
    tone(root / "wav" / "99a01Fa.wav")
    (row,) = ingest(EMODB, root, cache).quarantined
    assert row.utterance == "emodb/99a01Fa"
    assert "speaker 99" in row.reason


# --------------------------------------------------------------------- the cache


def test_a_second_run_reads_no_audio(root: Path, cache: Path, reads: list[str]) -> None:
    first = ingest(EMODB, root, cache)
    assert len(reads) == 4
    second = ingest(EMODB, root, cache)
    assert len(reads) == 4
    assert second.utterances == first.utterances
    assert (second.hashed, second.cached) == (0, 4)


def test_only_a_changed_file_is_read_again(root: Path, cache: Path, reads: list[str]) -> None:
    before = {row.id: row.audio_sha256 for row in ingest(EMODB, root, cache).utterances}
    reads.clear()
    tone(root / "wav" / "03a01Wa.wav", hertz=999)
    after = {row.id: row.audio_sha256 for row in ingest(EMODB, root, cache).utterances}
    assert reads == ["03a01Wa.wav"]
    assert {name for name in before if before[name] != after[name]} == {"emodb/03a01Wa"}


def test_a_touched_file_is_read_again_and_keeps_its_hash(root: Path, cache: Path, reads: list[str]) -> None:
    first = ingest(EMODB, root, cache)
    reads.clear()
    os.utime(root / "wav" / "03a01Wa.wav", ns=(1, 1))
    second = ingest(EMODB, root, cache)
    assert reads == ["03a01Wa.wav"]
    assert second.utterances == first.utterances


def test_rehash_notices_what_size_and_time_hide(root: Path, cache: Path) -> None:
    path = root / "wav" / "03a01Wa.wav"
    first = ingest(EMODB, root, cache)
    status = path.stat()
    tone(path, hertz=777)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert ingest(EMODB, root, cache).utterances == first.utterances
    again = ingest(EMODB, root, cache, rehash=True)
    assert (again.hashed, again.cached) == (4, 0)
    assert again.utterances != first.utterances
    assert ingest(EMODB, root, cache).utterances == again.utterances


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 99}', '{"format": 1, "files": {"a": 3}}'])
def test_a_damaged_cache_counts_as_empty(content: str, root: Path, cache: Path, reads: list[str]) -> None:
    expected = ingest(EMODB, root, cache)
    (cache / "emodb.json").write_text(content)
    reads.clear()
    assert ingest(EMODB, root, cache).utterances == expected.utterances
    assert len(reads) == 4
    assert len(json.loads((cache / "emodb.json").read_text())["files"]) == 4


def test_a_cache_of_another_format_counts_as_empty(root: Path, cache: Path, reads: list[str]) -> None:
    ingest(EMODB, root, cache)
    content = json.loads((cache / "emodb.json").read_text())
    (cache / "emodb.json").write_text(json.dumps(content | {"format": content["format"] + 1}))
    reads.clear()
    assert ingest(EMODB, root, cache).hashed == len(reads) == 4


def test_two_folders_of_one_corpus_share_a_cache(tmp_path: Path, cache: Path, reads: list[str]) -> None:
    one, two = small_corpus("emodb", tmp_path / "one"), small_corpus("emodb", tmp_path / "two")
    ingest(EMODB, one, cache)
    ingest(EMODB, two, cache)
    reads.clear()
    assert ingest(EMODB, one, cache).cached == ingest(EMODB, two, cache).cached == 4
    assert reads == []


def test_what_was_read_before_a_break_is_kept(root: Path, cache: Path, reads: list[str]) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(EMODB, root, cache, progress=stop)
    assert ingest(EMODB, root, cache).cached >= 2


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_cache_that_cannot_be_written_is_one_clear_error(root: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir(mode=0o500)
    with pytest.raises(StoreError, match=r"to write .*emodb\.json"):
        ingest(EMODB, root, tmp_path / "work" / "cache")


def test_a_cache_in_place_of_a_file_is_one_clear_error(root: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StoreError, match=r"to write .*emodb\.json"):
        ingest(EMODB, root, tmp_path / "cache")
    assert (tmp_path / "cache").read_text() == "a file"


def test_progress_counts_up_to_all_files(root: Path, cache: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    ingest(EMODB, root, cache, progress=lambda *call: calls.append(call))
    assert calls == [("ingest", done, 4) for done in range(5)]
    calls.clear()
    ingest(EMODB, root, cache, progress=lambda *call: calls.append(call))
    assert calls == [("ingest", 4, 4)]


# --------------------------------------------------------------------- refusals


def test_a_missing_folder(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(CorpusError, match=r"recordings of emodb; found no folder .*emodb; .*--corpora"):
        ingest(EMODB, EMODB.folder(tmp_path / "nowhere"), cache)
    assert not cache.exists()


def test_a_file_instead_of_a_folder(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "emodb").write_text("x")
    with pytest.raises(CorpusError, match="which is a file"):
        ingest(EMODB, tmp_path / "emodb", cache)


def test_an_empty_corpus(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "emodb" / "wav").mkdir(parents=True)
    (tmp_path / "emodb" / "README").write_text("x")
    with pytest.raises(CorpusError, match="no sound file"):
        ingest(EMODB, tmp_path / "emodb", cache)


def test_another_corpus_in_its_place(tmp_path: Path, cache: Path) -> None:
    root = small_corpus("ravdess", tmp_path)
    with pytest.raises(CorpusError, match=r"4 unfit in .*ravdess, the first .*the name is not speaker"):
        ingest(EMODB, root, cache)


def test_a_corpus_without_one_readable_file(root: Path, cache: Path) -> None:
    for path in root.rglob("*.wav"):
        _empty(path)
    with pytest.raises(
        CorpusError, match=r"recordings of emodb that can be read; found 4 unusable.*zero bytes"
    ):
        ingest(EMODB, root, cache)


def test_a_corpus_without_the_classes(root: Path, cache: Path) -> None:
    with pytest.raises(CorpusError, match=r"recordings of surprise in emodb; found only anger, happiness"):
        ingest(EMODB, root, cache, classes=["surprise"])


def test_an_unknown_label_stops_before_any_file_is_read(root: Path, cache: Path, reads: list[str]) -> None:
    tone(root / "wav" / "03a01Xa.wav")
    with pytest.raises(CorpusError, match=r"emodb that labels\.toml lists .*found 'X'"):
        ingest(EMODB, root, cache)
    assert reads == []


def test_every_refusal_is_one_line(tmp_path: Path, cache: Path) -> None:
    odd = tmp_path / "a\nb"
    odd.mkdir()
    with pytest.raises(CorpusError) as caught:
        ingest(EMODB, odd, cache)
    assert "\n" not in str(caught.value)


# --------------------------------------------------------------------- any corpus


class _Two:
    """A corpus that no folder layout is behind: ingest needs the protocol only."""

    name, language, licence, synthetic, labels = "emodb", "de", "none", True, None

    def folder(self, corpora: Path) -> Path:
        return corpora

    def items(self, root: Path) -> Iterator[CorpusItem | Skipped]:
        assert root.is_dir()
        said = {"speaker": "s", "gender": "unknown", "language": "gsw", "licence": "its own"}
        heard = {"N": 0.25, "T": 0.75}
        yield CorpusItem(stem="b", path="b.wav", emotion_label="N", group="session 1", split="test", **said)
        yield Skipped(utterance="emodb/c", corpus="emodb", path="c.wav", stage="ingest", reason="no reason")
        yield Skipped(utterance="emodb/d", corpus="emodb", path="d.wav", stage="selection", reason="a rule")
        yield CorpusItem(
            stem="a", path="a.wav", speaker="s", gender="unknown", emotion_label="T", perceived=heard,
            arousal=1.5, valence=2.5, dominance=3.5,
        )  # fmt: skip


def test_ingest_takes_any_corpus(tmp_path: Path, cache: Path) -> None:
    corpus: Corpus = _Two()
    tone(tmp_path / "a.wav")
    tone(tmp_path / "b.wav")
    result = ingest(corpus, tmp_path, cache)
    assert [(row.id, row.group, row.synthetic) for row in result.utterances] == [
        ("emodb/a", None, True), ("emodb/b", "session 1", True),
    ]  # fmt: skip
    assert [row.utterance for row in result.quarantined] == ["emodb/c"]
    assert [row.utterance for row in result.excluded] == ["emodb/d"]
    first, second = result.utterances
    assert [(heard.emotion, heard.share) for heard in first.perceived] == [
        ("sadness", 0.75), ("neutral", 0.25),
    ]  # fmt: skip
    assert (first.arousal, first.valence, first.dominance, first.split) == (1.5, 2.5, 3.5, None)
    assert (first.language, first.licence) == ("de", "none")
    assert (second.language, second.licence, second.split) == ("gsw", "its own", "test")


# --------------------------------------------------------------------- the real corpora


@pytest.mark.skipif(not CORPORA.is_dir(), reason="no ../shared/corpora beside the checkout")
def test_the_twins_of_ravdess_have_one_hash(cache: Path) -> None:
    corpus = corpus_by_name("ravdess")
    result = ingest(corpus, corpus.folder(CORPORA / "originals"), cache)
    hashes = {row.id: row.audio_sha256 for row in result.utterances}
    assert hashes["ravdess/03-01-03-01-02-01-07"] == hashes["ravdess/03-01-03-01-02-02-07"]
    assert len(set(hashes.values())) == len(hashes) - 1 == 6
    assert {(row.sample_rate, row.n_channels) for row in result.utterances} == {(48_000, 1), (48_000, 2)}


@pytest.mark.skipif(not CORPORA.is_dir(), reason="no ../shared/corpora beside the checkout")
def test_emodb_as_it_lies_beside_the_checkout(cache: Path) -> None:
    result = ingest(EMODB, EMODB.folder(CORPORA), cache, classes=FOUR_CLASSES)
    assert len(result.utterances) == 339
    assert len({row.speaker for row in result.utterances}) == 10
    assert len({row.audio_sha256 for row in result.utterances}) == 339
    assert (result.quarantined, result.excluded) == ((), ())
