"""The MFA adapter on a stand-in program that fails as silently as MFA does."""

import json
import shutil
import stat
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.align import AlignedCorpus, align
from pipeline.aligners.mfa import MfaAligner, MfaModel, given_model, phone_set_of, train_mfa
from pipeline.aligners.mfa_program import find_mfa
from store.errors import AlignmentError, AudioError
from store.records import Alignment, Skipped, Utterance
from store.vocabulary import COMMON_RATE

SECONDS = {"short": 0.05, "long": 0.6}


def make(name: str, text: str | None = "Guten Abend.", *, speaker: str = "a") -> Utterance:
    return Utterance(
        id=f"toy/{name}", corpus="toy", path=f"{name}.wav", speaker=speaker, gender="unknown", language="de",
        emotion="neutral", native_label="n", text=text, text_id=None, group=None, n_samples=COMMON_RATE,
        sample_rate=COMMON_RATE, n_channels=1, audio_sha256=f"{speaker}{name}", licence="none",
    )  # fmt: skip


def load(utterance: Utterance) -> NDArray[np.float32]:
    name = utterance.id.rpartition("/")[2]
    if name == "broken":
        raise AudioError("a recording", "noise", "restore it")
    count = int(SECONDS.get(name, 1.5) * COMMON_RATE)
    noise = np.random.default_rng(1).uniform(-0.1, 0.1, count).astype(np.float32)
    return noise * 0 if name == "silent" else noise


