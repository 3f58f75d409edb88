"""The store's benchmark runs from end to end on tiny data; nothing is timed."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_format_gives_the_values_back_and_every_figure_has_a_target(tmp_path):
    parts = ("mel", "segments", "epochs")
    only = [word for part in parts for word in ("--only", part)]
    out = run("benchmarks.store", "--utterances", "12", *only, "--json", str(tmp_path / "figures.json"))
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert len(figures) == 9 + 9 + 4
    assert all(figure["value"] > 0 and figure["bound"] > 0 for figure in figures)
    met = sum(figure["met"] for figure in figures)
    assert out.splitlines()[-1].startswith(f"bench-store: {met} of {len(figures)} targets met")
    assert sum(line.startswith(("met ", "MISSED")) for line in out.splitlines()) == len(figures)


def test_a_rebuild_of_unchanged_rows_is_planned_in_a_process_of_its_own():
    found = json.loads(run("benchmarks.store_planning", "300"))
    assert found["rows"] == 300
    assert found["seconds"] > 0
