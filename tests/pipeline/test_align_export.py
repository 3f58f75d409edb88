"""The exported table of phones: CSV and Parquet hold the same rows."""

import csv
import io

import pyarrow.parquet as pq
import pytest

from pipeline.aligners.export import COLUMNS, interval_rows, table_bytes
from store.errors import ConfigurationError
from store.records import Alignment, PhoneInterval

PIECES = (
    PhoneInterval(phone="", vowel=None, start=0, stop=1600, score=0.0),
    PhoneInterval(phone="aː", vowel="A", start=1600, stop=3201, score=-0.5),
)
FOUND = Alignment(utterance="toy/a, b", key="k", aligner="embedded", score=-0.5, intervals=PIECES)


def test_both_forms_hold_the_same_rows() -> None:
    expected = [("a, b", "", 0.0, 0.1, 0.0), ("a, b", "aː", 0.1, 3201 / 16_000, -0.5)]
    assert interval_rows([FOUND]) == expected
    table = pq.read_table(io.BytesIO(table_bytes([FOUND], ".parquet")))
    assert tuple(table.column_names) == COLUMNS
    assert [tuple(row.values()) for row in table.to_pylist()] == expected
    rows = list(csv.reader(io.StringIO(table_bytes([FOUND], ".csv").decode())))
    assert rows[0] == list(COLUMNS)
    assert [(a, b, float(c), float(d), float(e)) for a, b, c, d, e in rows[1:]] == expected


def test_no_alignment_is_an_empty_table_and_other_endings_are_refused() -> None:
    assert pq.read_table(io.BytesIO(table_bytes([], ".parquet"))).num_rows == 0
    with pytest.raises(ConfigurationError, match=r"\.csv or \.parquet; found '\.xlsx'"):
        table_bytes([FOUND], ".xlsx")
