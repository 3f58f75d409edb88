"""Reads the chunks of local shard files straight off the disk, where Zarr would take much of the time."""

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from google_crc32c import value as crc32c
from numcodecs.blosc import decompress  # type: ignore[import-untyped]
from numpy.typing import NDArray

from store.arrays import Geometry, shard_names
from store.errors import StoreError

_CHECKSUM = 4
_NOTHING = 2**64 - 1

Bytes = NDArray[np.uint8]


class ShardFiles:
    """The shard files of one array with the geometry ``cut``; every chunk is held against its CRC-32C.

    Threads may share one: chunks are read and decoded outside Python's lock.
    """

    def __init__(self, path: Path, cut: Geometry) -> None:
        self.path, self.cut = path, cut
        self._per_shard = cut.shard[0] // cut.chunk[0]
        self._chunk_shape = (cut.chunk[0], *(cut.chunk[2:] if cut.layered else cut.chunk[1:]))
        self._indexes: dict[str, list[list[int]]] = {}

    def serves(self, layer: int | None) -> bool:
        """Say whether rows can be read: of one layer where there are layers."""
        return (layer is None) is not self.cut.layered

    def read(self, start: int, stop: int, layer: int | None) -> NDArray[Any]:
        """Return rows [start, stop), of one layer where there are any; StoreError if a chunk is damaged."""
        rows = self.cut.chunk[0]
        first, last = start // rows, -(-stop // rows)
        try:
            chunks = np.empty((last - first, *self._chunk_shape), dtype=self.cut.dtype)
            for _, group in groupby(range(first, last), lambda chunk: chunk // self._per_shard):
                numbers = list(group)
                self._decode(numbers, layer or 0, chunks[numbers[0] - first : numbers[-1] - first + 1])
        except (OSError, RuntimeError, ValueError, MemoryError) as error:
            where = f"rows {start} to {stop} of {self.path}"
            raise StoreError(f"whole chunks in {where}", str(error)[:200], "run verify") from error
        return chunks.reshape(-1, *self._chunk_shape[1:])[start - first * rows : stop - first * rows]

    def _decode(self, numbers: Sequence[int], layer: int, values: NDArray[Any]) -> None:
        """Fill ``values`` with neighbouring chunks of one shard; a chunk that is not there is NaN alone."""
        name = shard_names(self.cut, numbers[0] * self.cut.chunk[0], 1)[layer]
        try:
            descriptor = os.open(self.path / name, os.O_RDONLY)
        except FileNotFoundError:
            values[:] = np.nan
            return
        try:
            if name not in self._indexes:
                self._indexes[name] = self._index(descriptor)
            first = numbers[0] % self._per_shard
            places = self._indexes[name][first : first + len(numbers)]
            begin, data = _span(descriptor, places)
        finally:
            os.close(descriptor)
        for chunk, (offset, size) in zip(values, places, strict=True):
            if offset == _NOTHING:
                chunk[:] = np.nan
                continue
            encoded = _checked(data[offset - begin :][:size], size)
            if _decoded_size(encoded) != chunk.nbytes:
                raise ValueError(f"a chunk of {_decoded_size(encoded)} bytes for {chunk.nbytes}")
            decompress(encoded, chunk)

    def _index(self, descriptor: int) -> list[list[int]]:
        """Return offset and size of each chunk of a shard, from the end of its file."""
        size = self._per_shard * 16 + _CHECKSUM
        offset = os.fstat(descriptor).st_size - size
        if offset < 0:
            raise ValueError("a shard that is too short for its index")
        numbers = _checked(_bytes(descriptor, offset, size), size).view("<u8")
        listed: list[list[int]] = numbers.reshape(-1, 2).tolist()
        if any(place[0] != _NOTHING and sum(place) > offset for place in listed):
            raise ValueError("a shard whose index reaches behind its end")
        return listed


def _span(descriptor: int, places: Sequence[Sequence[int]]) -> tuple[int, Bytes]:
    """Return the bytes that hold all of some chunks, and where they begin; writers keep the order."""
    there = [place for place in places if place[0] != _NOTHING]
    begin = min((offset for offset, _ in there), default=0)
    end = max((offset + size for offset, size in there), default=0)
    return begin, _bytes(descriptor, begin, end - begin)


def _bytes(descriptor: int, offset: int, size: int) -> Bytes:
    return np.frombuffer(os.pread(descriptor, size, offset), np.uint8)


def _checked(data: Bytes, size: int) -> Bytes:
    """Return bytes without the CRC-32C behind them; ValueError if it is another, or bytes are missing."""
    content, checksum = data[:-_CHECKSUM], data[-_CHECKSUM:]
    if len(data) != size or crc32c(content) != int.from_bytes(checksum, "little"):
        raise ValueError("bytes that do not have their CRC-32C")
    return content


def _decoded_size(encoded: Bytes) -> int:
    """Return the size that a Blosc header gives; the header is 16 bytes."""
    if len(encoded) < 16:
        raise ValueError("a chunk shorter than its header")
    return int.from_bytes(encoded[4:8], "little")
