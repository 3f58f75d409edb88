"""One contract for all registered corpora, and what is particular to each."""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.corpora.corpus import Corpus, CorpusItem, corpus_by_name, registered
from pipeline.labels import canonical
from store.errors import ConfigurationError, CorpusError
from store.records import Skipped
from store.vocabulary import GENDERS
from tests.pipeline.corpus_trees import AT_HAND, CORPORA, NEMO_TABLE, PUBLISHED, small_corpus, tone

NAMES = [corpus.name for corpus in registered()]
SOUND = {".wav", ".flac"}


LAYOUTS = [(name, "small") for name in NAMES] + [
    (name, kind) for name in AT_HAND for kind in ("real", "originals")
]
WITHOUT_TEXTS = {
    "aesdd", "biic-podcast", "demos", "emomatch", "eyase", "oreau", "shemo", "savee", "thai-ser", "urdu",
}  # fmt: skip
"""Their texts are unknown, or not shipped in a form that a file name leads to."""
WITHOUT_TEXT_IDS = {*WITHOUT_TEXTS, "dusha", "iemocap", "msp-podcast"}
WITHOUT_ALL_GENDERS = {"aesdd", "biic-podcast", "dusha", "emomatch", "msp-podcast", "turev-db"}
LANGUAGES = {"ar", "cmn", "de", "el", "en", "es", "fa", "fr", "it", "pl", "ru", "th", "tr", "ur"}


@pytest.fixture(params=LAYOUTS, ids="-".join)
def laid_out(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Corpus, Path]:
    """Return each corpus with the parent folder it lies in."""
    name, kind = request.param
    if kind == "small":
        small_corpus(name, tmp_path)
        return corpus_by_name(name), tmp_path
    if not CORPORA.is_dir():
        pytest.skip("no ../shared/corpora beside the checkout")
    if kind == "originals" and name == "nemo":  # its table lies with the complete corpus only
        _originals_of_nemo(tmp_path / "nemo")
        return corpus_by_name(name), tmp_path
    return corpus_by_name(name), CORPORA / "originals" if kind == "originals" else CORPORA


