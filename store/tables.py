"""Writes tuples of frozen records to Parquet and reads them back, the same in order and value."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from hashlib import sha256
from itertools import pairwise
from operator import index
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from store.atomic import write_bytes
from store.errors import StoreError
from store.objects import ObjectPath

T = TypeVar("T")

TABLE_VERSION = 1
"""Version of how records become columns; written into each file."""

MOST_INFLATED = 1024
"""The most values, and bytes of them, for each byte of a file."""

_KEY = b"phonanchor"
_PRIMITIVES: dict[type, tuple[pa.DataType, Any]] = {
    str: (pa.string(), str),
    int: (pa.int64(), index),
    float: (pa.float64(), float),
    bool: (pa.bool_(), bool),
}

Plain = list[Any] | dict[str, Any]
"""A column as plain lists: values, or {"lengths", "items"} of tuples, or one column for each field."""


def write_records(path: Path, records: Sequence[T], kind: type[T]) -> None:
    """Write ``records`` of the frozen dataclass ``kind`` as one Parquet table, atomically, order kept.

    Fields may be str, int, float, bool, such or None, dataclasses, and tuples of any of these
    (``tuple[T, ...]``).

    Raises
    ------
    StoreError
        If a value does not fit its field, or the file cannot be written.
    TypeError
        If ``kind`` has a field of another type.
    """
    write_bytes(path, to_parquet(records, kind))


def to_parquet(records: Sequence[T], kind: type[T]) -> bytes:
    """Return the Parquet file of ``records``; see `write_records`."""
    table = _table(records, kind)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def read_records(path: Path, kind: type[T]) -> tuple[T, ...]:
    """Return the records of a table, in the order they were written.

    Raises
    ------
    StoreError
        If the file is missing, damaged, of another format version or of another kind of record.
    """
    table = read_table(path)
    described = _described(table.schema.metadata or {}, path)
    expected = {"kind": kind.__name__, "version": TABLE_VERSION}
    if described != expected:
        raise StoreError(
            f"a table of {kind.__name__}, format version {TABLE_VERSION}, in {path}",
            f"{described.get('kind', 'another kind')}, version {described.get('version', 'unknown')}",
            "read it with the Phonanchor version that wrote it",
        )
    try:
        return tuple(_decode_records(kind, {n: table.column(n) for n in table.column_names}, len(table)))
    except (KeyError, TypeError, pa.ArrowException) as error:
        raise _damaged(path, error) from error


def _described(metadata: Mapping[bytes, bytes], path: Path) -> dict[str, Any]:
    """Return kind and version of a table as its footer says; {} for one that is not ours."""
    try:
        described = json.loads(metadata.get(_KEY, b"{}"))
    except (ValueError, RecursionError) as error:  # no checksum guards the footer
        raise _damaged(path, error) from error
    return described if isinstance(described, dict) else {}


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Return a Parquet file as an Arrow table, its page checksums verified.

    Raises
    ------
    StoreError
        If the file is missing or damaged.
    """
    if not path.is_file():
        raise StoreError(f"the table {path}", "no such file", "build again, or restore the store")
    source = pa.BufferReader(path.read_bytes()) if isinstance(path, ObjectPath) else path
    try:
        with pq.ParquetFile(source, page_checksum_verification=True) as file:
            _check_inflated(file.metadata, path)
            return file.read(columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, error) from error


def _check_inflated(described: pq.FileMetaData, path: Path) -> None:
    """Refuse a table that is far larger in memory than as a file, as no rows of ours are: they have keys."""
    groups = [described.row_group(number) for number in range(described.num_row_groups)]
    values = sum(g.column(number).num_values for g in groups for number in range(g.num_columns))
    most = MOST_INFLATED * path.stat().st_size
    if max(values, sum(group.total_byte_size for group in groups)) > most:
        raise StoreError(f"at most {most} values in {path}", f"{values}", "restore it or build again")


def content_digest(records: Sequence[T], kind: type[T]) -> str:
    """Return the SHA-256 of the records' content, which no version of the file format changes."""
    text = json.dumps([kind.__name__, _plain_records(kind, records)], separators=(",", ":"), sort_keys=True)
    return sha256(text.encode()).hexdigest()


def _damaged(path: Path, error: Exception) -> StoreError:
    return StoreError(f"a whole table in {path}", str(error)[:200], "run verify, then restore or build again")


