"""Hostile file names and tables through the command line: rows with reasons, nothing outside touched."""

import csv
import os
from pathlib import Path

import pytest

from store.feature_store import FeatureStore
from tests.pipeline.corpus_trees import tone

LOGMEL = ("features", "--workers", "0", "--set", "build.features=logmel80", "--set", "build.gate=false")
LONG = "x" * 300
STEMS = (
    "f1_anger_01\n", "..", "..f1", "a\x1b[2Jb", "\udcff", "a\u2028b", "e\u0301te\u0301", "-rf",
    "$(touch hit)", "%2e%2e%2f", "x" * 250, "\u202egnp",
)  # fmt: skip
"""File names that the file system takes."""


def listing(folder: Path, leave: str = "") -> dict[str, bytes]:
    """Every file below a folder with its content, without those below one of its folders."""
    return {
        os.fsencode(path.relative_to(folder)).decode(errors="backslashreplace"): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != leave
    }


@pytest.fixture
def guarded(tmp_path):
    """A folder around corpora and work whose other content must stay; call it to check."""
    (tmp_path / "precious.txt").write_text("precious")
    before: dict[str, bytes] = {}

    def check(begin: bool = False) -> None:
        if begin:
            before.update(listing(tmp_path, "work"))
        else:
            assert listing(tmp_path, "work") == before

    return check


def test_hostile_file_names_are_rows_with_a_reason(phonanchor, pair, guarded, tmp_path):
    folder = pair / "sample-en" / "wav"
    whole = sorted(folder.iterdir())
    for stem in STEMS:
        os.link(whole[0], os.path.join(folder, f"{stem}.wav"))
    (folder / "\u202eout").symlink_to(tmp_path)  # the folder around all, with the corpora themselves
    guarded(begin=True)
    code, out, err = phonanchor(
        *LOGMEL, "--corpora", pair, "--corpus", "sample-en", "--max-quarantined", "100"
    )
    assert code == 0, out + err
    guarded()
    reader = FeatureStore.open(tmp_path / "work" / "store")
    assert len(reader.utterances) == len(whole)
    left = {row.path: row.reason for row in reader.skipped}
    assert len(left) >= len(STEMS)
    for path, reason in left.items():
        assert path.isprintable()
        assert reason.isprintable()
    assert "the name steps out of its folder" in left.values()
    assert "the name holds characters that cannot be printed" in left.values()
    assert all(line.isprintable() for line in out.splitlines())


def table(folder: Path, rows: list[dict[str, str]]) -> None:
    names = ["path", "utterance", "speaker", "language", "emotion", "text"]
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)


def test_a_manifest_of_odd_names_is_built_and_exported_inside_its_folder(phonanchor, guarded, tmp_path):
    corpora = tmp_path / "corpora"
    names = [LONG, "..", "%2e%2e", "e\u0301te\u0301", "a b", "-rf", "$(id)", "~", "con"]
    for number, _ in enumerate(names):
        tone(corpora / "mine" / f"t{number}.wav", hertz=200 + 50 * number)
    rows = [
        {"path": f"t{number}.wav", "utterance": name, "speaker": f"../../{name}", "language": "en",
         "emotion": ("anger", "neutral")[number % 2], "text": f"a {name}"}
        for number, name in enumerate(names)
    ]  # fmt: skip
    table(corpora / "mine", rows)
    guarded(begin=True)
    code, out, err = phonanchor(*LOGMEL, "--corpora", corpora, "--corpus", "mine", "--max-quarantined", "100")
    assert code == 0, out + err
    reader = FeatureStore.open(tmp_path / "work" / "store")
    assert {item.id for item in reader.utterances} >= {f"mine/{LONG}", "mine/..", "mine/\u00e9t\u00e9"}
    for item in reader.utterances:
        assert len(reader.read("logmel80", item.id)) >= 1
    for name in ("webdataset", "parquet"):
        code, out, err = phonanchor(
            "store", "export", name, tmp_path / "work" / name, "--features", "logmel80"
        )
        assert code == 0, out + err
    code, out, err = phonanchor("store", "verify")
    assert code == 0, out + err
    guarded()


@pytest.mark.parametrize(
    ("path", "utterance"),
    [
        ("../precious.txt", ""), ("/etc/passwd", ""), ("../../precious.wav", ""), ("a\nb.wav", ""),
        ("t.wav", "../../outside"), ("t.wav", "/etc/passwd"), ("t.wav", "a\nb"), ("t.wav", "a\x1bb"),
        ("..", ""),
    ],
)  # fmt: skip
def test_a_manifest_whose_rows_lead_elsewhere_reads_nothing_there(
    phonanchor, guarded, tmp_path, path, utterance
):
    corpora = tmp_path / "corpora"
    tone(corpora / "mine" / "t.wav")
    tone(corpora / "mine" / "good.wav", hertz=300)
    tone(tmp_path / "precious.wav", hertz=400)
    sound = {"path": "good.wav", "speaker": "s", "language": "en", "emotion": "anger"}
    table(corpora / "mine", [sound, {**sound, "path": path, "utterance": utterance}])
    guarded(begin=True)
    code, out, err = phonanchor(*LOGMEL, "--corpora", corpora, "--corpus", "mine", "--max-quarantined", "100")
    guarded()
    assert "Traceback" not in out + err
    if code == 0:
        reader = FeatureStore.open(tmp_path / "work" / "store")
        assert [item.path for item in reader.utterances] == ["good.wav"]
        assert len(reader.skipped) == 2  # the row without a file, and the file without a row
    else:
        assert code == 2
        assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "name", ["../corpora/mine", "/etc", "..", "mine\n", LONG, "mi\x00ne", "mine/../mine"]
)
def test_a_hostile_corpus_name_is_unknown(phonanchor, guarded, tmp_path, name):
    corpora = tmp_path / "corpora"
    tone(corpora / "mine" / "t.wav")
    table(corpora / "mine", [{"path": "t.wav", "speaker": "s", "language": "en", "emotion": "anger"}])
    guarded(begin=True)
    code, out, err = phonanchor(*LOGMEL, "--corpora", corpora, "--corpus", name)
    assert code == 2, out + err
    assert "a folder of that name with a manifest.csv" in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "work").exists()
    guarded()
