"""A schedule with a server of its own: one scheduled run is seen, and nothing is left running."""

import signal

import pytest

from tests.flows.running import PATIENCE, family_of, none_left, running, said, wait_for


@pytest.mark.slow
def test_a_schedule_fires_and_stops(pair, tmp_path):
    command = ["schedule", "--every", "5", "--corpora", "corpora", "--work", "work", "--workers", "0"]
    with running(command, tmp_path, PREFECT_RUNNER_POLL_FREQUENCY="1") as process:
        wait_for(lambda: list(tmp_path.glob("work/store/snapshots/*/snapshot.json")), process, tmp_path)
        family = family_of(process)
        assert any("prefect" in " ".join(member.cmdline()) for member in family)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 130
    assert none_left(family)
    assert "Traceback" not in said(tmp_path)
    assert "every 5 s" in said(tmp_path)
