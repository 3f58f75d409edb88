"""The page's plain read of a store on S3 is run as it stands, and gives what our own reader gives."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from store.catalogue import Store
from store.feature_store import FeatureStore
from tests.store.store_cases import commit, fill, spec

PAGE = Path(__file__).parents[2] / "docs" / "s3.md"
CODE = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[-1]
LINE = 'ADDRESS, FEATURE = "s3://bucket/features", "logmel80"'


def test_the_page_reads_what_our_reader_reads(uri):
    assert LINE in CODE
    assert re.findall(r"^(?:import|from) (\w+)", CODE, re.MULTILINE) == ["json", "zarr", "obstore", "zarr"]
    feature, store = spec((16,)), Store.create(uri)
    made = fill(store, feature, [30, 20, 40])
    with store.writer() as writer:
        commit(store, writer, feature, made.utterances[1:], made.rows)
    left: dict[str, Any] = {}
    exec(compile(CODE.replace(LINE, f"ADDRESS, FEATURE = {uri!r}, 'mel'"), str(PAGE), "exec"), left)  # noqa: S102
    reader = FeatureStore.open(uri)
    assert left["snapshot"] == reader.snapshot_id
    index = reader.index(feature, "toy").to_pylist()
    assert [row["utterance"] for row in index] == ["toy/u001", "toy/u002"]
    for row in index:
        rows = left["arrays"]["toy"][row["start"] : row["start"] + row["length"]]
        np.testing.assert_array_equal(rows, reader.read(feature, row["utterance"]))
