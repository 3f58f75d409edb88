"""Reads row blocks of one (spec, corpus) of a snapshot: neighbours together, on several threads, checked."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import zarr
from numpy.typing import NDArray

from store.arrays import SHARD_BYTES, checksum, checksums, geometry, read_rows
from store.entries import IndexRow
from store.errors import StoreError
from store.records import FeatureSpec
from store.runs import RUN_BYTES, runs
from store.shards import ShardFiles

THREADS = min(4, os.cpu_count() or 1)
"""Chunks are decoded outside Python's lock; beyond a few threads the memory is what limits."""

Use = Callable[[str, NDArray[Any]], None]
"""Called with an utterance id and its rows, a view that is to be copied where it is kept."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """The index and array of one (spec, corpus).

    ``files`` are None where they are no local files; ``checked`` says whether values are held against the
    checksums of the index.
    """

    spec: FeatureSpec
    index: Mapping[str, IndexRow]
    array: "zarr.Array[Any]"
    files: ShardFiles | None
    checked: bool

    def read(self, row: IndexRow, layer: int | None) -> NDArray[Any]:
        """Return one block; StoreError if it is damaged."""
        ((_, values),) = self._run([row], layer)
        return values

    def for_each(self, rows: Sequence[IndexRow], layer: int | None, use: Use) -> None:
        """Hand every block to ``use``, in no order, from several threads; StoreError if one is damaged."""

        def visit(run: Sequence[IndexRow]) -> None:
            for name, values in self._run(run, layer):
                use(name, values)

        cut = geometry(self.spec)
        if not self.direct(layer):  # Zarr has threads of its own
            for run in runs(rows, cut, cut.layers if layer is None else 1, RUN_BYTES):
                visit(run)
            return
        pieces = list(runs(rows, cut, 1, SHARD_BYTES))
        with ThreadPoolExecutor(min(THREADS, len(pieces) or 1)) as pool:
            for _ in pool.map(visit, pieces):
                pass  # the result tells what went wrong

    def direct(self, layer: int | None) -> bool:
        """Say whether values come straight from shard files, each chunk held against its checksum."""
        return self.files is not None and self.files.serves(layer)

    def span(self, start: int, stop: int, layer: int | None) -> NDArray[Any]:
        """Return array rows [start, stop) the faster way; the checksums of the index are not looked at."""
        files = self.files
        if files is not None and files.serves(layer) and start < stop <= self.array.shape[0]:
            return files.read(start, stop, layer)
        return read_rows(self.array, start, stop, layer)

    def _run(self, run: Sequence[IndexRow], layer: int | None) -> Iterator[tuple[str, NDArray[Any]]]:
        first, last = run[0].start, max(row.start + row.length for row in run)
        values = self.span(first, last, layer)
        for row in run:
            block = values[row.start - first : row.start - first + row.length]
            if self.checked:
                _check(self.spec, row, block, layer)
            yield row.utterance, block


def _check(spec: FeatureSpec, row: IndexRow, block: NDArray[Any], layer: int | None) -> None:
    if layer is None:
        intact = checksums(block, len(spec.dims) == 2) == row.crc
    else:
        intact = checksum(block) == row.crc[layer]
    if not intact:
        raise StoreError(
            f"the committed rows of {spec.name} for {row.utterance}", "other values", "run verify"
        )
