"""The formats that the store is measured against: each writes row blocks, then reads one or all of them.

Every writer flushes its bytes to the disk before it returns, as the store does.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numcodecs
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import zarr
from lhotse.features import io as lhotse_io
from numpy.typing import NDArray

Array = NDArray[Any]
PARQUET_ROW_GROUP = 32
HDF5_LZ4 = "HDF5, our chunks, Blosc LZ4"
LIMIT = "numpy memmap, tofile, fromfile"


@dataclass(frozen=True)
class Opened:
    """How an open file is read: block i, and all of them; ``lossy`` marks values that come back changed."""

    read: Callable[[int], Array]
    scan: Callable[[], object]
    lossy: bool = False


@dataclass(frozen=True)
class Rival:
    """A format: ``write`` makes files under a path, ``open`` reads them again."""

    name: str
    write: Callable[[Path, Sequence[Array]], Any]
    open: Callable[[Path, Any], Opened]


def flushed(path: Path) -> None:
    """Flush a file, or every file of a folder, to the disk."""
    for item in [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]:
        with item.open("rb") as file:
            os.fsync(file.fileno())


def starts_of(blocks: Sequence[Array]) -> Array:
    return np.cumsum([0, *(len(block) for block in blocks)])


def _tofile(path: Path, blocks: Sequence[Array]) -> Any:
    whole = np.concatenate(blocks)
    whole.tofile(path)
    flushed(path)
    return starts_of(blocks), whole.dtype, whole.shape


def _memmap(path: Path, made: Any) -> Opened:
    starts, dtype, shape = made
    mapped = np.memmap(path, dtype=dtype, mode="r", shape=shape)
    return Opened(
        lambda i: np.array(mapped[starts[i] : starts[i + 1]]), lambda: np.fromfile(path, dtype=dtype)
    )


def _zarr_defaults(path: Path, blocks: Sequence[Array]) -> Any:
    whole = np.concatenate(blocks)
    array = zarr.create_array(str(path), shape=whole.shape, dtype=whole.dtype)
    array[:] = whole
    flushed(path)
    return starts_of(blocks)


def _zarr_open(path: Path, starts: Any) -> Opened:
    array = zarr.open_array(str(path), mode="r")
    return Opened(lambda i: array[starts[i] : starts[i + 1]], lambda: array[:])


def _hdf5(**options: Any) -> Callable[[Path, Sequence[Array]], Any]:
    def write(path: Path, blocks: Sequence[Array]) -> Any:
        with h5py.File(path, "w") as file:
            file.create_dataset("values", data=np.concatenate(blocks), **options)
        flushed(path)
        return starts_of(blocks)

    return write


def _hdf5_open(path: Path, starts: Any) -> Opened:
    values = h5py.File(path, "r")["values"]
    return Opened(lambda i: values[starts[i] : starts[i + 1]], lambda: values[:])


def _hdf5_lz4(chunk_rows: int) -> Callable[[Path, Sequence[Array]], Any]:
    """HDF5 has no Blosc of its own: its chunks are written and read as bytes, the codec runs here.

    A filter is declared, and marked as left out of each chunk, because HDF5 notes the sizes of chunks only
    where there is one: without, a chunk that grew under compression runs over its place.
    """

    def write(path: Path, blocks: Sequence[Array]) -> Any:
        whole = np.concatenate(blocks)
        codec = numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE)
        chunk = (chunk_rows, *whole.shape[1:])
        with h5py.File(path, "w") as file:
            values = file.create_dataset(
                "values", shape=whole.shape, dtype=whole.dtype, chunks=chunk, shuffle=True
            )
            for start in range(0, len(whole), chunk_rows):
                part = np.zeros(chunk, whole.dtype)
                part[: len(whole) - start] = whole[start : start + chunk_rows]
                values.id.write_direct_chunk((start, 0), codec.encode(part), filter_mask=1)
        flushed(path)
        return starts_of(blocks)

    return write


def _hdf5_lz4_open(path: Path, starts: Any) -> Opened:
    values = h5py.File(path, "r")["values"]
    rows, (dim,), dtype = values.chunks[0], values.shape[1:], values.dtype
    codec = numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE)

    def rows_of(first: int, last: int) -> Array:
        low = first // rows * rows
        parts = [codec.decode(values.id.read_direct_chunk((at, 0))[1]) for at in range(low, last, rows)]
        joined = np.concatenate([np.frombuffer(part, dtype).reshape(-1, dim) for part in parts])
        return joined[first - low : last - low]

    return Opened(lambda i: rows_of(starts[i], starts[i + 1]), lambda: rows_of(0, values.shape[0]))


def _lhotse(writer: Any) -> Callable[[Path, Sequence[Array]], Any]:
    def write(path: Path, blocks: Sequence[Array]) -> Any:
        with writer(str(path)) as storage:
            where = storage.storage_path
            keys = [storage.write(f"u{i}", np.asarray(b, np.float32)) for i, b in enumerate(blocks)]
        flushed(Path(where))
        return where, keys

    return write


def _lhotse_open(reader: Any, lossy: bool) -> Callable[[Path, Any], Opened]:
    def opened(_: Path, made: Any) -> Opened:
        where, keys = made
        storage = reader(where)
        return Opened(lambda i: storage.read(keys[i]), lambda: [storage.read(key) for key in keys], lossy)

    return opened


def _table(blocks: Sequence[Array]) -> pa.Table:
    flat = pa.array(np.concatenate(blocks).reshape(-1))
    offsets = pa.array(starts_of(blocks) * blocks[0].shape[1], pa.int64())
    return pa.table({"values": pa.LargeListArray.from_arrays(offsets, flat)})


def _arrow(path: Path, blocks: Sequence[Array]) -> Any:
    pyarrow.feather.write_feather(_table(blocks), str(path), compression="uncompressed")
    flushed(path)
    return blocks[0].shape[1]


def _arrow_open(path: Path, dim: int) -> Opened:
    column = pyarrow.feather.read_table(str(path), memory_map=True).column("values").combine_chunks()
    starts, flat = column.offsets.to_numpy(), column.values.to_numpy()
    return Opened(
        lambda i: np.array(flat[starts[i] : starts[i + 1]]).reshape(-1, dim), lambda: np.array(flat)
    )


def _parquet(path: Path, blocks: Sequence[Array]) -> Any:
    pq.write_table(_table(blocks), path, compression="lz4", row_group_size=PARQUET_ROW_GROUP)
    flushed(path)
    return blocks[0].shape[1]


def _parquet_open(path: Path, dim: int) -> Opened:
    file = pq.ParquetFile(path)

    def read(i: int) -> Array:
        group = file.read_row_group(i // PARQUET_ROW_GROUP).column("values")
        return np.asarray(group[i % PARQUET_ROW_GROUP].values).reshape(-1, dim)

    def scan() -> Array:
        return np.asarray(pq.read_table(path).column("values").combine_chunks().values)

    return Opened(read, scan)


def rivals(chunk: tuple[int, ...]) -> list[Rival]:
    """Return all formats; ``chunk`` is the store's."""
    return [
        Rival(LIMIT, _tofile, _memmap),
        Rival("zarr, its defaults", _zarr_defaults, _zarr_open),
        Rival("HDF5 contiguous", _hdf5(), _hdf5_open),
        Rival(HDF5_LZ4, _hdf5_lz4(chunk[0]), _hdf5_lz4_open),
        Rival(
            "HDF5, our chunks, shuffle + LZF",
            _hdf5(chunks=chunk, compression="lzf", shuffle=True),
            _hdf5_open,
        ),
        Rival(
            "lhotse, lilcom chunky",
            _lhotse(lhotse_io.LilcomChunkyWriter),
            _lhotse_open(lhotse_io.LilcomChunkyReader, True),
        ),
        Rival(
            "lhotse, chunked lilcom in HDF5",
            _lhotse(lhotse_io.ChunkedLilcomHdf5Writer),
            _lhotse_open(lhotse_io.ChunkedLilcomHdf5Reader, True),
        ),
        Rival(
            "lhotse, numpy in HDF5",
            _lhotse(lhotse_io.NumpyHdf5Writer),
            _lhotse_open(lhotse_io.NumpyHdf5Reader, False),
        ),
        Rival("Arrow IPC, mapped", _arrow, _arrow_open),
        Rival("Parquet, LZ4", _parquet, _parquet_open),
    ]
