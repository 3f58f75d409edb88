"""A tiny pair of sample corpora, and commands run in this process with one Prefect server for all."""

import os
import shutil
from pathlib import Path

import pytest

from flows import prefect_home
from flows.__main__ import main
from pipeline.synthesis import ensure_sample

SPEAKERS, SENTENCES = 3, ("01", "02")


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    ensure_sample(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def prefect_server(tmp_path_factory):
    """The address of one temporary server for all tests of this process, which `PREFECT_API_URL` names."""
    before = dict(os.environ)
    os.environ["HF_HUB_OFFLINE"] = "1"
    with prefect_home.server(tmp_path_factory.mktemp("home")) as answering:
        yield answering()
    os.environ.clear()
    os.environ.update(before)


def copy_part(
    source: Path, target: Path, *, emotions=("neutral", "anger", "happiness", "sadness"), text=None
):
    """Copy a few speakers and sentences of one sample corpus; ``text`` replaces every sentence."""
    (target / "wav").mkdir(parents=True)
    for name in ("sentences.tsv", "speakers.tsv"):
        shutil.copy(source / name, target / name)
    if text is not None:
        lines = (source / "sentences.tsv").read_text(encoding="utf-8").splitlines()
        rows = [lines[0], *(f"{line.split(chr(9))[0]}\t{text}" for line in lines[1:])]
        (target / "sentences.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    speakers = sorted({path.stem.split("_")[0] for path in (source / "wav").glob("*.wav")})[:SPEAKERS]
    for path in sorted((source / "wav").glob("*.wav")):
        speaker, emotion, sentence = path.stem.split("_")
        if speaker in speakers and emotion in emotions and sentence in SENTENCES:
            shutil.copy2(path, target / "wav" / path.name)
    return target


@pytest.fixture
def part(sample, tmp_path):
    """Make a part of a sample corpus below ``corpora``, under its name; see `copy_part`."""

    def make(name, **choices):
        return copy_part(sample / name, tmp_path / "corpora" / name, **choices)

    return make


@pytest.fixture
def pair(sample, tmp_path):
    """The folder of a pair of 24 recordings each."""
    for name in ("sample-en", "sample-cmn"):
        copy_part(sample / name, tmp_path / "corpora" / name)
    return tmp_path / "corpora"


@pytest.fixture
def phonanchor(tmp_path, capsys):
    """Run a command; return exit code, standard output and standard error."""

    def run(*arguments, work=None):
        code = main([*map(str, arguments), "--work", str(work or tmp_path / "work")])
        out, err = capsys.readouterr()
        return code, out, err

    return run
