"""Receipts: what a finished work item wrote, so that an interrupted build goes on where it stopped."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from store.arrays import (
    MOST_ROWS,
    Array,
    Geometry,
    canonical,
    checksums,
    geometry,
    open_array,
    read_rows,
    write_rows,
)
from store.digests import Json
from store.documents import read_document, write_document
from store.entries import Placement
from store.errors import StoreError
from store.layout import Layout
from store.objects import ObjectPath, each, place
from store.records import FeatureSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRow:
    """One row block: array rows [start, start + length), and its checksums as in `IndexRow`."""

    row_key: str
    start: int
    length: int
    crc: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteReceipt:
    """The rows of one work item, and the shard files that hold them with their sizes in bytes."""

    start: int
    rows: tuple[ReceiptRow, ...]
    shards: tuple[tuple[str, int], ...]


def write_item(
    store_path: Path | str,
    spec: FeatureSpec,
    corpus: str,
    start: int,
    rows: Sequence[tuple[str, NDArray[Any]]],
) -> int:
    """Write a work item's rows from ``start``, which `StoreWriter.reserve` gave, then its receipt.

    ``rows`` are (row key, values of shape (n, *dims)). A worker process may run this: nothing is shared with
    other items. If the item's receipt is there already, as after a repeated task, its shards stay untouched.

    Returns
    -------
    The bytes of the item's shard files.

    Raises
    ------
    StoreError
        If rows do not fit the spec, are not reserved, or cannot be written.
    """
    layout, cut = Layout(place(store_path)), geometry(spec)
    receipt_path = layout.receipt(spec.digest, corpus, start)
    blocks = [(key, canonical(_fitting(spec, cut, key, values))) for key, values in rows]
    if receipt_path.exists():
        return _repeated(read_receipt(receipt_path), blocks, receipt_path)
    shards = write_rows(layout.array(spec.digest, corpus), cut, start, [values for _, values in blocks])
    receipt = WriteReceipt(start=start, rows=tuple(_lines(start, blocks, cut)), shards=shards)
    write_document(receipt_path, _as_json(receipt))
    return sum(size for _, size in shards)


def read_placed(store_path: Path | str, spec: FeatureSpec, corpus: str, placement: Placement) -> NDArray[Any]:
    """Return the rows of a placement, shape (length, *dims), committed or not.

    Raises
    ------
    StoreError
        If there is no such array, or it cannot be decoded.
    """
    array = open_array(Layout(place(store_path)).array(spec.digest, corpus))
    return read_rows(array, placement.start, placement.start + placement.length)


def read_receipt(path: Path) -> WriteReceipt:
    """Return one receipt.

    Raises
    ------
    StoreError
        If it is damaged.
    """
    content = read_document(path)
    try:
        rows = tuple(
            ReceiptRow(row_key=_text(key), start=_count(start), length=_count(length), crc=_counts(crc))
            for key, start, length, crc in content["rows"]
        )
        shards = tuple((_text(name), _count(size)) for name, size in content["shards"])
        return WriteReceipt(start=_count(content["start"]), rows=rows, shards=shards)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"a receipt in {path}", "another document", "delete it and build again") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _count(value: Any) -> int:
    """Return a row, a number of rows or of bytes, or a checksum; none of them is as large as `MOST_ROWS`."""
    if type(value) is not int or not 0 <= value <= MOST_ROWS:
        raise ValueError(value)
    return value


def _counts(values: Any) -> tuple[int, ...]:
    return tuple(_count(value) for value in values)


def receipts(layout: Layout, spec: str, corpus: str) -> Iterator[WriteReceipt]:
    """Yield the receipts of a (spec digest, corpus) by start row."""
    folder = layout.receipts(spec, corpus)
    yield from each(read_receipt, sorted(folder.glob("[0-9]*.json")))


def forget_shards(layout: Layout, spec: FeatureSpec, corpus: str, lost: Collection[str]) -> None:
    """Take the rows that lie in ``lost`` shard files out of their receipts, so that they are built anew.

    Raises
    ------
    StoreError
        If a receipt cannot be written.
    """
    size = geometry(spec).shard[0]
    numbers = {int(name.split("/")[1]) for name in lost}
    for path in sorted(layout.receipts(spec.digest, corpus).glob("[0-9]*.json")):
        receipt = read_receipt(path)
        rows = tuple(row for row in receipt.rows if not any(_touches(row, n, size) for n in numbers))
        shards = tuple((name, size) for name, size in receipt.shards if name not in lost)
        if (rows, shards) != (receipt.rows, receipt.shards):
            write_document(path, _as_json(WriteReceipt(start=receipt.start, rows=rows, shards=shards)))


def _touches(row: ReceiptRow, number: int, size: int) -> bool:
    """Say whether rows lie in the shards of a number; there is one for each layer."""
    return row.start < (number + 1) * size and row.start + row.length > number * size


class ShardSizes:
    """The sizes of the shard files of a (spec digest, corpus): objects are listed once, files asked."""

    def __init__(self, layout: Layout, spec: str, corpus: str) -> None:
        self.folder = layout.array(spec, corpus)
        self.listed: dict[str, int] | None = None
        if isinstance(self.folder, ObjectPath):
            found = (path for path in (self.folder / "c").rglob("*") if path.is_file())
            self.listed = {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in found}

    def of(self, name: str) -> int | None:
        """Return the size of a shard file in bytes, or None where there is none."""
        if self.listed is not None:
            return self.listed.get(name)
        try:
            return (self.folder / name).stat().st_size
        except OSError:
            return None

    def intact(self, receipt: WriteReceipt) -> bool:
        """Say whether the shard files of a receipt are there in full length; their bytes are not read."""
        return all(self.of(name) == size for name, size in receipt.shards)


def receipts_end(layout: Layout, spec: str, corpus: str) -> int:
    """Return the row behind the last receipt, which the array reaches too unless it was lost."""
    paths = sorted(layout.receipts(spec, corpus).glob("[0-9]*.json"))
    if not paths:
        return 0
    last = read_receipt(paths[-1])
    return max((row.start + row.length for row in last.rows), default=last.start)


def _as_json(receipt: WriteReceipt) -> dict[str, Json]:
    return {
        "start": receipt.start,
        "rows": [[row.row_key, row.start, row.length, list(row.crc)] for row in receipt.rows],
        "shards": [[name, size] for name, size in receipt.shards],
    }


def _lines(start: int, blocks: Sequence[tuple[str, Array]], cut: Geometry) -> Iterator[ReceiptRow]:
    position = start
    for key, values in blocks:
        crc = checksums(values, cut.layered)
        yield ReceiptRow(row_key=key, start=position, length=len(values), crc=crc)
        position += len(values)


def _fitting(spec: FeatureSpec, cut: Geometry, key: str, values: Array) -> Array:
    if (
        values.shape[1:] != cut.row_shape
        or values.ndim != 1 + len(cut.row_shape)
        or values.dtype != cut.dtype
    ):
        raise StoreError(
            f"rows of shape (n, {', '.join(map(str, cut.row_shape))}) in {cut.dtype} for {spec.name}",
            f"{values.shape} in {values.dtype} for row key {key[:12]}",
            "mend the extractor or its spec",
        )
    return values


def _repeated(receipt: WriteReceipt, blocks: Sequence[tuple[str, Array]], path: Path) -> int:
    """Accept a repeated write of the same rows: written shards are never written again."""
    there = [(row.row_key, row.length) for row in receipt.rows]
    if there != [(key, len(values)) for key, values in blocks]:
        raise StoreError(
            f"the rows that {path} lists", "other rows at the same place", "reserve rows for them"
        )
    return sum(size for _, size in receipt.shards)
