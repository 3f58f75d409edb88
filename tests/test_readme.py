"""The README's commands, run as they stand there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.timeout(1800)  # the first test runs all commands, the main job among them
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAM = ".venv/bin/phonanchor"


def blocks(language):
    """Return the fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands(start):
    """Return the command lines of the README that begin with ``start``."""
    lines = "".join(blocks("bash")).splitlines()
    return [line for line in lines if line.split()[:1] == [start]]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder in which the commands of the README run, one after the other; their output by command."""
    folder = tmp_path_factory.mktemp("readme")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = {}
    for line in commands(PROGRAM):
        arguments = [sys.executable, "-m", "flows", *shlex.split(line)[1:]]
        ended[line] = subprocess.run(
            arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=900
        )
    return folder, ended


def test_the_readme_shows_the_two_commands_and_the_real_run():
    verbs = [line.split()[1] for line in commands("make")]
    assert verbs[:2] == ["train-crosslingual", "test"]
    assert any("SOURCE=ravdess" in line for line in commands("make"))


@pytest.mark.parametrize("line", commands("make"))
def test_make_knows_what_the_readme_asks_of_it(line):
    done = subprocess.run(
        ["make", "--dry-run", *shlex.split(line)[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in re.findall(r"([A-Z]+)=", line):
        assert f"{name} ?=" in (ROOT / "Makefile").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("line", commands(PROGRAM))
def test_commands_end_well(place, line):
    done = place[1][line]
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_sample_is_called_synthetic_and_a_second_build_has_nothing_to_do(place):
    folder, ended = place
    trained = next(done for line, done in ended.items() if "train-crosslingual" in line)
    assert "synthetic" in trained.stdout.lower()
    assert "nothing to do" in ended[f"{PROGRAM} features"].stdout.lower()
    assert list(folder.glob("work/runs/*/report.html"))
    assert list(folder.glob("work/runs/*/results.parquet"))


@pytest.mark.slow
def test_the_example_of_reading_runs(place):
    (example,) = blocks("python")
    program = example + "\nprint(mel.shape[1], mel.dtype, len(phones) > 0, len(joined) > 0)\n"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=place[0], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.split()[-4:] == ["80", "float32", "True", "True"], done.stderr
