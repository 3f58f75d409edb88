"""Writes a selection as Parquet files that pyarrow, Polars, DuckDB and Hugging Face `datasets` read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from store.exports.labels import LABELS, labels_of
from store.exports.selection import Column, Sample, Selection

METADATA = b"phonanchor"
"""Key of the provenance in the metadata of each file's schema."""


def write_parquet(folder: Path, selection: Selection, described: Mapping[str, Any], shard_bytes: int) -> int:
    """Write ``data/part-NNNNN-of-NNNNN.parquet``, one row an utterance; return the number of files.

    A feature is a list of rows, each a fixed-size list of the row's shape, so that shapes survive; it is null
    where an utterance has none. Labels are columns; ``phones`` is null where there is no alignment.
    """
    shards = list(selection.grouped(selection.utterances, shard_bytes))
    schema = schema_of(selection.columns, described)
    (folder / "data").mkdir()
    for number, shard in enumerate(shards):
        path = folder / "data" / f"part-{number:05d}-of-{len(shards):05d}.parquet"
        with pq.ParquetWriter(
            path, schema, compression="zstd", use_dictionary=list(LABELS), write_page_checksum=True
        ) as writer:
            for batch in selection.batches(shard):
                writer.write_batch(_batch(batch, selection.columns, schema))
    return len(shards)


def schema_of(columns: Sequence[Column], described: Mapping[str, Any]) -> pa.Schema:
    """Return the schema: labels, then features, with the provenance as JSON in the metadata."""
    fields = [*LABELS.items(), *((column.name, pa.list_(_row_type(column))) for column in columns)]
    text = json.dumps(described, sort_keys=True, ensure_ascii=False)
    return pa.schema(fields, metadata={METADATA: text.encode()})


def _row_type(column: Column) -> pa.DataType:
    kind = pa.from_numpy_dtype(np.dtype(column.spec.dtype))
    for size in reversed(column.dims):
        kind = pa.list_(kind, size)
    return kind


def _batch(samples: Sequence[Sample], columns: Sequence[Column], schema: pa.Schema) -> pa.RecordBatch:
    rows = [labels_of(sample.utterance, sample.alignment) for sample in samples]
    labels = [pa.array([row[name] for row in rows], kind) for name, kind in LABELS.items()]
    features = [_ragged(column, [sample.values.get(column.name) for sample in samples]) for column in columns]
    return pa.RecordBatch.from_arrays([*labels, *features], schema=schema)


def _ragged(column: Column, blocks: Sequence[Any]) -> pa.Array:
    """Return one list of rows for each block; null where there is none."""
    lengths = [0 if block is None else len(block) for block in blocks]
    empty = np.empty((0, *column.dims), dtype=column.spec.dtype)
    flat = np.concatenate([empty, *(block for block in blocks if block is not None)])
    values = pa.array(flat.reshape(-1))
    for size in reversed(column.dims):
        values = pa.FixedSizeListArray.from_arrays(values, size)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, values, mask=pa.array([block is None for block in blocks]))
