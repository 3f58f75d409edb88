"""`phonanchor show`: one utterance or one corpus of the store in one picture."""

import re
from xml.etree import ElementTree

import numpy as np

from flows.show import ShowRequest, _samples
from pipeline.audio import write_wav
from pipeline.corpora.corpus import corpus_by_name
from pipeline.ingest import ingest
from store.feature_store import FeatureStore

WRONG = (
    ((), "an utterance or --corpus"),
    (("sample-en/x", "--corpus", "sample-en"), "an utterance or --corpus"),
    (("sample-en/nobody",), "name one of its utterances"),
    (("sample-en",), "pass --corpus sample-en"),
    (("--corpus", "emodb"), "corpora: sample-en"),
    (("--corpus", "sample-en", "--to", "a.pdf"), "ends in .svg"),
)


def texts(path):
    """The words of an SVG picture, which must be sound XML."""
    ElementTree.parse(path)  # noqa: S314 - our own file
    return re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8"))


def test_an_utterance_and_its_corpus_are_drawn(pair, phonanchor, tmp_path):
    features = "features=logmel80,segments:logmel80"  # formants are then computed for the picture
    settings = ("--corpora", pair, "--set", features, "--workers", "0")
    code, _, err = phonanchor("features", "--corpus", "sample-en", *settings)
    assert code == 0, err
    built = FeatureStore.open(tmp_path / "work" / "store")

    utterance = built.utterances[0]
    code, out, err = phonanchor("show", utterance.id, "--corpora", pair, "--to", tmp_path / "u.svg")
    assert code == 0, err
    assert utterance.emotion in out
    words = set(texts(tmp_path / "u.svg"))
    assert f"{utterance.id}: {utterance.emotion}" in words
    assert {"mel band", "kHz", "time (s)", "F1"} <= words
    assert {item.phone for item in built.alignment(utterance.id).phones} <= words

    code, out, _ = phonanchor("show", "--corpus", "sample-en")
    assert code == 0
    assert "24 utterances of 3 speakers" in out
    words = set(texts(tmp_path / "work" / "shown" / "sample-en.svg"))
    assert {"sample-en", "anger", "happiness", "neutral", "sadness", "emotions"} <= words

    for arguments, said in WRONG:
        code, _, err = phonanchor("show", *arguments)
        assert (code, err.count("\n")) == (2, 1)
        assert said in err


def test_what_to_pass_for_the_sound_is_said(pair, phonanchor, tmp_path):
    """The corpus is no part of the sample, so that nothing finds its recordings by itself."""
    (pair / "sample-en" / "wav").rename(pair / "own")
    first, *others = sorted((pair / "own").glob("*.wav"))
    for path in others:
        path.unlink()
    table = f"path,speaker,language,emotion\n{first.name},ann,en,anger\n"
    (pair / "own" / "manifest.csv").write_text(table)
    settings = ("--corpora", pair, "--workers", "0", "--set", "features=logmel80,formants")
    assert phonanchor("features", "--corpus", "own", *settings)[0] == 0
    name = f"own/{first.stem}"

    code, out, err = phonanchor("show", name)
    assert code == 0, err
    assert f"without the waveform: pass --corpora DIR, where DIR/own/{first.name} is the recording" in out

    code, out, _ = phonanchor("show", name, "--corpora", pair)
    assert code == 0
    assert "waveform" not in out

    first.unlink()
    code, _, err = phonanchor("show", name, "--corpora", pair)
    assert (code, err.count("\n")) == (2, 1)
    assert f"where DIR/own/{first.name} is the recording" in err


def test_the_sound_of_a_corpus_with_a_manifest_is_found(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    write_wav(folder / "a.wav", 0.1 * np.ones(8_000, dtype=np.float32), 16_000)
    (folder / "manifest.csv").write_text("path,speaker,language,emotion\na.wav,ann,nl,anger\n")
    (utterance,) = ingest(corpus_by_name("mine", tmp_path), folder, tmp_path / "cache").utterances
    request = ShowRequest(
        utterance=utterance.id, corpus=None, corpora=tmp_path, snapshot=None, to=None, work=tmp_path / "work"
    )
    assert _samples(utterance, request).size == 8_000
