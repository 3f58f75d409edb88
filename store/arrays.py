"""Ragged rows of one (spec, corpus) in one sharded Zarr v3 array, read and written through `zarrs`."""

import json
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import zarr
from google_crc32c import value as crc32c
from numpy.typing import NDArray
from obstore.exceptions import BaseError
from obstore.store import S3Store
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.errors import ContainsArrayError
from zarr.storage import ObjectStore

from store.atomic import remove_folder, sync, temporary_beside, unwritable, write_bytes
from store.digests import digest
from store.errors import StoreError
from store.objects import ObjectPath, asking, path_of
from store.records import FeatureSpec
from store.whole_objects import WholeObjects, honours_ranges

FAST_PIPELINE = "zarrs.ZarrsCodecPipeline"
CHECKING_PIPELINE = "zarr.core.codec_pipeline.BatchedCodecPipeline"
"""zarr-python's own, which checks the checksum of every chunk inside a shard; zarrs 0.2.3 does not."""

RECONSTRUCTED = "Successfully reconstructed a store defined in another Python module"
"""What zarrs warns of when it opens obstore's client for itself, with connections of its own."""

UNSUPPORTED = "Array is unsupported by ZarrsCodecPipeline"
"""What zarrs warns of before it leaves an array to zarr-python: metadata that it cannot read."""

