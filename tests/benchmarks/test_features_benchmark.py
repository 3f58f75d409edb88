"""The benchmark of features runs from end to end on a little generated audio; its figures are not judged."""

import json

import pytest

from benchmarks.features import main
from benchmarks.features_encoder import busy
from benchmarks.figures import at_least, at_most, summary


@pytest.mark.slow
def test_pipeline_and_memory_run_on_generated_audio(tmp_path, capsys):
    kept = tmp_path / "figures.json"
    arguments = ["--only", "pipeline,memory", "--clips", "6", "--workers", "1", "--hours", "0.002", "0.004"]
    assert main([*arguments, "--folder", str(tmp_path), "--json", str(kept)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("bench-features: ")
    assert "of 2 targets met" in lines[-1]
    figures = json.loads(kept.read_text(encoding="utf-8"))["figures"]
    assert {figure["part"] for figure in figures} == {"pipeline", "memory"}
    assert all(figure["value"] > 0 for figure in figures if "share" not in figure["what"])
    assert list(tmp_path.glob("bench-*")) == []


def test_a_part_that_fails_is_named_and_the_command_says_so(tmp_path, capsys):
    assert main(["--only", "encoder", "--model", str(tmp_path), "--clips", "1"]) == 1
    assert "failed: encoder (" in capsys.readouterr().out.splitlines()[-1]


def test_an_unknown_part_is_one_line(capsys):
    assert main(["--only", "speed"]) == 2
    assert "found speed" in capsys.readouterr().out


def test_the_summary_counts_targets_and_names_what_was_missed():
    figures = [at_least("a", "fast", 0.9, 0.85), at_most("a", "small", 3.0, 2.0)]
    assert summary("bench", figures, []) == "bench: 1 of 2 targets met; missed: small"


def test_the_use_of_a_gpu_is_the_mean_of_what_was_seen():
    answers = iter(["50\n", "100\n", *["75\n"] * 1000])
    ran = []
    assert busy(lambda: ran.append(True), lambda: next(answers), every=0.001) == pytest.approx(75, abs=26)
    assert busy(lambda: ran.append(True), lambda: "nvidia-smi: not found\n") is None
    assert ran == [True, True]
