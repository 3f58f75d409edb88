"""The page on exports is run as it stands, and must give what our own reader gives."""

import gc
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store.catalogue import Store
from store.export_log import FORMATS
from store.exports.selection import Wanted
from store.exports.writing import export
from tests.store.export_cases import MEL, STATES, fill_all, opened

PAGE = Path(__file__).parents[2] / "docs" / "exports.md"
CODE = dict(
    zip(FORMATS, re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL), strict=True)
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return fill_all(Store.create(tmp_path_factory.mktemp("page") / "store"))


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", FORMATS)
def test_the_page_reads_back_what_the_store_holds(made, tmp_path, monkeypatch, kind):
    library = pytest.importorskip({"parquet": "datasets"}.get(kind, kind))
    if kind == "parquet":
        monkeypatch.setattr(library.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    reader = opened(made)
    export(reader, kind, Path("exported"), Wanted(features=(MEL.name, STATES.name)))
    left: dict[str, Any] = {}
    exec(compile(CODE[kind], str(PAGE), "exec"), left)  # noqa: S102
    gc.collect()  # webdataset leaves its files to the garbage collector
    assert left["labels"] == {item.id: item.emotion for item in reader.utterances}
    found = {name: rows for name, rows in left["features"].items() if rows is not None}
    assert found.keys() == {item.id for item in reader.utterances if reader.has(MEL, item.id)}
    for name, rows in found.items():
        np.testing.assert_array_equal(np.asarray(rows), reader.read(MEL, name))
    if kind == "parquet":
        assert left["snapshot"] == reader.snapshot_id
    if kind == "lhotse":
        assert left["arrays"].keys() == left["labels"].keys()
        for layer in range(3):
            np.testing.assert_array_equal(
                left["arrays"]["toy/u0"][f"enc_1_layer{layer:02d}"],
                reader.read(STATES, "toy/u0", layer=layer),
            )
