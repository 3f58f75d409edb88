"""What a scheduled rebuild says: why it failed, and what it left out or failed to compute again."""

import re
import shutil

import pytest

from flows import stages
from flows.announce import failures_announced
from flows.build_commands import say_summary
from flows.configuration import load
from flows.summary import RunSummary
from pipeline.corpora.corpus import corpus_by_name
from store.errors import CorpusError


def test_a_vanished_corpus_is_one_line_with_the_time(tmp_path, capsys):
    for name in ("ravdess", "emodb"):
        (tmp_path / "corpora" / name).mkdir(parents=True)
    top = {"work": tmp_path / "work", "corpora": tmp_path / "corpora"}
    configuration = load(top=top, overrides={"experiment": {"source": "ravdess", "target": "emodb"}})
    shutil.rmtree(tmp_path / "corpora")
    with pytest.raises(CorpusError), failures_announced():
        stages.check_corpus(configuration, corpus_by_name("ravdess"))
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT[\d:]+\+00:00 rebuild-features failed: CorpusError: .*no folder.*\n", err
    )


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"kept": 7, "nothing_to_do": True}, "nothing to do: all 7 row blocks are there"),
        ({"kept": 7, "failed": 2}, "nothing new: 7 row blocks are there, 2 failed again (see left out)"),
        (
            {"kept": 7, "computed": 3, "quarantined": 2, "dropped": 1, "bytes_written": 2048, "ratio": 0.5},
            "computed 3 row blocks, kept 7, dropped 1, quarantined 2 recordings, wrote 2.0 KiB (0.50 of raw)",
        ),
    ],
)
def test_what_a_rebuild_did(capsys, counts, said):
    nothing = dict.fromkeys(("wanted", "kept", "computed", "dropped", "failed", "quarantined"), 0)
    none = {
        "rows_written": 0,
        "bytes_written": 0,
        "ratio": None,
        "x_real_time": None,
        "seconds_decoding": 0.0,
    }
    empty = {
        "hours": 0.0,
        "hours_computed": 0.0,
        "seconds": {},
        "corpora": (),
        "features": (),
        "left_out": (),
    }
    rest = {"snapshot": "0" * 64, "synthetic": False, "is_new": False, "nothing_to_do": False}
    say_summary(RunSummary(**{**nothing, **none, **empty, **rest, **counts}))
    assert capsys.readouterr().out.splitlines()[-1] == f"snapshot 000000000000: {said}"
