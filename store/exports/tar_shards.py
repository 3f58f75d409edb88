"""Writes a selection as WebDataset shards: tar files with a .json and an .npy a feature for each sample."""

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from store.exports.labels import labels_as_json
from store.exports.naming import distinct, field_name, sample_key
from store.exports.selection import Sample, Selection


def write_webdataset(
    folder: Path, selection: Selection, described: Mapping[str, Any], shard_bytes: int
) -> int:
    """Write ``shard-NNNNNN.tar``; return their number.

    A sample has the members ``<key>.json`` (labels, phones, provenance) and ``<key>.<feature>.npy``, in
    format 1.0 of NumPy and without pickle. The key is the utterance id made safe; see
    `store.exports.naming.sample_key`. Equal selections give equal bytes.
    """
    count, fields = 0, distinct(selection.columns, field_name)
    for number, shard in enumerate(selection.grouped(selection.utterances, shard_bytes)):
        with tarfile.open(folder / f"shard-{number:06d}.tar", "w", format=tarfile.PAX_FORMAT) as archive:
            for batch in selection.batches(shard):
                for sample in batch:
                    for name, data in _members(sample, fields, described["snapshot"]):
                        archive.addfile(_member(name, len(data)), io.BytesIO(data))
        count = number + 1
    return count


def _members(sample: Sample, fields: Mapping[str, str], snapshot: str) -> Iterator[tuple[str, bytes]]:
    key = sample_key(sample.utterance.id)
    labels = {**labels_as_json(sample.utterance, sample.alignment), "snapshot": snapshot}
    yield f"{key}.json", json.dumps(labels, ensure_ascii=False, allow_nan=False).encode()
    for name, values in sample.values.items():
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(values), allow_pickle=False)
        yield f"{key}.{fields[name]}.npy", buffer.getvalue()


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o644
    return info
