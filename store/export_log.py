"""The ledger of exports: copies of a snapshot outside the store, which cannot be reached any more."""

import socket
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from store.digests import Json, digest, short
from store.documents import read_document, write_document
from store.errors import StoreError
from store.layout import Layout

Format = Literal["parquet", "lhotse", "webdataset"]
FORMATS: tuple[Format, ...] = get_args(Format)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One export as the ledger keeps it: what was copied out, when, and where to.

    ``created`` is ISO 8601 in UTC, ``destination`` an absolute path on the machine ``host``, ``specs`` are
    the digests of ``features``, ``layers`` is empty where all were copied. No utterance or speaker is named,
    so that the ledger holds nothing of a person who is forgotten.
    """

    created: str
    format: str
    destination: str
    host: str
    snapshot: str
    commit: int
    features: tuple[str, ...]
    specs: tuple[str, ...]
    corpora: tuple[str, ...]
    licences: tuple[str, ...]
    layers: tuple[int, ...] = ()
    utterances: int
    files: int
    bytes: int

    @property
    def identity(self) -> str:
        """The digest of the record."""
        return digest(_as_json(self))


def now() -> str:
    """Return the present moment as `Export.created` has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def this_host() -> str:
    """Return the name of this machine as `Export.host` has it."""
    return socket.gethostname()


def record(layout: Layout, export: Export) -> None:
    """Enter an export into the ledger; no lock is needed, since each has a document of its own.

    Raises
    ------
    StoreError
        If the store cannot be written.
    """
    write_document(layout.exports / f"{_stamp(export)}-{short(export.identity)}.json", _as_json(export))


def listed(layout: Layout, corpora: Collection[str] | None = None) -> tuple[Export, ...]:
    """Return the exports that were registered, oldest first; of any of ``corpora`` where given.

    Raises
    ------
    StoreError
        If an entry is damaged.
    """
    found = (_read(path) for path in sorted(layout.exports.glob("[!.]*.json")))
    return tuple(item for item in found if corpora is None or not set(corpora).isdisjoint(item.corpora))


def _stamp(export: Export) -> str:
    return "".join(char for char in export.created[:19] if char not in "-:")


def _as_json(export: Export) -> dict[str, Json]:
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in asdict(export).items()
    }


def _read(path: Path) -> Export:
    content: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in read_document(path).items()
    }
    try:
        return Export(**content)
    except TypeError as error:
        raise StoreError(f"an export in {path}", "another document", "restore it") from error
