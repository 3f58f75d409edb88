"""A corpus with forty odd and damaged files, through the command line: read, or left out with a reason."""

import re
import resource
from itertools import product

import numpy as np
import pytest

from store.catalogue import Store
from store.feature_store import FeatureStore
from tests.pipeline.damaged_audio import KINDS, READ

LOGMEL = (
    "features", "--workers", "0", "--corpus", "sample-en", "--set", "build.features=logmel80",
)  # fmt: skip
EMOTIONS = ("neutral", "anger", "happiness", "sadness")
MOST_MEMORY = 3 * 2**30


@pytest.fixture
def damaged(pair):
    """Put one file of each kind beside the 24 recordings of a sample corpus; return the kinds by stem."""
    folder = pair / "sample-en" / "wav"
    speakers = sorted({path.stem.split("_")[0] for path in folder.iterdir()})
    sentences = [f"{number:02d}" for number in range(3, 8)]
    stems = ["_".join(parts) for parts in product(speakers, EMOTIONS, sentences)]
    kinds = dict(zip(stems, KINDS, strict=False))
    assert set(kinds.values()) == set(KINDS)
    for stem, name in kinds.items():
        KINDS[name].make(folder / f"{stem}{KINDS[name].suffix}")
    return kinds


@pytest.mark.slow
def test_each_file_is_read_or_left_out_with_its_reason(phonanchor, pair, damaged, tmp_path):
    code, out, err = phonanchor(*LOGMEL, "--corpora", pair)
    unfit = sum(KINDS[name].reason != READ for name in damaged.values())
    assert code == 3, out + err
    assert f"found {unfit} of {24 + len(damaged)}" in err
    assert "at most 5 %" in err
    assert not (tmp_path / "work" / "store" / "HEAD").exists()

    code, out, err = phonanchor(*LOGMEL, "--corpora", pair, "--max-quarantined", "100")
    assert code == 0, out + err
    assert err == ""
    reader = FeatureStore.open(tmp_path / "work" / "store")
    reasons = {row.utterance.split("/")[1]: row.reason for row in reader.skipped}
    read = {item.id.split("/")[1]: item for item in reader.utterances if item.corpus == "sample-en"}
    for stem, name in damaged.items():
        kind = KINDS[name]
        if kind.reason != READ:
            assert re.search(kind.reason, reasons[stem]), f"{name}: {reasons[stem]}"
            assert stem not in read
            continue
        assert stem not in reasons, f"{name}: {reasons.get(stem)}"
        rows = reader.read("logmel80", read[stem].id)
        assert len(rows) >= 1
        assert np.isfinite(rows).all(), name
    assert len(read) + len(reasons) == 24 + len(damaged)
    assert out.count("left out by ingest") == len(set(reasons.values()))
    # the hour of silence alone is 230 MB of samples and 115 MB of rows
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < MOST_MEMORY
    assert phonanchor("store", "verify")[0] == 0
    assert len(Store.open(tmp_path / "work" / "store").commits()) == 1
