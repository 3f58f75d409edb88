"""Re-reads the values of one (spec, corpus) of a snapshot, and traces damage to files and utterances."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zarr

from store.arrays import (
    Array,
    Geometry,
    checksum,
    checksums,
    geometry,
    metadata_digest,
    open_array,
    read_rows,
    shard_names,
)
from store.entries import IndexRow, Problem
from store.errors import StoreError
from store.layout import Layout
from store.receipts import ReceiptRow, ShardSizes, read_receipt
from store.records import FeatureSpec
from store.runs import RUN_BYTES, runs
from store.snapshots import Part

Counter = Callable[[int], None]
"""Called with the number of row blocks that were checked since the last call."""


def verify_values(
    layout: Layout, spec: FeatureSpec, part: Part, rows: Sequence[IndexRow], count: Counter
) -> Iterator[Problem]:
    """Yield what is wrong with the array, the receipts, the shard files and the values of ``rows``."""
    check = _Check(layout, spec, part.corpus, rows)
    broken = check.metadata(part)
    if broken:
        yield broken
        return
    check.assign()
    known, sizes, damaged = check.receipts()
    yield from damaged
    yield from check.listed(known, bool(damaged))
    lost = dict(check.lost_shards(sizes))
    for name, what in sorted(lost.items()):
        yield check.problem(what, check.path / name, check.in_shard(name))
    yield from check.values(frozenset(lost), count)


class _Check:
    """The checks of one (spec, corpus); values are read with the pipeline that checks every chunk."""

    def __init__(self, layout: Layout, spec: FeatureSpec, corpus: str, rows: Sequence[IndexRow]) -> None:
        self.layout, self.spec, self.corpus, self.rows = layout, spec, corpus, rows
        self.cut: Geometry = geometry(spec)
        self.path = layout.array(spec.digest, corpus)
        self.shards: dict[str, list[IndexRow]] = {}

    def assign(self) -> None:
        """List the rows by shard, once it is known that all of them lie in the array."""
        for row in self.rows:
            for name in shard_names(self.cut, row.start, row.length):
                self.shards.setdefault(name, []).append(row)

    def problem(self, what: str, path: Path, rows: Iterable[IndexRow]) -> Problem:
        where = path.relative_to(self.layout.root).as_posix()
        return Problem(what=what, where=where, utterances=tuple(sorted({row.utterance for row in rows})))

    def in_shard(self, name: str) -> list[IndexRow]:
        return self.shards[name]

    def metadata(self, part: Part) -> Problem | None:
        """Return what is wrong with ``zarr.json``, or None."""
        path = self.path / "zarr.json"
        try:
            changed = metadata_digest(self.path) != part.array
            shape = open_array(self.path, checking=True).shape
        except StoreError as error:
            return self.problem(f"array metadata: {error.found}", path, self.rows)
        end = max((row.start + row.length for row in self.rows), default=0)
        if changed or shape[1:] != self.spec.dims:
            return self.problem("array metadata differ from those committed", path, self.rows)
        if shape[0] < end or any(row.start < 0 or row.length < 0 for row in self.rows):
            return self.problem(f"the array has {shape[0]} rows, the index {end}", path, self.rows)
        return None

    def receipts(self) -> tuple[dict[tuple[str, int], ReceiptRow], dict[str, int], list[Problem]]:
        """Return the rows of all receipts, the sizes of shard files, and the receipts that are damaged."""
        known: dict[tuple[str, int], ReceiptRow] = {}
        sizes: dict[str, int] = {}
        damaged: list[tuple[Path, str]] = []
        for path in sorted(self.layout.receipts(self.spec.digest, self.corpus).glob("[0-9]*.json")):
            try:
                receipt = read_receipt(path)
            except StoreError as error:
                damaged.append((path, f"damaged receipt: {error.found}"))
                continue
            known.update({(row.row_key, row.start): row for row in receipt.rows})
            sizes.update(dict(receipt.shards))
        without = [row for row in self.rows if (row.row_key, row.start) not in known]
        return known, sizes, [self.problem(what, path, without) for path, what in damaged]

    def listed(self, known: dict[tuple[str, int], ReceiptRow], damaged: bool) -> Iterator[Problem]:
        """Yield rows whose receipt is missing, unless a damaged one explains it, or says something else."""
        folder = self.layout.receipts(self.spec.digest, self.corpus)
        without = [row for row in self.rows if (row.row_key, row.start) not in known]
        if without and not damaged:
            yield self.problem("no receipt for committed rows", folder, without)
        pairs = ((row, known.get((row.row_key, row.start))) for row in self.rows)
        other = [row for row, seen in pairs if seen and (seen.length, seen.crc) != (row.length, row.crc)]
        if other:
            yield self.problem("receipts and index differ in length or checksum", folder, other)

    def lost_shards(self, sizes: dict[str, int]) -> Iterator[tuple[str, str]]:
        """Yield shard files that are missing or of another size than their receipt says."""
        shards = ShardSizes(self.layout, self.spec.digest, self.corpus)
        for name in self.shards:
            if name not in sizes:
                continue  # all NaN, or its receipt is damaged, which is told elsewhere
            found = shards.of(name)
            if found is None:
                yield name, "missing shard"
            elif found != sizes[name]:
                yield name, f"shard of {found} bytes instead of {sizes[name]}"

    def values(self, lost: frozenset[str], count: Counter) -> Iterator[Problem]:
        """Yield the shards with values that cannot be decoded or have another checksum."""
        array = open_array(self.path, checking=True)
        traced: dict[str, tuple[str, list[IndexRow]]] = {}
        for run in runs(self.rows, self.cut, self.cut.layers, RUN_BYTES):
            for row in self._suspects(array, run):
                for name, what in self._trace(array, row, lost):
                    if name not in lost:
                        traced.setdefault(name, (what, []))[1].append(row)
            count(len(run))
        for name, (what, rows) in sorted(traced.items()):
            yield self.problem(what, self.path / name, rows)

    def _suspects(self, array: "zarr.Array[Any]", run: Sequence[IndexRow]) -> list[IndexRow]:
        """Return the rows of a run that do not read as committed."""
        first, last = run[0].start, max(row.start + row.length for row in run)
        try:
            values = read_rows(array, first, last)
        except StoreError:
            return [row for row in run if not self._intact(array, row)]
        return [row for row in run if not self._matches(values[row.start - first :][: row.length], row)]

    def _matches(self, block: Array, row: IndexRow) -> bool:
        return checksums(block, self.cut.layered) == row.crc

    def _intact(self, array: "zarr.Array[Any]", row: IndexRow) -> bool:
        try:
            return self._matches(read_rows(array, row.start, row.start + row.length), row)
        except StoreError:
            return False

    def _trace(
        self, array: "zarr.Array[Any]", row: IndexRow, lost: frozenset[str]
    ) -> Iterator[tuple[str, str]]:
        """Yield the shards, and what is wrong with them, of a row block that is not as committed.

        Where a part of it lies in a ``lost`` shard, that explains its values.
        """
        for layer in range(self.cut.layers):
            chosen = layer if self.cut.layered else None
            pieces = list(self._pieces(row, layer))
            broken = [piece for piece in pieces if not _decodes(array, piece, chosen)]
            if broken:
                yield from ((piece.name, "chunk fails its checksum") for piece in broken)
            elif (
                lost.isdisjoint(piece.name for piece in pieces)
                and checksum(read_rows(array, row.start, row.start + row.length, chosen)) != row.crc[layer]
            ):
                yield pieces[0].name, "values differ from those committed"

    def _pieces(self, row: IndexRow, layer: int) -> Iterator["_Piece"]:
        """Yield the part of a row block in each shard of one layer."""
        names = shard_names(self.cut, row.start, row.length)[layer :: self.cut.layers]
        size, stop = self.cut.shard[0], row.start + row.length
        for offset, name in enumerate(names):
            begin = (row.start // size + offset) * size
            yield _Piece(name, max(begin, row.start), min(begin + size, stop))


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows [start, stop) of a block that lie in one shard."""

    name: str
    start: int
    stop: int


def _decodes(array: "zarr.Array[Any]", piece: _Piece, layer: int | None) -> bool:
    try:
        read_rows(array, piece.start, piece.stop, layer)
    except StoreError:
        return False
    return True
