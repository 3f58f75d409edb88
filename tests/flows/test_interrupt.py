"""Ctrl-C in the middle of the main job: one line, code 130, nothing left running, finished work kept."""

import os
import signal

import pytest

from tests.flows.running import PATIENCE, family_of, none_left, running, said, wait_for


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_ctrl_c_while_training(pair, tmp_path, workers):
    command = ["train-crosslingual", "--corpora", "corpora", "--work", "work", "--workers", workers]
    command += ["--set", "experiment.models=CL", "--set", "experiment.epochs=5000"]
    command += ["--set", "experiment.warm_up=4000"]
    with running(command, tmp_path) as process:
        wait_for(lambda: "train" in said(tmp_path).split("verify: ")[-1], process, tmp_path)
        family = family_of(process)
        os.killpg(process.pid, signal.SIGINT)  # what a terminal does
        assert process.wait(timeout=PATIENCE) == 130
    assert none_left(family)
    last = said(tmp_path).splitlines()[-1]
    assert last.startswith("phonanchor: interrupted; finished work is kept"), said(tmp_path)
    assert "Traceback" not in said(tmp_path)
    assert "Error" not in said(tmp_path)
