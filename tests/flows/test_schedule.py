"""A schedule with a server of its own: one scheduled run is seen, and nothing is left running."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 150


def hear_interrupts():
    """Undo what a shell does to its background jobs, whose children would ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(found, process, output):
    """Wait until ``found()`` is true, as long as the process lives."""
    end = time.monotonic() + PATIENCE
    while not found():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < end, output.read_text()
        time.sleep(0.25)


def family_of(process):
    """The process, if it lives, and all below it."""
    if process.poll() is not None:
        return []
    leader = psutil.Process(process.pid)
    return [leader, *leader.children(recursive=True)]


@pytest.mark.slow
def test_a_schedule_fires_and_stops(pair, tmp_path):
    output, work = tmp_path / "out.txt", tmp_path / "work"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    environment |= {
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    command = ["schedule", "--every", "5", "--corpora", "corpora", "--work", "work", "--workers", "0"]
    with output.open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows", *command],
            stdout=sink, stderr=subprocess.STDOUT, cwd=tmp_path, env=environment, start_new_session=True,
            preexec_fn=hear_interrupts,  # noqa: PLW1509, the test has one thread
        )  # fmt: skip
    try:
        wait_for(lambda: list(work.glob("store/snapshots/*/snapshot.json")), process, output)
        family = family_of(process)
        assert any("prefect" in " ".join(member.cmdline()) for member in family)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 130
    finally:
        for member in family_of(process):  # none is left where the test passes
            member.kill()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive
    assert "Traceback" not in output.read_text()
    assert "every 5 s" in output.read_text()
