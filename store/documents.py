"""Small JSON documents that carry their own checksum and format version."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from store.atomic import write_text
from store.digests import Json, digest
from store.errors import StoreError
from store.objects import ObjectPath

DOCUMENT_VERSION = 1
MOST = 2**63 - 1
"""The largest number of a document, as of a column."""

T = TypeVar("T")


def write_document(path: Path, content: Mapping[str, Json]) -> None:
    """Write ``content`` atomically, with its digest beside it in the file.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    write_text(path, _whole(content))


def create_document(path: Path, content: Mapping[str, Json]) -> bool:
    """Write ``content`` as `write_document` does, but never over another writer's object.

    Returns whether it is there now. A file that an interrupted commit left is replaced: the lock of a folder
    leaves no second writer.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    if isinstance(path, ObjectPath):
        return path.create(_whole(content).encode())
    write_text(path, _whole(content))
    return True


def _whole(content: Mapping[str, Json]) -> str:
    whole: dict[str, Json] = {"content": content, "sha256": digest(content), "version": DOCUMENT_VERSION}
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def read_document(path: Path) -> dict[str, Any]:
    """Return the content of a document.

    Raises
    ------
    StoreError
        If it is missing, damaged or of another format version.
    """
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        version, content, checksum = whole["version"], whole["content"], whole["sha256"]
    except FileNotFoundError as error:
        raise StoreError(
            f"the document {path}", "no such file", "run verify, then restore it or build again"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, "no readable document") from error
    if version != DOCUMENT_VERSION:
        raise StoreError(
            f"format version {DOCUMENT_VERSION} in {path}",
            f"version {version}",
            "use the Phonanchor version that wrote it",
        )
    if not isinstance(content, dict) or _digest(content) != checksum:
        raise _damaged(path, "another content than its checksum says")
    return content


def fitting(kind: type[T], content: Mapping[str, Any]) -> T:
    """Return the content of a document as a frozen record; lists become tuples, numbers are counts.

    Raises
    ------
    KeyError, TypeError
        If a field is missing, or its value is of another type: whoever knows the path says so.
    """
    hints = get_type_hints(kind)
    return kind(**{name: _fitted(content[name], hint, name) for name, hint in hints.items()})


def _fitted(value: Any, hint: Any, name: str) -> Any:
    base, choices = get_origin(hint) or hint, get_args(hint)
    if base is tuple and isinstance(value, list):
        return tuple(_fitted(item, choices[0], name) for item in value)
    if base is int and type(value) is int and 0 <= value <= MOST:
        return value
    if base is not int and isinstance(value, base if base is not UnionType else choices):
        return value
    raise TypeError(f"{value!r:.80} as {name}")


def _digest(content: Mapping[str, Any]) -> str | None:
    """Return the digest of a content, None where it holds what no document of ours can: 1e999 is infinite."""
    try:
        return digest(content)
    except (ValueError, RecursionError):
        return None


def _damaged(path: Path, found: str) -> StoreError:
    return StoreError(f"a whole document in {path}", found, "run verify, then restore it or build again")
