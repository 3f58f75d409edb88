"""Reads the chunks of local shard files straight off the disk, where Zarr would take much of the time."""

import os
from collections.abc import Sequence
from math import prod
from pathlib import Path
from struct import Struct
from typing import Any

import numpy as np
from google_crc32c import value as crc32c
from numcodecs.blosc import decompress  # type: ignore[import-untyped]
from numpy.typing import NDArray

from store.arrays import Geometry, shard_names
from store.errors import StoreError

_CHECKSUM = 4
_NOTHING = 2**64 - 1
_NUMBER = Struct("<I").unpack_from

MOST_INDEXES = 1024
"""How many indexes of shards one array keeps: some 5 kB each."""

Bytes = NDArray[np.uint8]
Places = list[tuple[int, int]]
"""Offset and size in the file of each chunk of a shard; `_NOTHING` for one that is not there."""


class ShardFiles:
    """The shard files of one array with the geometry ``cut``; every chunk is held against its CRC-32C.

    Threads may share one: chunks are read and decoded outside Python's lock. Files are opened anew for each
    read, so that one that was removed is gone; their indexes are kept as long as the file is the same.
    """

    def __init__(self, path: Path, cut: Geometry) -> None:
        self.path, self.cut = path, cut
        self._per_shard = cut.shard[0] // cut.chunk[0]
        self._chunk_shape = (cut.chunk[0], *(cut.chunk[2:] if cut.layered else cut.chunk[1:]))
        self._chunk_bytes = prod(self._chunk_shape) * cut.dtype.itemsize
        self._indexes: dict[str, tuple[tuple[int, ...], Places]] = {}

    def serves(self, layer: int | None) -> bool:
        """Say whether rows can be read: of one layer where there are layers."""
        return (layer is None) is not self.cut.layered

    def read(self, start: int, stop: int, layer: int | None) -> NDArray[Any]:
        """Return rows [start, stop), of one layer where there are any; StoreError if a chunk is damaged."""
        rows, most = self.cut.chunk[0], self._per_shard
        first, last = start // rows, -(-stop // rows)
        try:
            chunks = np.empty((last - first, *self._chunk_shape), dtype=self.cut.dtype)
            for shard in range(first // most, -(-last // most)):
                low, high = max(first, shard * most), min(last, (shard + 1) * most)
                self._decode(shard, layer or 0, low - shard * most, chunks[low - first : high - first])
        except (OSError, RuntimeError, ValueError, MemoryError) as error:
            where = f"rows {start} to {stop} of {self.path}"
            raise StoreError(f"whole chunks in {where}", str(error)[:200], "run verify") from error
        return chunks.reshape(-1, *self._chunk_shape[1:])[start - first * rows : stop - first * rows]

    def _decode(self, shard: int, layer: int, first: int, values: NDArray[Any]) -> None:
        """Fill ``values`` with chunks of a shard from ``first`` on; one that is not there is NaN alone."""
        name = shard_names(self.cut, shard * self.cut.shard[0], 1)[layer]
        try:
            descriptor = os.open(f"{self.path}/{name}", os.O_RDONLY)
        except FileNotFoundError:
            values[:] = np.nan
            return
        try:
            places = self._places(name, descriptor)[first : first + len(values)]
            begin, data = _span(descriptor, places)
        finally:
            os.close(descriptor)
        for chunk, (offset, size) in zip(values, places, strict=True):
            if offset == _NOTHING:
                chunk[:] = np.nan
                continue
            encoded = _checked(data[offset - begin : offset - begin + size], size)
            if _decoded_size(encoded) != self._chunk_bytes:
                raise ValueError(f"a chunk of {_decoded_size(encoded)} bytes for {self._chunk_bytes}")
            decompress(encoded, chunk)

    def _places(self, name: str, descriptor: int) -> Places:
        """Return the index of a shard, which is kept until another file has the name, as from a backup."""
        state = os.fstat(descriptor)
        file = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
        known = self._indexes.get(name)
        if known is None or known[0] != file:
            if len(self._indexes) >= MOST_INDEXES:
                self._indexes.clear()
            known = self._indexes[name] = (file, self._index(descriptor, state.st_size))
        return known[1]

    def _index(self, descriptor: int, file_size: int) -> Places:
        """Return the index from the end of a shard's file."""
        size = self._per_shard * 16 + _CHECKSUM
        offset = file_size - size
        if offset < 0:
            raise ValueError("a shard that is too short for its index")
        numbers = _checked(_bytes(descriptor, offset, size), size).view("<u8")
        listed: Places = [(begin, length) for begin, length in numbers.reshape(-1, 2).tolist()]
        if any(place[0] != _NOTHING and sum(place) > offset for place in listed):
            raise ValueError("a shard whose index reaches behind its end")
        return listed


def _span(descriptor: int, places: Sequence[tuple[int, int]]) -> tuple[int, Bytes]:
    """Return the bytes that hold all of some chunks, and where they begin; writers keep the order."""
    there = [place for place in places if place[0] != _NOTHING]
    begin = min((offset for offset, _ in there), default=0)
    end = max((offset + size for offset, size in there), default=0)
    return begin, _bytes(descriptor, begin, end - begin)


def _bytes(descriptor: int, offset: int, size: int) -> Bytes:
    return np.frombuffer(os.pread(descriptor, size, offset), np.uint8)


def _checked(data: Bytes, size: int) -> Bytes:
    """Return bytes without the CRC-32C behind them; ValueError if it is another, or bytes are missing."""
    content = data[:-_CHECKSUM]
    if len(data) != size or size < _CHECKSUM or crc32c(content) != _NUMBER(data.data, size - _CHECKSUM)[0]:
        raise ValueError("bytes that do not have their CRC-32C")
    return content


def _decoded_size(encoded: Bytes) -> int:
    """Return the size that a Blosc header gives; the header is 16 bytes."""
    if len(encoded) < 16:
        raise ValueError("a chunk shorter than its header")
    size: int = _NUMBER(encoded.data, 4)[0]
    return size
