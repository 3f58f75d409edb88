"""Snapshots: immutable indexes of which utterance has which rows, written aside and renamed into place."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from store.arrays import metadata_digest
from store.atomic import file_digest, folder_aside, write_bytes
from store.digests import canonical_json
from store.documents import fitting, read_document, write_document
from store.entries import IndexRow
from store.errors import StoreError
from store.layout import Layout, index_path
from store.tables import read_records, to_parquet

DESCRIPTION = "snapshot.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One (spec digest, corpus) of a snapshot.

    ``index`` is the SHA-256 of the index file; ``array`` the digest of the array's metadata without shape.
    """

    spec: str
    corpus: str
    utterances: int
    rows: int
    index: str
    array: str


Indexes = Mapping[tuple[str, str], tuple[IndexRow, ...]]
"""Index rows by (spec digest, corpus)."""


def snapshot_id(rows: Iterable[tuple[str, str, str, int]]) -> str:
    """Return the SHA-256 over the sorted (spec digest, utterance, row key, row count).

    No position, time or parent is part of it, so an incremental build has the clean build's id.
    """
    whole = sha256()
    for row in sorted(rows):
        whole.update(canonical_json(list(row)).encode() + b"\n")
    return whole.hexdigest()


def indexed_id(indexes: Indexes) -> str:
    """Return the snapshot id of whole indexes."""
    return snapshot_id(
        (spec, row.utterance, row.row_key, row.length) for (spec, _), rows in indexes.items() for row in rows
    )


def write_snapshot(
    layout: Layout, identifier: str, indexes: Indexes, *, renew: bool = False, final: Path | None = None
) -> None:
    """Write a snapshot's folder in one step; one that is there already is kept, or replaced to ``renew`` it.

    The description comes last: where folders cannot be renamed into place, it says that the rest is there.
    ``final`` names another folder than its usual one.

    Raises
    ------
    StoreError
        If it cannot be written; no part of it is left.
    """
    final = final or layout.snapshot(identifier)
    if (final / DESCRIPTION).exists() and not renew:
        return
    with folder_aside(final, renew=renew) as folder:
        parts = [_write_part(layout, folder, key, rows) for key, rows in sorted(indexes.items())]
        write_document(folder / DESCRIPTION, {"id": identifier, "parts": [asdict(part) for part in parts]})


def _write_part(layout: Layout, folder: Path, key: tuple[str, str], rows: tuple[IndexRow, ...]) -> Part:
    spec, corpus = key
    data = to_parquet(sorted(rows, key=lambda row: row.utterance), IndexRow)
    write_bytes(index_path(folder, spec, corpus), data)
    return Part(
        spec=spec,
        corpus=corpus,
        utterances=len(rows),
        rows=sum(row.length for row in rows),
        index=sha256(data).hexdigest(),
        array=metadata_digest(layout.array(spec, corpus)),
    )


def read_index(layout: Layout, identifier: str, part: Part) -> tuple[IndexRow, ...]:
    """Return the index of one part.

    Raises
    ------
    StoreError
        If it is missing, or its bytes are not those committed.
    """
    path = index_path(layout.snapshot(identifier), part.spec, part.corpus)
    if file_digest(path) != part.index:
        raise StoreError(f"the index {path} as committed", "other bytes or none", "build again")
    return read_records(path, IndexRow)


def read_parts(layout: Layout, identifier: str) -> tuple[Part, ...]:
    """Return what a snapshot consists of.

    Raises
    ------
    StoreError
        If its description is missing or damaged.
    """
    path = layout.snapshot(identifier) / DESCRIPTION
    content = read_document(path)
    try:
        return tuple(fitting(Part, part) for part in content["parts"])
    except (KeyError, TypeError) as error:
        raise StoreError(
            f"the description of a snapshot in {path}", "another document", "restore it"
        ) from error
