"""The page on reading is run as it stands."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from store.catalogue import Store
from tests.store.store_cases import fill, spec

PAGE = Path(__file__).parents[2] / "docs" / "reading.md"


def test_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made = fill(Store.create(tmp_path / "work/store"), spec((80,), name="logmel80"), [40, 300, 25, 7])
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    left: dict[str, Any] = {}
    exec(compile("\n".join(blocks), str(PAGE), "exec"), left)  # noqa: S102
    assert capsys.readouterr().out.count("toy/s1 de CC0 anger None") == 4
    assert left["table"].num_rows == 4
    np.testing.assert_array_equal(left["some"], made.rows["toy/u000"][10:20])
    np.testing.assert_array_equal(np.concatenate(list(made.rows.values())), left["whole"].compute())
    assert left["state"]["epoch"] == 1
    assert left["state"]["done"] == [0]
