"""Writes alignments as one table for other programs: a row a phone, times in seconds."""

import csv
import io
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from store.errors import ConfigurationError
from store.records import Alignment
from store.vocabulary import COMMON_RATE

COLUMNS = ("utterance", "phone", "start_s", "end_s", "score")

Row = tuple[str, str, float, float, float]


def interval_rows(alignments: Iterable[Alignment]) -> list[Row]:
    """Return (file stem, IPA phone or "" for silence, start s, end s, score) of every interval in order."""
    return [
        (
            item.utterance.rpartition("/")[2],
            piece.phone,
            piece.start / COMMON_RATE,
            piece.stop / COMMON_RATE,
            piece.score,
        )
        for item in alignments
        for piece in item.intervals
    ]


def table_bytes(alignments: Iterable[Alignment], suffix: str) -> bytes:
    """Return the table as CSV (UTF-8) or Parquet, by the file's ending; the caller writes it.

    Raises
    ------
    ConfigurationError
        If the ending is neither ``.csv`` nor ``.parquet``.
    """
    rows = interval_rows(alignments)
    if suffix == ".csv":
        text = io.StringIO(newline="")
        csv.writer(text).writerows([COLUMNS, *rows])
        return text.getvalue().encode()
    if suffix == ".parquet":
        columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
        kinds = (pa.string(), pa.string(), pa.float64(), pa.float64(), pa.float64())
        arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
        buffer = io.BytesIO()
        pq.write_table(pa.table(dict(zip(COLUMNS, arrays, strict=True))), buffer)
        return buffer.getvalue()
    raise ConfigurationError("an export to .csv or .parquet", repr(suffix), "name the file so")
