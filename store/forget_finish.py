"""The second half of a forgetting: moves what was staged into place and removes what is left of the old."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from store.atomic import TEMPORARY, remove_folder, sync, unwritable, write_bytes
from store.catalogue import Store
from store.forget_journal import Journal
from store.forgotten import Forgotten, read_receipts, write_receipt
from store.garbage import Removal, find_garbage, remove, remove_empty_folders, size_of
from store.layout import plain_name
from store.objects import ObjectPath
from store.snapshots import DESCRIPTION

FIRST = ("tombstones.json", "forgotten", "snapshots")
"""What moves first: nothing points to a snapshot before it is there."""
LAST = ("commits", "tags", "HEAD")


def finish(store: Store, journal: Journal) -> Forgotten:
    """Move and remove, in an order that may be cut off anywhere and done again; return the receipt.

    Raises
    ------
    StoreError
        If something cannot be moved or removed.
    """
    try:
        for staged in _staged(store.layout.staging):
            _move(staged, store.layout.root / staged.relative_to(store.layout.staging))
    except OSError as error:
        raise unwritable(store.layout.root, error) from error
    for name in journal.removals:
        remove(store.layout.root / name)
    for item in _unneeded(store, journal):
        remove(item.path)
    for path in sorted(store.layout.root.rglob(f"{TEMPORARY}*")):
        remove(path)  # whatever its age: a table cut off half-way may name the forgotten
    remove_empty_folders((store.layout.arrays, store.layout.all_receipts))
    receipt = _receipt(store, journal)
    remove(store.layout.journal)
    return receipt


def abandon(store: Store) -> None:
    """Give up before anything moved; the new shards stay as rows that nobody needs."""
    remove(store.layout.staging)
    remove(store.layout.journal)


def _staged(folder: Path) -> Iterator[Path]:
    """Yield what is to move, in order: whole folders of snapshots, single files of the rest."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    rest = sorted(set(names) - {*FIRST, *LAST})
    for name in (*FIRST, *rest, *LAST):
        path = folder / name
        if name == "snapshots":
            yield from sorted(path.glob("[0-9a-f]*"))
        elif path.is_file():
            yield path
        else:
            yield from (item for item in sorted(path.rglob("[!.]*")) if item.is_file())


def _move(staged: Path, final: Path) -> None:
    if isinstance(final, ObjectPath):
        _copy(staged, final)
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    if staged.is_dir():
        remove_folder(final)
        os.rename(staged, final)
    else:
        os.replace(staged, final)
    sync(final.parent)


def _copy(staged: Path, final: Path) -> None:
    """Put objects, which have no rename, in their places; the staged ones go when all are there."""
    if staged.is_dir():
        remove_folder(final)
        objects = [path for path in staged.rglob("*") if path.is_file()]
        for path in sorted(objects, key=lambda path: path.name == DESCRIPTION):  # it vouches for all
            write_bytes(final / path.relative_to(staged), path.read_bytes())
    else:
        write_bytes(final, staged.read_bytes())
    remove(staged)


def _unneeded(store: Store, journal: Journal) -> Iterator[Removal]:
    """Yield what no commit needs: snapshots, removed log entries, and rows of the corpora concerned."""
    for item in find_garbage(store, keep=max(1, len(store.commits()))).removals:
        parts = item.path.relative_to(store.layout.root).parts
        if item.kind in ("snapshot", "commit") or (
            item.kind in ("array", "receipt", "shard") and plain_name(parts[2]) in journal.corpora
        ):
            yield item


def _receipt(store: Store, journal: Journal) -> Forgotten:
    """Write the receipt again, with the bytes that are gone."""
    receipt = next(item for item in read_receipts(store.layout) if item.identifier == journal.identifier)
    smaller = journal.bytes_before - size_of(store.layout.root) + size_of(store.layout.journal)
    receipt = replace(receipt, bytes=smaller)
    write_receipt(store.layout.forgotten, receipt)
    return receipt
