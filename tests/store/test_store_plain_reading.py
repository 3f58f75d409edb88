"""The page on reading without us is run as it stands, and must give what our own reader gives."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest

from store.feature_store import FeatureStore
from store.records import EmotionShare
from store.splits import Split, write_split
from tests.store.store_cases import commit, fill, spec, utterance, values, write

PAGE = Path(__file__).parents[2] / "docs" / "reading-without-us.md"
(CODE,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
LINE = 'STORE, FEATURE = Path("work/store"), "logmel80"'


NO_SPLIT = "SPLIT = None"


def left_by(store, name, split=None):
    """Run the page's code on a store; return what it leaves."""
    assert LINE in CODE
    assert NO_SPLIT in CODE
    code = CODE.replace(LINE, f"STORE, FEATURE = Path({str(store.path)!r}), {name!r}")
    if split is not None:
        code = code.replace(NO_SPLIT, f"SPLIT = Path({str(split)!r})")
    left: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), left)  # noqa: S102
    lazy = da.from_zarr(left["array"])
    assert lazy.shape == left["array"].shape
    return left


def run(store, name):
    left = left_by(store, name)
    return left["features"], left["labels"]


@pytest.mark.parametrize("feature", [spec((16,)), spec((3, 8), "float16"), spec(())])
def test_the_page_reads_what_our_reader_reads(store, feature):
    made = fill(store, feature, [30, 700, 1, 20])
    late = utterance(9, corpus="Ähre & co", emotion="fear")
    items, rows = [*made.utterances[1:], late], {**made.rows, late.id: values(feature, 11)}
    with store.writer() as writer:
        write(store, writer, feature, [late], rows)
        commit(store, writer, feature, items, rows)
    features, labels = run(store, feature.name)
    reader = FeatureStore.open(store.path)
    assert features.keys() == {item.id for item in reader.utterances} == labels.keys()
    for name, found in features.items():
        np.testing.assert_array_equal(found, reader.read(feature, name))
    assert labels[late.id] == "fear"


def test_the_page_joins_what_our_reader_joins(store, tmp_path):
    feature = spec((4,))
    shares = (EmotionShare(emotion="anger", share=0.75), EmotionShare(emotion="fear", share=0.25))
    items = [
        utterance(0, split="train", perceived=shares, arousal=4.0, valence=2.0, dominance=3.0),
        utterance(1, split="test"),
        utterance(2, emotion="fear"),
    ]
    rows = {item.id: values(feature, 3 + at, at) for at, item in enumerate(items)}
    with store.writer() as writer:
        write(store, writer, feature, items, rows)
        commit(store, writer, feature, items, rows)
    reader = FeatureStore.open(store.path)
    split = Split(
        name="s", snapshot="", manifest="", folds=({"train": ("toy/u001",), "test": ("toy/u002",)},)
    )
    write_split(tmp_path / "s.json", split)
    left = left_by(store, "mel")
    assert left["labels"] == {row.utterance: row.label for row in reader.dataset(["mel"])}
    assert left["licences"] == {row.utterance: row.licence for row in reader.dataset(["mel"])}
    (soft,) = reader.dataset(["mel"], labels="soft").rows
    assert left["soft"] == {soft.utterance: {share.emotion: share.share for share in soft.label}}
    (rated,) = reader.dataset(["mel"], labels="dimensions").rows
    assert tuple(left["ratings"][rated.utterance]) == rated.label
    assert left["parts"] == {"toy/u000": "train", "toy/u001": "test", "toy/u002": None}
    joined = reader.dataset(["mel"], split=split)
    assert left_by(store, "mel", tmp_path / "s.json")["parts"] == {row.utterance: row.part for row in joined}


def test_the_page_finds_a_lost_shard(store):
    feature = spec((16,))
    fill(store, feature, [30])
    (store.layout.array(feature.digest, "toy") / "c/0/0").unlink()
    with pytest.raises(ValueError, match="damaged rows of toy/u000"):
        run(store, feature.name)


def test_the_page_needs_no_line_of_ours(store, tmp_path):
    feature = spec((4,))
    fill(store, feature, [3])
    code = CODE.replace(LINE, f"STORE, FEATURE = Path({str(store.path)!r}), {feature.name!r}")
    script = tmp_path / "read.py"
    script.write_text(code + "\nprint(sorted(features))\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-P", str(script)], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "['toy/u000']"
    ours = {"store", "features", "pipeline", "training", "flows"}
    assert ours.isdisjoint(re.findall(r"^(?:import|from) (\w+)", CODE, re.MULTILINE))