def _table(records: Sequence[T], kind: type[T]) -> pa.Table:
    plain = _plain_records(kind, records)
    hints = get_type_hints(kind)
    try:
        arrays = {f.name: _arrow(hints[f.name], plain[f.name]) for f in _fields(kind)}
        schema = pa.schema([pa.field(n, a.type, nullable=_nullable(hints[n])) for n, a in arrays.items()])
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise StoreError(f"values that fit the fields of {kind.__name__}", str(error), "mend it") from error
    described = json.dumps({"kind": kind.__name__, "version": TABLE_VERSION}, sort_keys=True).encode()
    return pa.table(list(arrays.values()), schema=schema.with_metadata({_KEY: described}))


def _fields(kind: type[Any]) -> tuple[Field[Any], ...]:
    if not is_dataclass(kind):
        raise TypeError(f"{kind!r} is not a dataclass")
    return fields(kind)


def _nullable(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType)


def _without_none(hint: Any) -> Any:
    """Return X of ``X | None``, or the hint itself."""
    if not _nullable(hint):
        return hint
    rest = [part for part in get_args(hint) if part is not NoneType]
    if len(rest) != 1 or rest[0] not in _PRIMITIVES:
        raise TypeError(f"no column for {hint}")
    return rest[0]


def _item(hint: Any) -> Any:
    """Return T of ``tuple[T, ...]``, or None for other types."""
    if get_origin(hint) is not tuple:
        return None
    item, *rest = get_args(hint)
    if rest != [...]:
        raise TypeError(f"no column for {hint}: tuples have one type and any length")
    return item


def _plain_records(kind: type[Any], records: Sequence[Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {f.name: _plain(hints[f.name], [getattr(r, f.name) for r in records], f) for f in _fields(kind)}


def _plain(hint: Any, values: list[Any], field: Field[Any]) -> Plain:
    item = _item(hint)
    if item is not None:
        flat = [inner for value in values for inner in value]
        return {"lengths": [len(value) for value in values], "items": _plain(item, flat, field)}
    if is_dataclass(hint):
        return _plain_records(hint, values) if isinstance(hint, type) else []
    base = _without_none(hint)
    if base not in _PRIMITIVES:
        raise TypeError(f"no column for {hint} of {field.name}")
    convert = _PRIMITIVES[base][1]
    nullable = base is not hint
    try:
        return [_checked(value, base, convert, nullable) for value in values]
    except TypeError as error:
        raise StoreError(f"{hint} for {field.name}", str(error), "mend the record") from error


def _checked(value: Any, base: type, convert: Any, nullable: bool) -> Any:
    if value is None and nullable:
        return None
    if base is str and not isinstance(value, str):
        raise TypeError(f"{value!r}")
    return convert(value)


def _arrow(hint: Any, plain: Any) -> pa.Array:
    item = _item(hint)
    if item is not None:
        offsets = [0]
        for length in plain["lengths"]:
            offsets.append(offsets[-1] + length)
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), _arrow(item, plain["items"]))
    if is_dataclass(hint) and isinstance(hint, type):
        hints = get_type_hints(hint)
        names = [f.name for f in _fields(hint)]
        return pa.StructArray.from_arrays([_arrow(hints[n], plain[n]) for n in names], names=names)
    return pa.array(plain, _PRIMITIVES[_without_none(hint)][0], from_pandas=False)


def _decode_records(kind: type[T], columns: dict[str, Any], length: int) -> list[T]:
    """Rebuild records from columns; a field younger than the file takes its default."""
    hints = get_type_hints(kind)
    present = [f for f in _fields(kind) if f.name in columns or not _has_default(f)]
    decoded = [_decode(hints[f.name], columns[f.name]) for f in present]
    names = [f.name for f in present]
    if not names:
        return [kind() for _ in range(length)]
    return [kind(**dict(zip(names, row, strict=True))) for row in zip(*decoded, strict=True)]


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _decode(hint: Any, column: Any) -> list[Any]:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    item = _item(hint)
    if item is not None:
        lengths = array.value_lengths().to_pylist()
        flat = _decode(item, array.flatten())
        offsets = [0]
        for size in lengths:
            offsets.append(offsets[-1] + size)
        return [tuple(flat[start:stop]) for start, stop in pairwise(offsets)]
    if is_dataclass(hint) and isinstance(hint, type):
        parts = {array.type.field(i).name: part for i, part in enumerate(array.flatten())}
        return _decode_records(hint, parts, len(array))
    values: list[Any] = array.to_pylist()
    return values
