"""Receipts of what was forgotten: counts, bytes, and which snapshot took the place of which; no names."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from store.documents import read_document, write_document
from store.errors import StoreError
from store.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """One finished forgetting.

    ``identifier`` names it and its tombstones; ``when`` is ISO 8601 in UTC. ``speakers`` and ``utterances``
    count what was asked for and what was found of it; ``blocks`` counts the row blocks that went, ``shared``
    those that stay because another utterance has the same audio, ``rewritten`` the row blocks of others that
    were moved to new shards, ``models`` the trained models from which a speaker's entry was taken. ``bytes``
    is how much smaller the store is. ``snapshots`` gives the new id of each old one, ``commits`` the numbers
    of the log entries that changed.
    """

    identifier: str
    when: str
    speakers: int
    utterances: int
    blocks: int
    shared: int
    rewritten: int
    models: int
    bytes: int
    snapshots: Mapping[str, str] = field(default_factory=dict)
    commits: tuple[int, ...] = ()


def write_receipt(folder: Path, receipt: Forgotten) -> None:
    """Write a receipt into ``folder``; StoreError if that is not possible."""
    content = {**asdict(receipt), "commits": list(receipt.commits), "snapshots": dict(receipt.snapshots)}
    write_document(folder / f"{receipt.identifier}.json", content)


def read_receipts(layout: Layout) -> tuple[Forgotten, ...]:
    """Return all receipts, oldest first.

    Raises
    ------
    StoreError
        If one is damaged.
    """
    found = [_receipt(path) for path in layout.forgotten.glob("[!.]*.json")]
    return tuple(sorted(found, key=lambda receipt: (receipt.when, receipt.identifier)))


def renewed_snapshots(layout: Layout) -> dict[str, str]:
    """Return the newest id of each snapshot that was rewritten, through however many forgettings."""
    renewed: dict[str, str] = {}
    for receipt in read_receipts(layout):
        chained = {old: receipt.snapshots.get(new, new) for old, new in renewed.items()}
        renewed = {**chained, **receipt.snapshots}
    return renewed


def _receipt(path: Path) -> Forgotten:
    content = read_document(path)
    try:
        return Forgotten(**{**content, "commits": tuple(content["commits"])})
    except (KeyError, TypeError) as error:
        raise StoreError(f"a receipt of a forgetting in {path}", "another document", "restore it") from error
