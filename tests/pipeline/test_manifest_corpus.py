"""The generic corpus: a folder with a manifest.csv; and corpora that other packages bring."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.corpora import corpus as registry
from pipeline.corpora.corpus import Corpus, corpus_by_name, registered
from pipeline.ingest import ingest
from store.errors import ConfigurationError, CorpusError
from tests.pipeline.corpus_trees import tone
from tests.pipeline.test_corpora import split_rows

HEADER = (
    "path,utterance,speaker,gender,language,emotion,text,text_id,group,split,perceived,"
    "arousal,valence,dominance,licence"
)
TABLE = f"""{HEADER}
a/one.wav,,ann,F,nl,anger,"Ja, nee.",t1,day1,train,anger=0.75; neutral=0.25,5,2.5,4,CC0-1.0
b/one.flac,two,bob,m,fy,calm,,,,,,,,,
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "my-corpus"
    tone(folder / "a" / "one.wav")
    tone(folder / "b" / "one.flac", hertz=300)
    (folder / "manifest.csv").write_text(TABLE, encoding="utf-8")
    return folder


def my_corpus(root: Path) -> Corpus:
    return corpus_by_name("my-corpus", root.parent)


def test_a_folder_with_a_manifest_is_a_corpus_of_its_name(root: Path, tmp_path: Path) -> None:
    corpus = my_corpus(root)
    assert corpus.folder(root.parent) == root
    first, second = ingest(corpus, root, tmp_path / "cache").utterances
    assert (first.id, first.path, first.speaker, first.gender) == (
        "my-corpus/one", "a/one.wav", "ann", "female",
    )  # fmt: skip
    assert (first.language, first.licence, first.emotion) == ("nl", "CC0-1.0", "anger")
    assert (first.text, first.text_id, first.group, first.split) == ("Ja, nee.", "t1", "day1", "train")
    assert [(heard.emotion, heard.share) for heard in first.perceived] == [("anger", 0.75), ("neutral", 0.25)]
    assert (first.arousal, first.valence, first.dominance) == (5.0, 2.5, 4.0)
    assert (second.id, second.gender, second.language) == ("my-corpus/two", "male", "fy")
    assert (second.licence, second.text, second.perceived, second.arousal) == ("not stated", None, (), None)


def test_files_and_rows_that_do_not_match_are_reported(root: Path) -> None:
    tone(root / "c.wav")
    (root / "b" / "one.flac").unlink()
    items, skipped = split_rows(my_corpus(root), root)
    assert set(items) == {"one"}
    assert skipped == {
        "c.wav": "the name is not one that manifest.csv lists",
        "b/one.flac": "the corpus's table lists the file, the folder lacks it",
    }


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",emotion,", ",emotoin,", "without emotion"),
        (",split,", ",splitt,", "perhaps split"),
        (",calm,", ",serene,", "an emotion of neutral, .*row 3.*serene"),
        (",bob,", ",,", "a value of speaker in row 3"),
        (",fy,", ",,", "a value of language in row 3"),
        ("b/one.flac,two", "a/one.wav,two", "each path once, row 3"),
        ("b/one.flac,two", "b/one.flac,one", "each utterance once, row 3"),
        ("b/one.flac,two", "b/one.flac,t/wo", "without slashes, row 3"),
        ("anger=0.75;", "anger=lots;", "perceived as anger=0.6; neutral=0.4 in row 2.*anger=lots"),
        ("anger=0.75;", "rage=0.75;", "rage=0.75"),
        (",5,2.5,4,", ",high,2.5,4,", "a number as arousal, row 2.*high"),
    ],
)
def test_a_manifest_that_is_wrong_is_one_clear_error(old: str, new: str, words: str, root: Path) -> None:
    assert old in TABLE
    (root / "manifest.csv").write_text(TABLE.replace(old, new), encoding="utf-8")
    with pytest.raises(CorpusError, match=words):
        split_rows(my_corpus(root), root)


@pytest.mark.parametrize("name", ["nothing-there", "../my-corpus", "my-corpus/a", ""])
def test_names_without_a_manifest_are_unknown(name: str, root: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"a folder of that name with a manifest\.csv"):
        corpus_by_name(name, root.parent)


# --------------------------------------------------------------------- corpora of other packages


@pytest.fixture
def package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[None]:
    """Install a package that declares a corpus, as pip would lay it out."""
    site = tmp_path / "site"
    information = site / "others-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[phonanchor.corpora]\nours = others_corpus:OURS\n")
    (site / "others_corpus.py").write_text(request.param)
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "others_corpus", raising=False)
    registry._from_other_packages.cache_clear()
    yield
    registry._from_other_packages.cache_clear()
    sys.modules.pop("others_corpus", None)


OTHERS = """
from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import Reading, by_stem


def read_stem(stem):
    return Reading(speaker=stem[:2], gender="unknown", emotion_label=stem[2:])


OURS = FolderCorpus(
    name="ours", language="sv", licence="ours", folders=(), reader=lambda _root: by_stem(read_stem),
    labels={"arg": "anger"},
)
"""


@pytest.mark.parametrize("package", [OTHERS], indirect=True)
def test_another_package_brings_a_corpus_with_its_labels(package: None, tmp_path: Path) -> None:
    tone(tmp_path / "ours" / "s1arg.wav")
    assert registered()[-1].name == "ours"
    (utterance,) = ingest(corpus_by_name("ours"), tmp_path / "ours", tmp_path / "cache").utterances
    assert (utterance.id, utterance.emotion, utterance.language) == ("ours/s1arg", "anger", "sv")
    tone(tmp_path / "ours" / "s1glad.wav")
    with pytest.raises(CorpusError, match="add 'glad' to the labels of ours"):
        ingest(corpus_by_name("ours"), tmp_path / "ours", tmp_path / "cache")


@pytest.mark.parametrize("package", ["import nothing_of_the_kind"], indirect=True)
def test_a_broken_package_is_one_clear_error(package: None) -> None:
    with pytest.raises(ConfigurationError, match=r"ours = others_corpus:OURS.*nothing_of_the_kind"):
        registered()


@pytest.mark.parametrize("package", [OTHERS.replace('name="ours"', 'name="emodb"')], indirect=True)
def test_a_name_that_is_taken_is_refused(package: None) -> None:
    with pytest.raises(ConfigurationError, match="emodb twice"):
        registered()