def _originals_of_nemo(folder: Path) -> None:
    folder.mkdir()
    (folder / "samples").symlink_to(CORPORA / "originals" / "nemo" / "samples")
    lines = (CORPORA / "nemo" / "data.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    there = {path.name for path in (folder / "samples").iterdir()}
    rows = [line for line in lines if line.split("\t")[0] in there]
    (folder / "data.tsv").write_text(lines[0] + "".join(rows), encoding="utf-8")


def items_of(corpus: Corpus, root: Path) -> list[CorpusItem]:
    rows = list(corpus.items(root))
    assert [row for row in rows if isinstance(row, Skipped)] == []
    return [row for row in rows if isinstance(row, CorpusItem)]


def split_rows(corpus: Corpus, root: Path) -> tuple[dict[str, CorpusItem], dict[str, str]]:
    rows = list(corpus.items(root))
    items = {row.stem: row for row in rows if isinstance(row, CorpusItem)}
    return items, {row.path: row.reason for row in rows if isinstance(row, Skipped)}


# --------------------------------------------------------------------- the contract


def test_every_recording_becomes_one_item(laid_out: tuple[Corpus, Path]) -> None:
    corpus, parent = laid_out
    root = corpus.folder(parent)
    walked = [Path(folder) / name for folder, _, names in os.walk(root, followlinks=True) for name in names]
    items = items_of(corpus, root)
    assert {root / item.path for item in items} == {path for path in walked if path.suffix.lower() in SOUND}
    assert len({item.stem for item in items}) == len(items) > 0


def test_items_are_complete(laid_out: tuple[Corpus, Path]) -> None:
    corpus, parent = laid_out
    for item in items_of(corpus, corpus.folder(parent)):
        assert item.stem == unicodedata.normalize("NFC", item.stem)
        assert not Path(item.path).is_absolute()
        assert "\\" not in item.path
        assert item.speaker == item.speaker.strip() != ""
        assert item.gender in GENDERS[: 3 if corpus.name in WITHOUT_ALL_GENDERS else 2]
        assert canonical(corpus.name, item.emotion_label, corpus.labels)
        if corpus.name not in WITHOUT_TEXTS:
            assert item.text
            assert item.text == item.text.strip()
        if corpus.name not in WITHOUT_TEXT_IDS:
            assert item.text_id
        assert sum(item.perceived.values()) == pytest.approx(1 if item.perceived else 0)
        assert all(canonical(corpus.name, label, corpus.labels) for label in item.perceived)


def test_one_text_id_has_one_text_and_one_speaker_one_gender(laid_out: tuple[Corpus, Path]) -> None:
    corpus, parent = laid_out
    items = items_of(corpus, corpus.folder(parent))
    known = [item for item in items if item.text_id]
    assert len({(item.text_id, item.text) for item in known}) == len({item.text_id for item in known})
    assert len({(item.speaker, item.gender) for item in items}) == len({item.speaker for item in items})


def test_the_order_is_fixed(laid_out: tuple[Corpus, Path]) -> None:
    corpus, parent = laid_out
    root = corpus.folder(parent)
    assert list(corpus.items(root)) == list(corpus.items(root))


@pytest.mark.parametrize("name", NAMES)
def test_corpora_say_what_they_are(name: str) -> None:
    corpus = corpus_by_name(name)
    assert corpus.name == name
    assert corpus.language in LANGUAGES
    assert corpus.licence
    assert corpus.synthetic == name.startswith("sample-")


@pytest.mark.parametrize("name", PUBLISHED)
def test_foreign_sound_files_become_rows_with_a_reason(name: str, tmp_path: Path) -> None:
    root = small_corpus(name, tmp_path)
    expected, _ = split_rows(corpus_by_name(name), root)
    tone(root / "notes to self.wav")
    (root / "._03a01Fa.wav").write_bytes(b"\0\5\x16\7")
    (root / "interview.m4a").write_bytes(b"....")
    items, skipped = split_rows(corpus_by_name(name), root)
    assert items == expected
    assert set(skipped) == {"notes to self.wav", "._03a01Fa.wav", "interview.m4a"}
    assert "macOS" in skipped.pop("._03a01Fa.wav")
    assert all("the name is not" in reason for reason in skipped.values())


@pytest.mark.parametrize("name", PUBLISHED)
def test_papers_beside_the_recordings_are_no_recordings(name: str, tmp_path: Path) -> None:
    root = small_corpus(name, tmp_path)
    for paper in ("README.md", "erkennung.txt", "03a01Fa.lablaut", "dis-f1-b1.TextGrid", ".DS_Store"):
        (root / paper).write_text("x")
    assert len(items_of(corpus_by_name(name), root)) == len(PUBLISHED[name][1])


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("extension", [".WAV", ".flac", ".Flac"])
def test_other_extensions_are_accepted(name: str, extension: str, tmp_path: Path) -> None:
    root = small_corpus(name, tmp_path)
    expected, _ = split_rows(corpus_by_name(name), root)
    for path in list(root.rglob("*.wav")):
        path.rename(path.with_suffix(extension))
    items, skipped = split_rows(corpus_by_name(name), root)
    assert set(items) == set(expected)
    assert skipped == {}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recording_that_libsndfile_cannot_read_is_reported(name: str, tmp_path: Path) -> None:
    root = small_corpus(name, tmp_path)
    path = next(path for path in root.rglob("*") if path.suffix.lower() in SOUND)
    path.rename(path.with_suffix(".m4a"))
    items, skipped = split_rows(corpus_by_name(name), root)
    assert path.stem not in items
    assert [reason for reason in skipped.values() if "libsndfile cannot read .m4a" in reason]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_second_copy_of_the_corpus_inside_itself_is_reported(name: str, tmp_path: Path) -> None:
    root = small_corpus(name, tmp_path)
    first, _ = split_rows(corpus_by_name(name), root)
    for item in list(first.values()):
        tone(root / "copy" / "of" / "it" / item.path)
    items, skipped = split_rows(corpus_by_name(name), root)
    assert items == first
    assert len(skipped) == len(first)
    assert all("a second file of the" in reason for reason in skipped.values())


@pytest.mark.parametrize("name", PUBLISHED)
def test_hostile_names_do_not_enter(name: str, tmp_path: Path) -> None:
    root = small_corpus(name, tmp_path)
    expected, _ = split_rows(corpus_by_name(name), root)
    stem = next(iter(expected))
    tone(root / "a\nb" / f"{stem}.wav")
    tone(root / f"{stem}\n.wav")
    os.makedirs(os.fsencode(root) + b"/x\xff")
    Path(os.fsdecode(os.fsencode(root) + b"/x\xff/") + f"{stem}.wav").write_bytes(b"")
    tone(root / f"..{stem}.wav")
    items, skipped = split_rows(corpus_by_name(name), root)
    assert items == expected
    assert len(skipped) == 4
    for path, reason in skipped.items():
        assert path.isprintable()
        assert "cannot be printed" in reason or "steps out" in reason


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may list every folder")
def test_a_folder_that_cannot_be_listed_is_reported(tmp_path: Path) -> None:
    root = small_corpus("emovo", tmp_path)
    (root / "m3").chmod(0)
    items, skipped = split_rows(corpus_by_name("emovo"), root)
    (root / "m3").chmod(0o755)
    assert "gio-m3-l1" not in items
    assert "cannot be listed" in skipped["m3"]


def test_linked_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    root = small_corpus("emovo", tmp_path / "real")
    (tmp_path / "emovo").mkdir()
    (tmp_path / "emovo" / "f1").symlink_to(root / "f1")
    tone(tmp_path / "emovo" / "gio-m3-l1.wav")
    (tmp_path / "emovo" / "again").symlink_to(tmp_path / "emovo")
    items, skipped = split_rows(corpus_by_name("emovo"), tmp_path / "emovo")
    assert set(items) == {"dis-f1-b1", "rab-f1-b1", "gio-m3-l1"}
    assert skipped == {}


# --------------------------------------------------------------------- finding folders


@pytest.mark.parametrize("folder", ["emodb", "EMO-DB", "EmoDB", "emo-db"])
def test_a_corpus_is_found_under_its_usual_names(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir()
    assert corpus_by_name("emodb").folder(tmp_path) == tmp_path / folder


def test_a_missing_corpus_is_looked_for_under_its_own_name(tmp_path: Path) -> None:
    assert corpus_by_name("emodb").folder(tmp_path) == tmp_path / "emodb"
    assert corpus_by_name("emodb").folder(tmp_path / "nowhere") == tmp_path / "nowhere" / "emodb"


@pytest.mark.parametrize(
    ("typed", "meant"), [("ravdes", "ravdess"), ("EMODB", "emodb"), ("sample_en", "sample-en")]
)
def test_an_unknown_name_gets_the_nearest_one(typed: str, meant: str) -> None:
    with pytest.raises(ConfigurationError, match=f"did you mean {meant}"):
        corpus_by_name(typed)


def test_a_name_like_none_is_sent_to_the_list() -> None:
    with pytest.raises(ConfigurationError, match=r"found 'zzzzzz\\n'.*'phonanchor corpora' lists"):
        corpus_by_name("zzzzzz\n")


# --------------------------------------------------------------------- one corpus each


def read(name: str, tmp_path: Path, *paths: str) -> tuple[dict[str, CorpusItem], dict[str, str]]:
    for path in paths:
        tone(tmp_path / path)
    return split_rows(corpus_by_name(name), tmp_path)


def test_emodb_names(tmp_path: Path) -> None:
    items, skipped = read("emodb", tmp_path, "wav/16b10Wb.wav", "wav/17a01Fa.wav", "wav/03a03Fa.wav")
    item = items["16b10Wb"]
    assert (item.speaker, item.gender, item.emotion_label, item.text_id) == ("16", "female", "W", "b10")
    assert item.text == "Die wird auf dem Platz sein, wo wir sie immer hinlegen."
    assert "speaker 17" in skipped["wav/17a01Fa.wav"]
    assert "text a03" in skipped["wav/03a03Fa.wav"]


def test_emovo_names(tmp_path: Path) -> None:
    items, skipped = read("emovo", tmp_path, "m3/gio-m3-l3.wav", "m4/gio-m4-l3.wav", "m3/gio-m3-z9.wav")
    item = items["gio-m3-l3"]
    assert (item.speaker, item.gender, item.emotion_label, item.text_id) == ("m3", "male", "gio", "l3")
    assert item.text == "Un attimo dopo s'è incamminato … ed è inciampato."
    assert len(skipped) == 2


def test_ravdess_names(tmp_path: Path) -> None:
    stems = ["03-01-05-01-02-01-12", "03-02-05-01-02-01-12", "01-01-05-01-02-01-12", "03-01-05-01-03-01-12"]
    items, skipped = read(
        "ravdess", tmp_path, *(f"Actor_12/{stem}.wav" for stem in [*stems, "03-01-05-01-02-01-25"])
    )
    item = items.pop("03-01-05-01-02-01-12")
    assert (item.speaker, item.gender, item.emotion_label, item.text_id) == ("12", "female", "05", "02")
    assert item.text == "Dogs are sitting by the door."
    assert items == {}
    reasons = " ".join(skipped.values())
    for words in ("is not speech", "is film", "text 03", "speaker 25"):
        assert words in reasons


def test_nemo_reads_its_table(tmp_path: Path) -> None:
    root = small_corpus("nemo", tmp_path)
    tone(root / "samples" / "EB0_anger_99.wav")
    items, skipped = split_rows(corpus_by_name("nemo"), root)
    item = items["KS0_surprised_10"]
    assert (item.speaker, item.gender, item.emotion_label, item.text_id) == ("KS0", "male", "surprised", "10")
    assert item.text == "Kupiłem nową szafę."
    assert skipped == {"samples/EB0_anger_99.wav": "data.tsv does not list the file"}


def test_nemo_rows_without_a_file_are_reported(tmp_path: Path) -> None:
    root = small_corpus("nemo", tmp_path)
    (root / "samples" / "EB0_fear_1.wav").unlink()
    items, skipped = split_rows(corpus_by_name("nemo"), root)
    assert "EB0_fear_1" not in items
    assert skipped == {"samples/EB0_fear_1.wav": "the corpus's table lists the file, the folder lacks it"}


def test_nemo_names_that_contradict_the_table_are_reported(tmp_path: Path) -> None:
    root = small_corpus("nemo", tmp_path)
    (root / "data.tsv").write_text(NEMO_TABLE.replace("\tfear\t", "\tsadness\t"), encoding="utf-8")
    items, skipped = split_rows(corpus_by_name("nemo"), root)
    assert "EB0_fear_1" not in items
    assert "data.tsv gives" in skipped["samples/EB0_fear_1.wav"]


Damage = Callable[[Path], object]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "not UTF-8"),
        (lambda path: path.write_text(""), "without file_id"),
        (lambda path: path.write_text(NEMO_TABLE.replace("gender", "sex")), "without gender"),
        (
            lambda path: path.write_text(NEMO_TABLE + "EB0_fear_1.wav\tfear\n"),
            "2 instead of 7 values in row 5",
        ),
    ],
)
def test_a_damaged_table_of_nemo_is_one_clear_error(damage: Damage, words: str, tmp_path: Path) -> None:
    root = small_corpus("nemo", tmp_path)
    damage(root / "data.tsv")
    with pytest.raises(CorpusError, match=words):
        list(corpus_by_name("nemo").items(root))


