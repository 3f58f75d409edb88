"""Reads a few chunks of a local shard file straight off the disk, where Zarr would take most of the time.

Large reads go through Zarr, whose pipeline decodes chunks side by side.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from google_crc32c import value as crc32c
from numcodecs.blosc import decompress  # type: ignore[import-untyped]
from numpy.typing import NDArray

from store.arrays import Geometry, shard_names
from store.errors import StoreError

MOST_CHUNKS = 8
_CHECKSUM = 4
_NOTHING = 2**64 - 1


class ShardFiles:
    """The shard files of one array with the geometry ``cut``; every chunk is held against its CRC-32C."""

    def __init__(self, path: Path, cut: Geometry) -> None:
        self.path, self.cut = path, cut
        self._per_shard = cut.shard[0] // cut.chunk[0]
        self._chunk_shape = (cut.chunk[0], *(cut.chunk[2:] if cut.layered else cut.chunk[1:]))
        self._indexes: dict[str, NDArray[np.uint64]] = {}

    def serves(self, start: int, stop: int, layer: int | None) -> bool:
        """Say whether rows [start, stop) are few enough, and of one layer where there are layers."""
        few = (stop - 1) // self.cut.chunk[0] - start // self.cut.chunk[0] < MOST_CHUNKS
        return few and start < stop and (layer is None) is not self.cut.layered

    def read(self, start: int, stop: int, layer: int | None) -> NDArray[Any]:
        """Return rows [start, stop), of one layer where there are any; StoreError if a chunk is damaged."""
        rows = self.cut.chunk[0]
        first, last = start // rows, -(-stop // rows)
        try:
            values = np.empty(((last - first) * rows, *self._chunk_shape[1:]), dtype=self.cut.dtype)
            for chunk in range(first, last):
                self._decode(chunk, layer or 0, values[(chunk - first) * rows : (chunk - first + 1) * rows])
        except (OSError, RuntimeError, ValueError, MemoryError) as error:
            where = f"rows {start} to {stop} of {self.path}"
            raise StoreError(f"whole chunks in {where}", str(error)[:200], "run verify") from error
        return values[start - first * rows : stop - first * rows]

    def _decode(self, chunk: int, layer: int, values: NDArray[Any]) -> None:
        """Fill ``values`` with one chunk; a chunk that is not there holds NaN alone."""
        name = shard_names(self.cut, chunk * self.cut.chunk[0], 1)[layer]
        try:
            descriptor = os.open(self.path / name, os.O_RDONLY)
        except FileNotFoundError:
            values[:] = np.nan
            return
        try:
            if name not in self._indexes:
                self._indexes[name] = self._index(descriptor)
            offset, size = (int(number) for number in self._indexes[name][chunk % self._per_shard])
            if offset == _NOTHING:
                values[:] = np.nan
                return
            encoded = _checked(os.pread(descriptor, size, offset), size)
        finally:
            os.close(descriptor)
        if _decoded_size(encoded) != values.nbytes:
            raise ValueError(f"a chunk of {_decoded_size(encoded)} bytes for {values.nbytes}")
        decompress(encoded, values)

    def _index(self, descriptor: int) -> NDArray[np.uint64]:
        """Return offset and size of each chunk of a shard, from the end of its file."""
        size = self._per_shard * 16 + _CHECKSUM
        offset = os.fstat(descriptor).st_size - size
        if offset < 0:
            raise ValueError("a shard that is too short for its index")
        return np.frombuffer(_checked(os.pread(descriptor, size, offset), size), "<u8").reshape(-1, 2)


def _checked(data: bytes, size: int) -> bytes:
    """Return bytes without the CRC-32C behind them; ValueError if it is another, or bytes are missing."""
    content, checksum = data[:-_CHECKSUM], data[-_CHECKSUM:]
    if len(data) != size or crc32c(content) != int.from_bytes(checksum, "little"):
        raise ValueError("bytes that do not have their CRC-32C")
    return content


def _decoded_size(encoded: bytes) -> int:
    """Return the size that a Blosc header gives; the header is 16 bytes."""
    if len(encoded) < 16:
        raise ValueError("a chunk shorter than its header")
    return int.from_bytes(encoded[4:8], "little")