class MemoryStore:
    def __init__(self) -> None:
        self.model: bytes | None = None
        self.alignments: tuple[Alignment, ...] = ()

    def put_model(self, name: str, data: bytes) -> str:
        assert name == "mfa-toy"
        self.model = data
        return "digest"

    def latest_model(self, name: str) -> tuple[str, bytes] | None:
        assert name == "mfa-toy"
        return None if self.model is None else ("digest", self.model)

    def latest_alignments(self, corpus: str, aligner_digest: str) -> tuple[Alignment, ...]:
        assert (corpus, len(aligner_digest)) == ("toy", 64)
        return self.alignments


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "mfa"
    program.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("mfa_standin.py")}" "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("STANDIN_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


def runs(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def run(store: MemoryStore, utterances: Sequence[Utterance], **options: bool) -> AlignedCorpus:
    result = align(store, "toy", utterances, load, aligner="mfa", workers=2, **options)
    store.alignments += result.alignments
    return result


def test_a_corpus_is_trained_aligned_and_accounted_for(log: Path) -> None:
    rows = [make("one"), make("two", "Das ist gut.", speaker="b"), make("none", None), make("broken"),
            make("short"), make("silent"), make("long", "Das ist viel zu viel Text. " * 9)]  # fmt: skip
    result = run(MemoryStore(), rows)
    assert [item.utterance for item in result.alignments] == ["toy/one", "toy/two"]
    assert [item.phone for item in result.alignments[0].phones][:3] == ["ɡ", "u", "t"]
    assert result.alignments[0].phones[1].vowel == "u"
    assert result.alignments[0].intervals[-1].stop == len(load(rows[0]))
    reasons = {row.utterance: row.reason for row in result.unaligned}
    assert reasons["toy/none"] == "no text"
    assert "restore it" in reasons["toy/broken"]
    assert "too short" in reasons["toy/short"]
    assert "silence" in reasons["toy/silent"]
    assert "no path through this text" in reasons["toy/long"]
    trained, aligned = runs(log)
    assert trained["arguments"][0] == "train"
    assert aligned["arguments"][0] == "align"
    assert len(aligned["files"]) == 3


def test_each_run_is_private_absolute_and_repeatable(log: Path) -> None:
    run(MemoryStore(), [make("one")])
    for entry in runs(log):
        arguments = entry["arguments"]
        temporary = Path(arguments[arguments.index("-t") + 1])
        assert temporary.is_absolute()
        assert Path(entry["root"]).parent == temporary.parent
        assert not temporary.parent.exists()
        assert entry["seed"] == "0"
        assert "--no_use_postgres" in arguments
    trained, aligned = runs(log)
    assert trained["arguments"][trained["arguments"].index("-j") + 1] == "1"
    assert aligned["arguments"][aligned["arguments"].index("-j") + 1] == "2"


def test_output_that_is_missing_without_a_trace(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STANDIN_DROP", "u0")
    result = run(MemoryStore(), [make("one"), make("two")])
    assert [row.reason for row in result.unaligned] == ["MFA wrote no TextGrid and no message for it"]
    assert len(result.alignments) == 1


def test_a_new_file_aligns_its_whole_speaker_and_no_other(log: Path) -> None:
    store = MemoryStore()
    corpus = [make("one"), make("two"), make("three", speaker="b")]
    first = run(store, corpus)
    again = run(store, corpus)
    assert (again.reused, again.computed, len(runs(log))) == (3, 0, 2)
    grown = run(store, [*corpus, make("four")])
    assert (grown.reused, grown.computed) == (1, 3)
    assert len(runs(log)[-1]["files"]) == 3
    assert grown.identity == first.identity
    assert run(store, corpus, retrain=True).identity == first.identity  # the same corpus, the same model


def test_a_phone_the_model_does_not_know_is_reported(log: Path) -> None:
    store = MemoryStore()
    run(store, [make("one", "Ja.")])
    result = run(store, [make("one", "Ja."), make("two", "Ich.")])
    assert [row.utterance for row in result.unaligned] == ["toy/two"]
    assert "--retrain" in result.unaligned[0].reason


def test_a_given_model_comes_with_its_dictionary_and_sees_the_text(log: Path) -> None:
    model = MfaModel(json.dumps(["ɡ", "uː", "t"]).encode(), "guten\tɡ uː t\n".encode())
    aligner = MfaAligner(model, [make("one", "Guten  Abend.")])
    (found,) = aligner.align([make("one", "Guten  Abend.")], load)
    assert isinstance(found, Alignment)
    assert [item.phone for item in found.phones] == ["ɡ", "uː", "t"]
    assert list(runs(log)[0]["files"].values()) == ["Guten Abend.\n"]
    other = MfaAligner(replace(model, dictionary=b"guten\tt\n"), [])
    assert other.identity != aligner.identity


def test_words_outside_a_given_dictionary_are_counted(log: Path) -> None:
    model = MfaModel(json.dumps(["ɡ", "uː", "t"]).encode(), "guten\tɡ uː t\n".encode())
    rows = [make("one", "Guten"), make("two", "Guten Morgen")]
    result = align(MemoryStore(), "toy", rows, load, aligner="mfa", mfa_model=model)
    assert [len(item.phones) for item in result.alignments] == [3, 3]
    assert result.notes[0] == "words that the dictionary lacks (spn) in 1 utterances, as silence"
    assert [entry["arguments"][0] for entry in runs(log)] == ["align"]  # nothing is trained


@pytest.mark.parametrize(
    ("dictionary", "phone_set"),
    [
        ("good\t0.99\t0.1\t1.2\t0.8\tG UH1 D\nday D EY1\n", "arpabet"),
        ("好\tx aw˨˩˦\n", "mfa"),
        (None, "mfa"),
    ],
)
def test_the_phone_set_is_that_of_the_dictionary(dictionary: str | None, phone_set: str) -> None:
    assert phone_set_of(dictionary.encode() if dictionary else None) == phone_set


@pytest.mark.parametrize(
    ("model", "dictionary", "match"),
    [
        (b"PK\x03\x04", b"", "a dictionary of words and phones"),
        (b"text", b"a\tb\n", "an acoustic model of MFA"),
        (None, b"a\tb\n", "No such file"),
    ],
)
def test_a_given_model_that_cannot_serve_is_refused_before_mfa_runs(
    tmp_path: Path, model: bytes | None, dictionary: bytes, match: str
) -> None:
    if model is not None:
        (tmp_path / "m.zip").write_bytes(model)
    (tmp_path / "d.dict").write_bytes(dictionary)
    with pytest.raises(AlignmentError, match=match):
        given_model(tmp_path / "m.zip", tmp_path / "d.dict")


def test_nothing_usable_runs_no_program(log: Path) -> None:
    rows = list(MfaAligner(MfaModel(b"zip"), [make("silent")]).align([make("silent")], load))
    assert isinstance(rows[0], Skipped)
    assert not log.exists()
    with pytest.raises(AlignmentError, match="found silence"):
        train_mfa([make("silent")], load)


def test_a_failing_program_is_one_line(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STANDIN_EXIT", "1")
    store = MemoryStore()
    with pytest.raises(AlignmentError, match=r"mfa train to end well; found exit code 1: CorpusError"):
        run(store, [make("one")])
    assert store.model is None


def test_a_missing_program_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AlignmentError, match=r"mfa on the PATH.*conda-forge.*--aligner embedded"):
        run(MemoryStore(), [make("one")])


@pytest.mark.parametrize(("version", "found"), [("4.0.0", "version 4.0.0"), ("nonsense", "nonsense")])
def test_another_version_is_refused(
    log: Path, monkeypatch: pytest.MonkeyPatch, version: str, found: str
) -> None:
    monkeypatch.setenv("STANDIN_VERSION", version)
    with pytest.raises(AlignmentError, match=found):
        find_mfa()
    assert not log.exists()


@pytest.mark.mfa
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mfa") is None, reason="the mfa program is not installed")
def test_the_real_program() -> None:
    from pipeline import espeak
    from pipeline.aligners.seed import _to_common_rate

    corpus = [
        replace(make(f"{voice}{k}", text), speaker=voice)
        for voice in ("m1", "f2") for k, text in enumerate(("Guten Abend.", "Das ist gut.", "Was ist das?"))
    ]  # fmt: skip

    def speak(utterance: Utterance) -> NDArray[np.float32]:
        return _to_common_rate(espeak.synthesise(utterance.text or "", "de", variant=utterance.speaker))

    result = align(MemoryStore(), "toy", corpus, speak, aligner="mfa")
    assert len(result.alignments) >= 5
