"""The journal of a forgetting: written before anything changes, so that what was cut off can be finished."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from store.digests import Json
from store.documents import read_document, write_document
from store.errors import StoreError
from store.layout import Layout
from store.tombstones import Tombstones, as_json, from_json

PREPARE, SWAP = "prepare", "swap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What a forgetting has to do; it holds hashes and paths of tables, no names.

    In the phase ``prepare`` only new files are added, and it may start anew; from ``swap`` on it can only be
    finished: what lies in the staging folder moves into place, then ``removals`` (relative to the store) and
    whatever nothing needs of the ``corpora`` go. ``tombstones`` are the new ones alone; ``bytes_before`` is
    the store's size.
    """

    identifier: str
    when: str
    phase: str
    tombstones: Tombstones
    speakers: int
    bytes_before: int
    removals: tuple[str, ...] = ()
    corpora: tuple[str, ...] = ()

    def ready(self, removals: Iterable[str], corpora: Iterable[str]) -> "Journal":
        """Return the journal of the second phase."""
        return replace(self, phase=SWAP, removals=tuple(removals), corpora=tuple(sorted(corpora)))


def write_journal(layout: Layout, journal: Journal) -> None:
    """Write the journal in one step; StoreError if that is not possible."""
    content: dict[str, Json] = {
        "identifier": journal.identifier,
        "when": journal.when,
        "phase": journal.phase,
        "tombstones": as_json(journal.tombstones),
        "speakers": journal.speakers,
        "bytes_before": journal.bytes_before,
        "removals": list(journal.removals),
        "corpora": list(journal.corpora),
    }
    write_document(layout.journal, content)


def read_journal(layout: Layout) -> Journal | None:
    """Return the journal, or None where no forgetting is unfinished.

    Raises
    ------
    StoreError
        If it is damaged.
    """
    if not layout.journal.exists():
        return None
    content = read_document(layout.journal)
    try:
        return Journal(
            identifier=content["identifier"],
            when=content["when"],
            phase=content["phase"],
            tombstones=from_json(content["tombstones"]),
            speakers=content["speakers"],
            bytes_before=content["bytes_before"],
            removals=tuple(_inside(name) for name in content["removals"]),
            corpora=tuple(content["corpora"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"a journal in {layout.journal}", "another document", "restore it") from error


def _inside(name: str) -> str:
    """Return a path relative to the store; ValueError where it leads out of it, since it is to be removed."""
    if not PurePosixPath(name).parts or name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise ValueError(name)
    return name


def unfinished(layout: Layout) -> StoreError:
    """Return the error of a store in which a forgetting goes on or was cut off."""
    return StoreError(
        f"no forgetting under way in {layout.root}",
        "a forget is unfinished",
        "wait until it ends; if it was cut off, run 'phonanchor store forget' again",
    )


def check_finished(layout: Layout) -> None:
    """Raise `StoreError` where a forgetting goes on or was cut off."""
    if layout.journal.exists():
        raise unfinished(layout)
