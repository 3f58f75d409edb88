"""`phonanchor features --scheduler ADDRESS`: processes of a running cluster build the same snapshot."""

import pytest
from distributed import LocalCluster

from store.catalogue import Store
from store.verify import verify


@pytest.mark.slow
def test_a_cluster_named_on_the_command_line_builds_the_snapshot_of_this_process(part, phonanchor, tmp_path):
    corpora = part("sample-en").parent
    build = ("features", "--corpus", "sample-en", "--corpora", corpora, "--set", "features=logmel80,mfcc")
    code, _, err = phonanchor(*build, "--workers", "0", work=tmp_path / "here")
    assert code == 0, err
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0",
        silence_logs=50,
    ) as cluster:  # fmt: skip
        code, _, err = phonanchor(*build, "--scheduler", cluster.scheduler_address, work=tmp_path / "there")
    assert code == 0, err
    here, there = (Store.open(tmp_path / name / "store") for name in ("here", "there"))
    assert there.resolve(None).snapshot == here.resolve(None).snapshot
    assert verify(there) == ()
