"""One contract for all aligners: one row an utterance, tiled IPA phones, keys that know their inputs."""

import shutil
import stat
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline import espeak
from pipeline.align import ALIGNERS
from pipeline.aligners.aligner import Aligner
from pipeline.aligners.embedded import EmbeddedAligner
from pipeline.aligners.embedded_training import train_embedded
from pipeline.aligners.hand import HandAligner
from pipeline.aligners.imported import ImportedAligner
from pipeline.aligners.mfa import MfaAligner, MfaModel, train_mfa
from pipeline.aligners.seed import _to_common_rate
from pipeline.phones import articulatory_class, shared_vowel
from store.errors import AudioError
from store.records import Alignment, Skipped, Utterance
from store.vocabulary import COMMON_RATE

GOLDEN = Path(__file__).parent / "golden" / "mfa" / "expected" / "long_textgrid" / "alice"
LABELS = "#\n 0.1 -1 d\n 0.2 -1 a\n 0.4 -1 s\n 0.5 -1 .\n"


def make(stem: str, text: str | None = "Please bring me the warm stone.") -> Utterance:
    return Utterance(
        id=f"toy/{stem}", corpus="toy", path=f"{stem}.wav", speaker="alice", gender="female", language="en",
        emotion="neutral", native_label="n", text=text, text_id=None, group=None, n_samples=COMMON_RATE,
        sample_rate=COMMON_RATE, n_channels=1, audio_sha256=stem, licence="none",
    )  # fmt: skip


CORPUS = (
    make("one"),
    make("broken"),
    make("two", "The old dog sat on the stone."),
    make("three", "Yes, late."),
)


def load(utterance: Utterance) -> NDArray[np.float32]:
    if utterance.path == "broken.wav":
        raise AudioError("a recording", "noise", "restore it")
    speech = _to_common_rate(espeak.synthesise(utterance.text or "", "en", variant="f5"))
    return np.pad(speech, (0, 3 * COMMON_RATE - len(speech)))  # as long as the golden TextGrid


def embedded(folder: Path, corpus: Sequence[Utterance]) -> Aligner:
    return EmbeddedAligner(train_embedded(corpus, load))


def textgrid(folder: Path, corpus: Sequence[Utterance]) -> Aligner:
    for utterance in corpus:
        shutil.copy(GOLDEN / "alice_oov.TextGrid", folder / f"{utterance.id[4:]}.TextGrid")
    (folder / "three.TextGrid").write_text("damaged")
    return ImportedAligner(folder)


def hand(folder: Path, corpus: Sequence[Utterance]) -> Aligner:
    for utterance in corpus:
        (folder / f"{utterance.id[4:]}xx.lablaut").write_text(LABELS, encoding="latin-1")
    return HandAligner(folder)


def mfa(folder: Path, corpus: Sequence[Utterance]) -> Aligner:
    return MfaAligner(MfaModel(train_mfa(corpus, load)), corpus)


MAKERS: dict[str, Callable[[Path, Sequence[Utterance]], Aligner]] = {
    "embedded": embedded, "textgrid": textgrid, "hand": hand, "mfa": mfa,
}  # fmt: skip


@pytest.fixture(autouse=True)
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    script = Path(__file__).with_name("mfa_standin.py")
    (folder / "mfa").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    (folder / "mfa").chmod((folder / "mfa").stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("STANDIN_LOG", str(tmp_path / "log"))


def test_every_aligner_is_under_the_contract() -> None:
    assert set(MAKERS) == set(ALIGNERS)


@pytest.mark.parametrize("name", MAKERS)
def test_the_contract(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    aligner = MAKERS[name](folder, CORPUS)
    assert aligner.name == name
    assert len(aligner.identity) == 64
    told: list[tuple[str, int, int]] = []
    rows = list(aligner.align(CORPUS, load, lambda stage, done, total: told.append((stage, done, total))))
    assert [row.utterance for row in rows] == [utterance.id for utterance in CORPUS]
    assert told[-1] == ("align", len(CORPUS), len(CORPUS))
    assert isinstance(rows[1], Skipped)
    assert "restore it" in rows[1].reason
    found = [
        (row, utterance) for row, utterance in zip(rows, CORPUS, strict=True) if isinstance(row, Alignment)
    ]
    assert len(found) >= 2
    for row, utterance in found:
        assert row.key == aligner.key(utterance)
        assert row.aligner == name
        assert row.phones
        assert row.intervals[0].start == 0
        assert row.intervals[-1].stop == len(load(utterance))
        assert all(a.stop == b.start and a.start < a.stop for a, b in pairwise(row.intervals))
        for item in row.phones:
            assert articulatory_class(item.phone) != "silence"
            assert item.vowel == shared_vowel(item.phone, "en")
    again = list(MAKERS[name](folder, CORPUS).align(CORPUS, load))
    assert again == rows
    assert list(aligner.align((), load)) == []


@pytest.mark.parametrize("name", MAKERS)
def test_a_key_changes_with_its_inputs_and_only_with_them(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    aligner = MAKERS[name](folder, CORPUS)
    keys = {aligner.key(utterance) for utterance in CORPUS}
    assert len(keys) == len(CORPUS)
    one = CORPUS[0]
    assert aligner.key(replace(one, emotion="anger", native_label="x", licence="y")) == aligner.key(one)
    assert aligner.key(replace(one, audio_sha256="other")) not in keys
    assert aligner.key(replace(one, text="Other words.")) not in keys
