"""The main job through the command line on a tiny pair: results, and a second run without work."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.__main__ import main
from store.records import Skipped
from store.tables import read_records
from training.records import ResultRow

SMALL = (
    "--workers", "0", "--seeds", "1",
    "--set", "models=linear,CL,GA-CL", "--set", "repeated_models=GA-CL", "--set", "anchor_labels=pseudo",
    "--set", "epochs=2", "--set", "warm_up=1", "--set", "d_model=16", "--set", "feed_forward=16",
    "--set", "experiment.layers=1", "--set", "pseudo_threshold=0.0",
)  # fmt: skip


def content(folder):
    """Everything below a folder but the lock: path, bytes and modification time."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def job(phonanchor, pair):
    return lambda *arguments: phonanchor("train-crosslingual", "--corpora", pair, *SMALL, *arguments)


def paths(out):
    """The paths that a run prints, by what they are."""
    lines = [line for line in out.splitlines() if line.startswith(("result rows", "figures", "report "))]
    return {line[:12].strip(): Path(line[12:].strip()) for line in lines}


def test_the_main_job_and_a_second_run(job, phonanchor, pair, tmp_path):
    code, out, err = job()
    assert code == 0, err
    assert "SYNTHETIC" in out
    assert "GA-CL" in out
    first = paths(out)
    rows = read_records(first["result rows"], ResultRow)
    assert {row.system for row in rows} == {"linear", "linear (per-speaker z)", "CL", "GA-CL (pseudo)"}
    assert all(row.synthetic and 0 <= row.uar <= 1 for row in rows)
    assert list(first["figures"].glob("*.svg"))
    page = first["report"].read_text(encoding="utf-8")
    assert "synthetic" in page.lower()
    assert rows[0].snapshot in page
    saved = json.loads((first["report"].parent / "configuration.json").read_text())
    assert saved["experiment"]["epochs"] == 2
    assert saved["digest"] == rows[0].configuration

    store = content(tmp_path / "work" / "store")
    cache = content(tmp_path / "work" / "cache")
    code, out, err = job("--only", "features")
    assert code == 0, err
    assert "nothing to do" in out
    assert content(tmp_path / "work" / "store") == store
    assert content(tmp_path / "work" / "cache") == cache

    code, out, err = job("--summary", tmp_path / "summary.json")
    assert code == 0, err
    assert "nothing to do" in out
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert list(summary["seconds"]) == ["ingest", "align", "extract", "verify", "train", "report"]
    assert summary["trained"]["runs"] >= summary["trained"]["reused"] > 0
    second = paths(out)
    assert second["report"] != first["report"]
    assert read_records(second["result rows"], ResultRow) == rows

    code, out, err = job("--only", "train")
    assert code == 0, err
    assert read_records(paths(out)["result rows"], ResultRow) == rows

    first["report"].unlink()
    code, out, err = phonanchor("report", first["report"].parent.name)
    assert code == 0, err
    assert first["report"].is_file()
    check_store_commands(phonanchor, rows[0].snapshot)


def check_store_commands(phonanchor, snapshot):
    code, out, _ = phonanchor("store", "ls", "--json")
    assert code == 0
    assert [row["snapshot"] for row in json.loads(out)] == [snapshot]
    code, out, _ = phonanchor("store", "show", snapshot[:8], "--json")
    corpora = {row["corpus"]: row for row in json.loads(out)["corpora"]}
    lineage = json.loads(out)["lineage"]
    assert set(lineage["alignments"]) == {"sample-en", "sample-cmn"}
    assert lineage["alignments"]["sample-en"]["aligner"] == "embedded"
    assert lineage["manifest"] == json.loads(out)["manifest"]
    assert "logmel80" in lineage["specs"]
    assert corpora["sample-cmn"]["synthetic"]
    assert corpora["sample-cmn"]["utterances"] == 24
    code, out, _ = phonanchor("store", "verify", "--json")
    assert (code, json.loads(out)) == (0, {"snapshot": snapshot, "problems": []})


def test_a_changed_file_is_the_only_one_computed_again(job, pair, tmp_path):
    assert job("--only", "features")[0] == 0
    clips = sorted((pair / "sample-en" / "wav").glob("*.wav"))
    clips[0].write_bytes(clips[1].read_bytes())
    code, out, err = job("--only", "features")
    assert code == 0, err
    assert "nothing to do" not in out
    assert "sample-en: 24/24" in out


def test_an_unreadable_file_is_counted_and_the_run_goes_on(job, pair, tmp_path):
    clip = sorted((pair / "sample-cmn" / "wav").glob("*.wav"))[0]
    clip.write_bytes(b"RIFF")
    code, out, err = job()
    assert code == 0, err
    assert "left out by ingest: 1 of sample-cmn" in out
    rows = read_records(paths(out)["result rows"].parent / "left_out.parquet", Skipped)
    assert [row.utterance for row in rows if row.stage == "ingest"] == [f"sample-cmn/{clip.stem}"]


def test_other_frames_than_the_encoders(job, phonanchor, pair, tmp_path):
    code, out, err = phonanchor(
        "features", "--corpora", pair, "--workers", "0", "--set", "features=mfcc13,formants"
    )
    assert code == 0, err
    code, out, err = job("--only", "train")
    assert code == 2
    assert "found only formants, mfcc13" in err
    code, out, err = job("--set", "features=segments:mfcc13", "--set", "frames=mfcc13")
    assert code == 0, err
    page = paths(out)["report"].read_text(encoding="utf-8")
    assert "segments-mfcc13" in page
    assert "train: 0 of" in out


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_align_exports_one_row_a_phone(phonanchor, pair, tmp_path, suffix):
    file = tmp_path / f"phones.{suffix}"
    code, out, err = phonanchor("align", "--corpus", "sample-en", "--corpora", pair, "--export", file)
    assert code == 0, err
    assert "24 aligned (24 now)" in out
    if suffix == "csv":
        header, *rows = file.read_text(encoding="utf-8").splitlines()
        assert header.replace('"', "") == "utterance,phone,start_s,end_s,score"
        assert len(rows) > 24
        return
    table = pq.read_table(file).to_pylist()
    assert len({row["utterance"] for row in table}) == 24
    assert all(row["start_s"] < row["end_s"] for row in table)
    assert {row["utterance"] for row in table} == {
        path.stem for path in (pair / "sample-en" / "wav").iterdir()
    }
    assert any(row["phone"] == "" for row in table)


def test_small_commands(capsys):
    assert main(["corpora"]) == 0
    assert "sample-cmn   cmn" in capsys.readouterr().out
    assert main(["--help"]) == 0
    assert "train-crosslingual" in capsys.readouterr().out