def test_a_table_with_windows_line_ends_and_a_mark_is_read(tmp_path: Path) -> None:
    root = small_corpus("nemo", tmp_path)
    (root / "data.tsv").write_bytes(("\ufeff" + NEMO_TABLE).replace("\n", "\r\n").encode())
    assert len(items_of(corpus_by_name("nemo"), root)) == 3


# --------------------------------------------------------------------- the real corpora


def letters(text: str) -> str:
    return "".join(filter(str.isalpha, text)).lower()


COUNTS = {
    "emodb": {"W": 127, "F": 71, "T": 62, "N": 79},
    "emovo": dict.fromkeys(("neu", "dis", "gio", "pau", "rab", "sor", "tri"), 84),
    "ravdess": {"01": 96} | {f"{label:02d}": 192 for label in range(2, 9)},
    "nemo": {"anger": 170, "fear": 167, "happiness": 180, "neutral": 179, "sadness": 175, "surprised": 146},
}
SPEAKERS = {"emodb": (5, 5), "emovo": (3, 3), "ravdess": (12, 12), "nemo": (4, 5)}


@pytest.mark.skipif(not CORPORA.is_dir(), reason="no ../shared/corpora beside the checkout")
@pytest.mark.parametrize("name", COUNTS)
def test_real_corpora_have_the_published_counts(name: str) -> None:
    corpus = corpus_by_name(name)
    items = items_of(corpus, corpus.folder(CORPORA))
    assert Counter(item.emotion_label for item in items) == COUNTS[name]
    genders = {item.speaker: item.gender for item in items}
    assert tuple(Counter(genders.values())[gender] for gender in ("female", "male")) == SPEAKERS[name]


