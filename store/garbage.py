"""Garbage collection: removes what no tag and no kept commit needs, so that it may be cut off anywhere."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from store.atomic import TEMPORARY, exclusive_lock, remove_folder, unwritable
from store.catalogue import Store
from store.documents import read_document
from store.entries import Commit
from store.errors import ConfigurationError
from store.layout import plain_name
from store.needs import Needed, needed_by
from store.receipts import read_receipt
from store.specs import load_spec

STALE_SECONDS = 3600.0
"""Age after which a half-written file that no writer's lock protects counts as left behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One file or folder that may go: what it is, where, and its size in bytes."""

    kind: str
    path: Path
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """What nobody needs: commits that leave the log, and files in the order in which they may go."""

    kept: tuple[Commit, ...]
    dropped: tuple[Commit, ...]
    removals: tuple[Removal, ...]

    @property
    def bytes(self) -> int:
        """The size of everything that may go."""
        return sum(item.bytes for item in self.removals)


def find_garbage(store: Store, *, keep: int = 1) -> Garbage:
    """Return what no tag and none of the ``keep`` newest commits needs; nothing is changed.

    Raises
    ------
    ConfigurationError
        If ``keep`` is less than 1.
    StoreError
        If a kept snapshot, a receipt or the log is damaged, so that what is needed cannot be known.
    """
    if keep < 1:
        raise ConfigurationError("at least one newest commit to keep", str(keep), "pass 1 or more")
    store.log.check_head()  # else what its only commit needs would go
    commits = store.commits()
    named = set(store.log.tagged().values()) | {commit.number for commit in commits[-keep:]}
    kept = tuple(commit for commit in commits if commit.number in named)
    dropped = tuple(commit for commit in commits if commit.number not in named)
    gone = (*dropped, *_half_removed(store))
    search = _Search(store, kept, gone)
    return Garbage(kept=kept, dropped=dropped, removals=tuple(search.removals()))


def collect(store: Store, *, keep: int = 1) -> Garbage:
    """Remove what `find_garbage` finds, holding the writer's lock; return it.

    The dropped commits leave the log in one step before the first file goes, so that a kill anywhere leaves
    whole what is kept; the next collection removes the rest. A shard file goes whole or stays untouched.

    Raises
    ------
    ConfigurationError, StoreError
        As `find_garbage`; if a build runs; or if the store cannot be written.
    """
    with store.writer() as writer, exclusive_lock(store.layout.tags_lock):
        garbage = find_garbage(store, keep=keep)
        writer.held()
        if garbage.dropped:
            store.log.mark_collected(garbage.dropped)
        for item in garbage.removals:
            writer.held()
            remove(item.path)
        remove_empty_folders((store.layout.arrays, store.layout.all_receipts))
    return garbage


def remove(path: Path) -> None:
    """Remove one file or folder, a folder in one step; what is gone already is passed over.

    Raises
    ------
    StoreError
        If it cannot be removed.
    """
    if path.is_dir():
        remove_folder(path)
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def remove_empty_folders(roots: Iterable[Path]) -> None:
    """Remove the empty folders below ``roots``, where only the holder of the writer's lock makes any."""
    for root in roots:
        for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
            if not any(folder.iterdir()):
                remove(folder)


def _half_removed(store: Store) -> tuple[Commit, ...]:
    """Return commits that a collection took out of the log before it was interrupted."""
    numbers = store.log.collected()
    return tuple(store.log.entry(number) for number in numbers if store.layout.commit(number).exists())


