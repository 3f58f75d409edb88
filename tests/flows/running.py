"""Commands that run as processes of their own, as from a shell, and what lives below them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
PATIENCE = 150


@contextmanager
def running(command, folder, **variables) -> Iterator[subprocess.Popen]:
    """Run a command that leads its process group and writes ``folder/out.txt``; what is left of it is killed.

    It finds no Prefect server, so that it starts one.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with (folder / "out.txt").open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows", *command],
            stdout=sink, stderr=subprocess.STDOUT, cwd=folder, env=environment | variables,
            start_new_session=True, preexec_fn=hear_interrupts,  # noqa: PLW1509, the test has one thread
        )  # fmt: skip
    try:
        yield process
    finally:
        for member in family_of(process):
            member.kill()


def hear_interrupts():
    """Undo what a shell does to its background jobs, whose children would ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(found, process, folder):
    """Wait until ``found()`` is true, as long as the process lives."""
    end = time.monotonic() + PATIENCE
    while not found():
        assert process.poll() is None, said(folder)
        assert time.monotonic() < end, said(folder)
        time.sleep(0.25)


def said(folder):
    """What the command printed, errors included."""
    return (folder / "out.txt").read_text()


def family_of(process):
    """The process, if it lives, and all below it."""
    if process.poll() is not None:
        return []
    leader = psutil.Process(process.pid)
    return [leader, *leader.children(recursive=True)]


def none_left(family):
    """Whether all of a family have ended."""
    _, alive = psutil.wait_procs(family, timeout=30)
    return not alive