@pytest.mark.skipif(not CORPORA.is_dir(), reason="no ../shared/corpora beside the checkout")
@pytest.mark.parametrize("name", ["emodb", "emovo", "ravdess"])
def test_texts_are_those_shipped_with_the_corpus(name: str) -> None:
    corpus = corpus_by_name(name)
    root = corpus.folder(CORPORA)
    lines = (root / "sentences.tsv").read_text(encoding="utf-8").splitlines()
    shipped = {
        text_id: "".join(filter(str.isalpha, text)).lower()
        for text_id, text in (x.split("\t") for x in lines)
    }
    ours = {
        item.text_id: "".join(filter(str.isalpha, item.text or "")).lower() for item in items_of(corpus, root)
    }
    assert ours == shipped


def test_licences_are_those_of_the_releases_that_the_list_names() -> None:
    """As the pages of the releases say; the stricter one where releases differ."""
    expected = {
        "thai-ser": "CC-BY-SA-4.0", "tess": "CC-BY-NC-ND-4.0", "emodb": "CC-BY-4.0",
        "cafe": "CC-BY-NC-SA-4.0", "emovo": "CC-BY-NC-SA-4.0", "oreau": "CC-BY-4.0",
        "ravdess": "CC-BY-NC-SA-4.0",
        "nemo": "CC-BY-NC-SA-4.0", "turev-db": "CC-BY-NC-ND-4.0",
    }  # fmt: skip
    assert {name: corpus_by_name(name).licence for name in expected} == expected