class _Search:
    """One search for what is not needed; a removal never precedes what still points to it."""

    def __init__(self, store: Store, kept: tuple[Commit, ...], gone: tuple[Commit, ...]) -> None:
        self.store, self.layout, self.kept, self.gone = store, store.layout, kept, gone
        self.needed = needed_by(store, kept)

    def removals(self) -> Iterator[Removal]:
        yield from self._temporaries()
        snapshots = {commit.snapshot for commit in self.kept}
        folders = sorted(self.layout.snapshots.glob("[0-9a-f]*"))
        yield from _all("snapshot", (path for path in folders if path.name not in snapshots))
        for spec, corpus in self._cells():
            yield from self._cell(spec, corpus)
        yield from self._tables()
        yield from self._models()
        specs = self._specs()
        paths = sorted(self.layout.specs.glob("[0-9a-f]*.json"))
        yield from _all("spec", (path for path in paths if path.stem not in specs))
        yield from _all("commit", (self.layout.commit(commit.number) for commit in self.gone))

    def _temporaries(self) -> Iterator[Removal]:
        """Yield what was cut off half-way; folders are made and removed only under the writer's lock."""
        found = sorted(self.layout.root.rglob(f"{TEMPORARY}*"))
        yield from _all("temporary", (path for path in found if path.is_dir() or _stale(path)))

    def _cells(self) -> list[tuple[str, str]]:
        """Return each (spec digest, corpus) that has an array or receipts."""
        roots = (self.layout.arrays, self.layout.all_receipts)
        folders = {path.relative_to(root) for root in roots for path in root.glob("[0-9a-f]*/[!.]*")}
        return sorted((path.parts[0], plain_name(path.parts[1])) for path in folders)

    def _cell(self, spec: str, corpus: str) -> Iterator[Removal]:
        needed = self.needed.get((spec, corpus))
        if needed is None:
            folders = (
                self.layout.array(spec, corpus).parent,
                self.layout.receipts(spec, corpus),
                self.layout.claims(spec, corpus),
            )
            yield from _all("array", (path for path in folders if path.exists()))
            return
        yield from self._items(spec, corpus, needed)

    def _items(self, spec: str, corpus: str, needed: Needed) -> Iterator[Removal]:
        """Yield the shards of items of which no row is needed, then their receipts."""
        array = self.layout.array(spec, corpus)
        stay, unneeded = set(needed.shards), []
        for path in sorted(self.layout.receipts(spec, corpus).glob("[0-9]*.json")):
            receipt = read_receipt(path)
            if any((row.row_key, row.start) in needed.rows for row in receipt.rows):
                stay.update(name for name, _ in receipt.shards)
            else:
                unneeded.append(path)
        files = sorted(path for path in (array / "c").rglob("*") if path.is_file())
        yield from _all("shard", (path for path in files if path.relative_to(array).as_posix() not in stay))
        yield from _all("receipt", unneeded)

    def _tables(self) -> Iterator[Removal]:
        """Yield manifests and alignments; newest alignments that no build has used yet stay."""
        manifests = {commit.manifest for commit in self.kept}
        old = {commit.manifest for commit in self.gone}
        yield from _all("manifest", _unnamed(self.layout.manifests, manifests, old))
        needed = {name for commit in self.kept for name in commit.alignments}
        used = {name for commit in self.gone for name in commit.alignments} - needed
        pointers = {path: _target(path) for path in _pointers(self.layout.alignment_tables)}
        yield from _all("pointer", (path for path, target in pointers.items() if target in used))
        stay = needed | (set(pointers.values()) - used)
        yield from _all("alignments", _unnamed(self.layout.alignment_tables, stay, used))

    def _models(self) -> Iterator[Removal]:
        """Yield models that are no longer the newest of their name; a fresh one may not be named yet."""
        stay = {_target(path) for path in _pointers(self.layout.models)}
        paths = sorted(self.layout.models.glob("[0-9a-f]*.bin"))
        yield from _all("model", (path for path in paths if path.stem not in stay and _stale(path)))

    def _specs(self) -> set[str]:
        """Return the specs of kept commits, with those that they are derived from."""
        waiting = [digest for commit in self.kept for digest in commit.specs]
        stay: set[str] = set()
        while waiting:
            digest = waiting.pop()
            if digest not in stay and self.layout.spec(digest).exists():
                stay.add(digest)
                waiting += [load_spec(self.layout, digest).parent or digest]
        return stay


def _pointers(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "latest").rglob("[!.]*.json") if path.is_file())


def _target(pointer: Path) -> str:
    return str(read_document(pointer).get("latest"))


def _unnamed(folder: Path, stay: set[str], used: set[str]) -> Iterator[Path]:
    """Yield the tables of pairs outside ``stay``, the one that vouches for both first.

    Tables are written without the writer's lock, before a commit names them: fresh ones that no removed
    commit ``used`` may be those of a build about to start.
    """
    for path in sorted(folder.glob("[0-9a-f]*.parquet")):
        name = path.name.split(".", 1)[0]
        if name not in stay and (name in used or _stale(path)):
            yield path


def _stale(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > STALE_SECONDS
    except FileNotFoundError:
        return False


def _all(kind: str, paths: Iterable[Path]) -> Iterator[Removal]:
    for path in paths:
        yield Removal(kind=kind, path=path, bytes=size_of(path))


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; 0 where there is none."""
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files if file.is_file())
