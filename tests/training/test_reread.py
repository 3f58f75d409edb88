"""A finished run read back from its tables is the outcome that was written, and a mismatch is refused."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from store.errors import TrainingError
from training.experiment import Experiment
from training.reports.assemble import measure, report_input, write_results
from training.reports.page import write_report
from training.reports.reread import read_outcome, read_stamp
from training.results import Stamp
from training.run import run_experiment

LINEAR = Experiment(source="one", target="two", seeds=(0,), folds=2, models=("linear",))
STAMP = Stamp(
    experiment="toy", source="one", target="two", snapshot="s", manifest="m", configuration="c",
    code_version="v", synthetic=True,
)  # fmt: skip


def test_a_run_comes_back_from_its_tables(make_store: Callable, tmp_path: Path) -> None:
    store = make_store()
    outcome = run_experiment(store, LINEAR)
    write_results(tmp_path, outcome, measure(outcome, STAMP).rows)
    found = read_outcome(tmp_path, store, LINEAR)
    for field in dataclasses.fields(outcome):
        if field.name not in ("ledger", "runs", "reused"):  # compared below; of the run, not of its results
            assert getattr(found, field.name) == getattr(outcome, field.name), field.name
    assert found.ledger.entries == outcome.ledger.entries
    assert read_stamp(tmp_path) == STAMP
    pages = [
        write_report(
            tmp_path / name, report_input(each, measure(each, STAMP), STAMP, title="t", digests={})
        ).read_bytes()
        for name, each in (("first", outcome), ("again", found))
    ]
    assert pages[0] == pages[1]
    (tmp_path / "machine.parquet").unlink()
    assert read_outcome(tmp_path, store, LINEAR).precision == ""
    store.items = store.items[:-1]
    with pytest.raises(TrainingError, match="47 of them and 1 others"):
        read_outcome(tmp_path, store, LINEAR)
