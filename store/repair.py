"""Drops what `verify` finds damaged, whole files only, so that the next build makes just that anew."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from store.arrays import geometry, restore_metadata
from store.catalogue import Store, StoreWriter
from store.documents import read_document
from store.entries import Commit, Problem
from store.errors import StoreError
from store.garbage import remove
from store.layout import plain_name
from store.receipts import forget_shards, read_receipt, receipts_end
from store.snapshots import DESCRIPTION, read_index, read_parts
from store.specs import load_spec
from store.verify import Progress, verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What a repair of one snapshot found and did.

    ``dropped`` and ``restored`` are paths relative to the store; ``lost`` names the utterances with rows that
    the next build of the same input computes again; ``remaining`` is what `verify` finds until then.
    """

    commit: Commit
    problems: tuple[Problem, ...]
    dropped: tuple[str, ...]
    restored: tuple[str, ...]
    lost: tuple[str, ...]
    remaining: tuple[Problem, ...]


def repair(store: Store, ref: str | None = None, progress: Progress | None = None) -> Repair:
    """Verify one snapshot (the newest for None) and drop what is damaged, holding the writer's lock.

    A damaged shard file goes whole, with its rows' entries in the receipt; damaged receipts, tables, specs
    and descriptions of snapshots go; an array's metadata are restored. What is missing then, the next build
    of the same input makes anew, and the snapshot keeps its id. Where all rows of the snapshot lie whole
    elsewhere, as in an older snapshot after that build, its index is renewed at once.

    Raises
    ------
    StoreError
        If there is no such snapshot, HEAD or the log is damaged, a build runs, or files cannot be changed.
    """
    commit = store.resolve(ref)
    with store.writer() as writer:
        mender = _Mender(store, commit)
        found = verify(store, commit.snapshot, progress)
        mender.mend_all(found)
        if mender.restored:  # only now can the values of those arrays be checked
            hidden = tuple(item for item in verify(store, commit.snapshot) if mender.restored_array(item))
            mender.mend_all(hidden)
            found += hidden
        lost = _relocated(writer, commit) if found else ()
        remaining = verify(store, commit.snapshot) if found else ()
    return Repair(
        commit=commit,
        problems=found,
        dropped=tuple(mender.dropped),
        restored=tuple(mender.restored),
        lost=lost,
        remaining=remaining,
    )


def _relocated(writer: StoreWriter, commit: Commit) -> tuple[str, ...]:
    """Renew the snapshot's index if all rows are there; return utterances whose rows are not."""
    try:
        return writer.relocate(commit.snapshot)
    except StoreError:
        return ()  # its description or an index is gone: the next build writes it, from rows that are there


class _Mender:
    """Drops and restores files, and keeps a list of them."""

    def __init__(self, store: Store, commit: Commit) -> None:
        self.store, self.layout, self.commit = store, store.layout, commit
        self.dropped: list[str] = []
        self.restored: list[str] = []

    def mend_all(self, problems: Iterable[Problem]) -> None:
        """Drop or restore what the problems are about."""
        for problem in problems:
            self._mend(problem)

    def restored_array(self, problem: Problem) -> bool:
        """Say whether a problem is about an array whose metadata were restored, or about its receipts."""
        cells = {tuple(path.split("/")[1:3]) for path in self.restored}
        return tuple(problem.where.split("/")[1:3]) in cells

    def _mend(self, problem: Problem) -> None:
        kind, *rest = problem.where.split("/")
        path = self.layout.root / problem.where
        if kind in ("manifests", "alignments"):
            self._pair(path)
        elif kind == "specs":
            self._drop(path)
        elif kind == "snapshots":
            self._drop(self.layout.snapshot(self.commit.snapshot) / DESCRIPTION)
        elif kind == "receipts":
            self._receipts(path, rest[0], plain_name(rest[1]))
        elif path.name == "zarr.json":
            self._metadata(rest[0], plain_name(rest[1]))
        elif kind == "arrays":
            self._shard(path, rest[0], plain_name(rest[1]), "/".join(rest[3:]))

    def _drop(self, path: Path) -> None:
        if path.exists():
            remove(path)
            self.dropped.append(path.relative_to(self.layout.root).as_posix())

    def _pair(self, path: Path) -> None:
        """Drop two tables that belong together, and before them what points to them."""
        name = path.name.split(".", 1)[0]
        for pointer in sorted((path.parent / "latest").rglob("[!.]*.json")):
            if read_document(pointer).get("latest") == name:
                self._drop(pointer)
        for table in sorted(path.parent.glob(f"{name}.*")):  # the one that vouches for both comes first
            self._drop(table)

    def _receipts(self, path: Path, spec: str, corpus: str) -> None:
        """Drop one damaged receipt, or all that say something else than the index."""
        if path.suffix == ".json":
            self._drop(path)
            return
        index = {
            (row.row_key, row.start): (row.length, row.crc)
            for part in read_parts(self.layout, self.commit.snapshot)
            if (part.spec, part.corpus) == (spec, corpus)
            for row in read_index(self.layout, self.commit.snapshot, part)
        }
        for file in sorted(path.glob("[0-9]*.json")):
            rows = read_receipt(file).rows
            if any(
                index.get((row.row_key, row.start), (row.length, row.crc)) != (row.length, row.crc)
                for row in rows
            ):
                self._drop(file)

    def _metadata(self, spec: str, corpus: str) -> None:
        """Write an array's metadata anew; where that gives others than were committed, drop the array."""
        feature, path = load_spec(self.layout, spec), self.layout.array(spec, corpus)
        (part,) = (
            part
            for part in read_parts(self.layout, self.commit.snapshot)
            if (part.spec, part.corpus) == (spec, corpus)
        )
        rows = read_index(self.layout, self.commit.snapshot, part)
        size = geometry(feature).shard[0]
        shards = [int(item.name) + 1 for item in path.glob("c/[0-9]*")]
        end = max(
            self._receipts_end(spec, corpus),
            max((row.start + row.length for row in rows), default=0),
            max(shards, default=0) * size,
        )
        if restore_metadata(path, feature, geometry(feature).padded(end), part.array):
            self.restored.append((path / "zarr.json").relative_to(self.layout.root).as_posix())
        else:
            self._drop(path)
            self._drop(self.layout.receipts(spec, corpus))

    def _receipts_end(self, spec: str, corpus: str) -> int:
        try:
            return receipts_end(self.layout, spec, corpus)
        except StoreError:
            return 0  # a damaged receipt, which the next round finds

    def _shard(self, path: Path, spec: str, corpus: str, name: str) -> None:
        self._drop(path)
        forget_shards(self.layout, load_spec(self.layout, spec), corpus, {name})
