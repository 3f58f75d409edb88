"""What a scheduled rebuild says: why it failed, and what it left out or failed to compute again."""

import re
import shutil

import pytest

from flows import stages
from flows.announce import failures_announced
from flows.build_commands import say_features
from flows.configuration import load
from flows.stages import Features
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
        ({"kept": 7}, "nothing to do: all 7 row blocks are there"),
        ({"kept": 7, "failed": 2}, "nothing new: 7 row blocks are there, 2 failed again (see left out)"),
        (
            {"kept": 7, "computed": 3, "failed": 2, "dropped": 1, "bytes_written": 2048},
            "computed 3 row blocks, kept 7, dropped 1, quarantined 2 recordings, wrote 2.0 KiB",
        ),
    ],
)
def test_what_a_rebuild_did(tmp_path, capsys, counts, said):
    features = Features(
        store=tmp_path, snapshot="0" * 64, manifest="", skipped=(), specs={}, alignments={}, synthetic=False,
        **counts,
    )  # fmt: skip
    say_features(features)
    assert capsys.readouterr().out == f"snapshot 000000000000: {said}\n"