CHUNK_BYTES = 128 * 1024
SHARD_BYTES = 4 * 1024 * 1024
CHUNK_ROWS = (16, 1024)
SHARD_ROWS = {"utterance": 512, "phones": 4096}
MOST_SHARD_ROWS = 16_384
"""Rows of single numbers, which are samples, are bounded by bytes alone."""
MOST_ROWS = 2**40
"""Rows of one array: samples of 19,000 hours. What claims to be longer is damaged."""
FLUSHES = 8
"""How many files are flushed at once."""

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Geometry:
    """How an array is cut: a function of the spec alone. A layer of a layered spec is sharded by itself.

    ``row_shape`` is that of one row; ``shard`` and ``chunk`` are shapes (rows, ...) of shards and of the
    chunks inside them.
    """

    row_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    shard: tuple[int, ...]
    chunk: tuple[int, ...]

    @property
    def layered(self) -> bool:
        """Whether rows are (layers, dim)."""
        return len(self.row_shape) == 2

    @property
    def layers(self) -> int:
        """Number of layers; 1 where there are none."""
        return self.row_shape[0] if self.layered else 1

    def padded(self, rows: int) -> int:
        """Return ``rows`` rounded up to whole shards."""
        return -(-rows // self.shard[0]) * self.shard[0]


def geometry(spec: FeatureSpec) -> Geometry:
    """Return the cut of a spec's arrays: chunks of about 128 KiB, shards of about 4 MiB, powers of two.

    Raises
    ------
    StoreError
        If the spec has more than two dimensions, an empty one, or a dtype other than float16 and float32.
    """
    if len(spec.dims) > 2 or any(size < 1 for size in spec.dims) or spec.dtype not in ("float16", "float32"):
        raise StoreError(
            "rows of shape (), (dim) or (layers, dim) in float16 or float32",
            f"{spec.dims} {spec.dtype} in {spec.name}",
            "change the extractor's spec",
        )
    dtype = np.dtype(spec.dtype)
    cut = (1, spec.dims[1]) if len(spec.dims) == 2 else spec.dims
    row_bytes = prod(cut) * dtype.itemsize
    low, high = CHUNK_ROWS
    most = SHARD_ROWS.get(spec.law.kind, MOST_SHARD_ROWS)
    if not spec.dims:
        high = most = SHARD_BYTES
    chunk = min(max(_power_below(CHUNK_BYTES // row_bytes), low), high, most)
    shard = min(max(_power_below(SHARD_BYTES // row_bytes), chunk), most)
    return Geometry(spec.dims, dtype, (shard, *cut), (chunk, *cut))


def _power_below(number: int) -> int:
    return 1 << (max(number, 1).bit_length() - 1)


def _location(path: Path) -> "str | ObjectStore[S3Store]":
    """Return what zarr finds an array by."""
    if not isinstance(path, ObjectPath):
        return str(path)
    return (ObjectStore if honours_ranges(path / "zarr.json") else WholeObjects)(path.client_below)


@contextmanager
def _pipeline(name: str) -> Iterator[None]:
    """Have zarr open arrays with a codec pipeline; both settings are the process's, so threads take turns."""
    with _ONE_AT_A_TIME, zarr.config.set({"codec_pipeline.path": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=RECONSTRUCTED, category=RuntimeWarning)
        warnings.filterwarnings("ignore", message=UNSUPPORTED, category=UserWarning)
        yield


_ONE_AT_A_TIME = Lock()


def create_array(path: Path, spec: FeatureSpec) -> None:
    """Create the empty array of a spec.

    ``fill_value`` is NaN, because a missing shard reads as the fill value without an error.
    """
    cut = geometry(spec)
    names = ("row", "layer", "dim") if cut.layered else ("row", "dim")[: 1 + len(spec.dims)]
    compressors = [
        BloscCodec(cname="lz4", clevel=5, shuffle="shuffle", typesize=cut.dtype.itemsize),
        Crc32cCodec(),
    ]
    try:
        with _pipeline(CHECKING_PIPELINE), asking(path):
            zarr.create_array(
                _location(path),
                shape=(0, *spec.dims),
                chunks=cut.chunk,
                shards=cut.shard,
                dtype=cut.dtype,
                compressors=compressors,
                fill_value=float("nan"),
                dimension_names=names,
                attributes={"spec": spec.digest, "name": spec.name},
            )
    except ContainsArrayError:
        return  # on an object store, another writer may have been faster
    except OSError as error:
        raise unwritable(path, error) from error


def open_array(path: Path, *, mode: str = "r", checking: bool = False) -> "zarr.Array[Any]":
    """Open an array with the fast codec pipeline, or with the one that checks every chunk.

    Raises
    ------
    StoreError
        If there is no array, or its metadata is damaged.
    """
    location = _location(path)
    fast = not checking and not isinstance(location, WholeObjects)  # zarrs asks for ranges
    try:
        with _pipeline(FAST_PIPELINE if fast else CHECKING_PIPELINE), asking(path):
            array = zarr.open_array(location, mode=mode)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"a Zarr array in {path}", f"{type(error).__name__}: {error}"[:200], "run 'store repair'"
        ) from error
    check_rows(path, array.shape[0] if array.shape else 0)
    return array


def check_rows(path: Path, rows: int) -> None:
    """Raise `StoreError` where an array at ``path`` is longer, or is to be longer, than any can be."""
    if not 0 <= rows <= MOST_ROWS:
        raise StoreError(f"at most {MOST_ROWS} rows in {path}", f"{rows}", "run 'store repair'")


def grow_array(path: Path, rows: int) -> None:
    """Resize an array to ``rows`` rows; only the process that holds the writer's lock may do so."""
    check_rows(path, rows)
    try:
        array = open_array(path, mode="r+")
        with asking(path):
            array.resize((rows, *array.shape[1:]))
    except OSError as error:
        raise unwritable(path, error) from error


def restore_metadata(path: Path, spec: FeatureSpec, rows: int, committed: str) -> bool:
    """Write the ``zarr.json`` of a spec's array anew, for ``rows`` rows; shard files are left as they are.

    Returns
    -------
    Whether that gives the metadata whose digest was ``committed``; otherwise nothing is changed.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    aside = temporary_beside(path)
    try:
        create_array(aside, spec)
        grow_array(aside, rows)
        if metadata_digest(aside) != committed:
            return False
        write_bytes(path / "zarr.json", (aside / "zarr.json").read_bytes())
        return True
    finally:
        remove_folder(aside)


def metadata_digest(path: Path) -> str:
    """Return the digest of an array's ``zarr.json`` without its shape, which appending changes.

    Raises
    ------
    StoreError
        If it is missing or no JSON.
    """
    try:
        metadata = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
        metadata.pop("shape")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise StoreError(f"Zarr metadata in {path}", type(error).__name__, "restore zarr.json") from error
    return digest(metadata)


def canonical(values: Array) -> Array:
    """Return ``values`` with one bit pattern for every NaN, so that equal rows are equal bytes."""
    odd = _undefined(values)
    if odd.any():
        values = values.copy()
        values[odd] = np.nan
    return np.ascontiguousarray(values)


def _undefined(values: Array) -> NDArray[np.bool_]:
    """Return `np.isnan`, which takes numbers of 16 bits one by one, ten times slower than their bits."""
    if values.dtype != np.float16:
        return np.isnan(values)
    return np.asarray((values.view(np.uint16) & 0x7FFF) > 0x7C00)


def checksums(values: Array, layered: bool) -> tuple[int, ...]:
    """Return the CRC-32C of a row block's little-endian bytes: one for each layer, or one for all."""
    parts = (values[:, i] for i in range(values.shape[1])) if layered else (values,)
    return tuple(checksum(part) for part in parts)


def checksum(values: Array) -> int:
    """Return the CRC-32C of the little-endian bytes of ``values`` in C order."""
    return int(crc32c(np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))))


def write_rows(path: Path, cut: Geometry, start: int, blocks: Sequence[Array]) -> tuple[tuple[str, int], ...]:
    """Write row blocks one behind the other from ``start``, as whole shards, flushed to the disk.

    Returns
    -------
    The files written, relative to ``path``, with their sizes in bytes. A shard of NaN alone has no file.

    Raises
    ------
    StoreError
        If ``start`` is not on a shard boundary, the rows go beyond the array, or the disk refuses.
    """
    rows = sum(len(block) for block in blocks)
    stop = start + cut.padded(rows)
    array = open_array(path, mode="r+")
    if start % cut.shard[0] or stop > array.shape[0]:
        raise StoreError(
            f"a start on a shard boundary with {rows} rows of the array behind it",
            f"row {start} of {array.shape[0]}, shards of {cut.shard[0]}",
            "reserve the rows first",
        )
    whole = np.full((stop - start, *cut.row_shape), np.nan, dtype=cut.dtype)
    if rows:
        np.concatenate(list(blocks), out=whole[:rows])
    try:
        array[start:stop] = whole
        there = [name for name in shard_names(cut, start, rows) if (path / name).exists()]
        with ThreadPoolExecutor(FLUSHES) as pool:  # a disk that is told of several files takes them together
            return tuple(pool.map(lambda name: _flushed(path, name), there))
    except (OSError, RuntimeError) as error:
        _check_reachable(array)
        raise unwritable(path, error) from error


def _flushed(path: Path, name: str) -> tuple[str, int]:
    if not isinstance(path, ObjectPath):
        sync(path / name)
    return name, (path / name).stat().st_size


def shard_names(cut: Geometry, start: int, rows: int) -> list[str]:
    """Return the chunk keys of the shards that hold rows [start, start + rows)."""
    first, last = start // cut.shard[0], -(-(start + rows) // cut.shard[0])
    inner = [f"/{layer}/0" for layer in range(cut.layers)] if cut.layered else ["/0" * len(cut.row_shape)]
    return [f"c/{number}{rest}" for number in range(first, last) for rest in inner]


def read_rows(array: "zarr.Array[Any]", start: int, stop: int, layer: int | None = None) -> Array:
    """Return rows [start, stop), of one layer where given.

    Raises
    ------
    StoreError
        If a chunk cannot be decoded.
    """
    try:
        part = array[start:stop] if layer is None else array[start:stop, layer]
    except (OSError, RuntimeError, ValueError, MemoryError, BaseError) as error:
        _check_reachable(array)
        where = f"rows {start} to {stop} of {array.store_path}"
        raise StoreError(f"whole chunks in {where}", str(error)[:200], "run verify") from error
    return np.asarray(part)


def _check_reachable(array: "zarr.Array[Any]") -> None:
    """Raise `ObjectStoreError` where an array's server does not answer: its values are not damaged then."""
    store = array.store_path.store
    if isinstance(store, ObjectStore):
        path_of(store.store).exists()
