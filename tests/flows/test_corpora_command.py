"""`phonanchor corpora` and `phonanchor corpora check`: the list, and a folder against what is published."""

import json
import shutil

import pytest

from flows.__main__ import main
from pipeline.corpora.corpus import registered
from tests.pipeline.corpus_trees import CORPORA, small_corpus, tone


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


@pytest.fixture
def check(capsys, tmp_path):
    def run_check(name, path, *options):
        return run(capsys, "corpora", "check", name, path, "--work", tmp_path / "work", *options)

    return run_check


def test_the_list_names_every_corpus_with_counts_licence_source_and_layout(capsys):
    code, out, _ = run(capsys, "corpora")
    assert code == 0
    for corpus in registered():
        assert f"\n{corpus.name} " in f"\n{out}"
        assert corpus.licence in out
    assert "535 recordings, 10 speakers (5 f, 5 m)" in out
    assert "27854 recordings (14182 usable), 200? speakers" in out
    assert "Zenodo 1478765" in out
    assert "manifest.csv" in out


def test_the_list_as_json(capsys):
    code, out, _ = run(capsys, "corpora", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0
    assert set(rows) == {corpus.name for corpus in registered()}
    assert rows["aesdd"]["recordings"] == "500-605?"
    assert rows["emodb"]["classes"]["W"] == "127"
    assert rows["iemocap"]["layout"].startswith("Session1/sentences/wav/")


def test_a_part_of_a_corpus_is_reported_with_exit_code_1(check, tmp_path):
    root = small_corpus("emodb", tmp_path)
    tone(root / "notes.wav")
    shutil.copy(root / "wav" / "03a01Fa.wav", root / "wav" / "03a02Fa.wav")
    (root / "wav" / "03a04Fa.wav").write_bytes(b"RIFF")
    code, out, err = check("emodb", root)
    assert code == 1
    assert "missing    class L (boredom): 0, published 81" in out
    assert "missing    recordings: 5, published 535" in out
    assert "missing    men: 1, published 5" in out
    assert "duplicate  wav/03a01Fa.wav = wav/03a02Fa.wav: the same audio" in out
    assert "unusable   notes.wav: the name is not" in out
    assert "unusable   wav/03a04Fa.wav: " in out
    assert err.count("\n") == 1
    assert "expected emodb as it is published" in err


def test_the_check_as_json(check, tmp_path):
    small_corpus("thai-ser", tmp_path)
    code, out, _ = check("thai-ser", tmp_path, "--json")  # the folder that holds the corpus
    report = json.loads(out)
    assert code == 1
    assert (report["recordings"], report["speakers"]) == (3, {"female": 1, "male": 1})
    assert report["classes"] == {"Angry anger": 1, "Happy happiness": 1, "Frustrated frustration": 1}
    assert {"kind": "missing", "what": "recordings", "found": "3, published 14182"} in report["findings"]
    assert report["sound"] is False


def test_what_the_rules_of_a_corpus_leave_out_is_counted_and_no_fault(check, tmp_path):
    root = tmp_path / "mine"
    tone(root / "a.wav")
    (root / "manifest.csv").write_text("path,speaker,language,emotion\na.wav,ann,nl,anger\n")
    code, out, _ = check("mine", root)
    assert code == 0
    assert "note       counts: nothing is published" in out
    assert "mine is sound" in out
    root = small_corpus("ravdess", tmp_path)
    tone(root / "Actor_01" / "03-02-01-01-01-01-01.wav")
    _, out, _ = check("ravdess", root)
    assert "1 left out: vocal channel 02 is not speech (01)" in out


@pytest.mark.parametrize(("name", "word"), [("emodbb", "did you mean emodb"), ("emodb", "no folder")])
def test_what_cannot_be_checked_is_exit_code_2(name, word, check, tmp_path):
    code, _, err = check(name, tmp_path / "nowhere")
    assert code == 2
    assert word in err


@pytest.mark.skipif(not CORPORA.is_dir(), reason="no ../shared/corpora beside the checkout")
def test_the_real_corpora(check):
    code, out, _ = check("emodb", CORPORA)
    assert code == 1
    assert [line for line in out.splitlines() if line.startswith("missing")] == [
        "missing    recordings: 339, published 535",
        "missing    class L (boredom): 0, published 81",
        "missing    class E (disgust): 0, published 46",
        "missing    class A (fear): 0, published 69",
    ]
    code, out, _ = check("ravdess", CORPORA / "ravdess")
    assert code == 0
    assert "03-01-03-01-02-02-07.flac: the same audio, a known fault of the corpus" in out
