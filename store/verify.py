"""Re-reads all of a snapshot and lists what is damaged, in which file, and whose rows."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from store.atomic import file_digest
from store.catalogue import Store, pair_digest
from store.entries import Commit, IndexRow, Problem
from store.errors import StoreError
from store.layout import index_path
from store.records import Alignment, Skipped, Utterance
from store.snapshots import DESCRIPTION, Part, indexed_id, read_parts
from store.specs import load_spec
from store.tables import read_records
from store.verify_values import verify_values

__all__ = ["Problem", "Progress", "verify"]

Progress = Callable[[int, int], None]
"""Called with the number of row blocks checked so far and of all."""


def verify(store: Store, ref: str | None = None, progress: Progress | None = None) -> tuple[Problem, ...]:
    """Check one snapshot (the newest for None) from its tables down to every stored value.

    Values are read with zarr-python's codec pipeline, which checks the CRC-32C of each chunk, and compared
    with the checksums of the index; presence, sizes, row counts, digests and the snapshot id are checked too.

    Raises
    ------
    StoreError
        If there is no such snapshot.
    """
    return tuple(_Verifier(store, store.resolve(ref), progress).problems())


class _Verifier:
    """The checks of one commit."""

    def __init__(self, store: Store, commit: Commit, progress: Progress | None) -> None:
        self.store, self.commit, self.progress = store, commit, progress
        self.folder = store.layout.snapshot(commit.snapshot)
        self.members: dict[str, set[str]] = {}
        self.blocks = 0
        self.done = 0

    def problems(self) -> Iterator[Problem]:
        tables = [*self._manifest(), *self._alignments()]
        yield from tables
        yield from self._bytes(tables)
        try:
            parts = read_parts(self.store.layout, self.commit.snapshot)
        except StoreError as error:
            yield self._problem(error.found, self.folder / DESCRIPTION, self._everyone())
            return
        indexes: dict[Part, tuple[IndexRow, ...]] = {}
        for part in parts:
            yield from self._index(part, indexes)
        yield from self._identity(parts, indexes)
        self.blocks = sum(map(len, indexes.values()))
        for part, rows in indexes.items():
            yield from self._values(part, rows)

    def _problem(self, what: str, path: Path, utterances: Iterable[str]) -> Problem:
        where = path.relative_to(self.store.layout.root).as_posix()
        return Problem(what=what, where=where, utterances=tuple(sorted(utterances)))

    def _everyone(self) -> set[str]:
        return set().union(*self.members.values())

    def _manifest(self) -> Iterator[Problem]:
        path = self.store.layout.manifest(self.commit.manifest)
        try:
            utterances = self.store.manifest(self.commit.manifest)
            for item in utterances:
                self.members.setdefault(item.corpus, set()).add(item.id)
            skipped = self.store.skipped(self.commit.manifest)
        except StoreError as error:
            yield self._problem(f"manifest: {error.found}", path, self._everyone())
            return
        if pair_digest((utterances, Utterance), (skipped, Skipped)) != self.commit.manifest:
            yield self._problem("the manifest has another content than its digest", path, self._everyone())

    def _bytes(self, told: Iterable[Problem]) -> Iterator[Problem]:
        """Yield tables whose content is right as far as it was read, but not their bytes."""
        known = {problem.where for problem in told}
        for path in self.store.log.changed_tables(self.commit):
            problem = self._problem("the table has other bytes than were committed", path, self._everyone())
            if problem.where not in known:
                yield problem

    def _alignments(self) -> Iterator[Problem]:
        covered: set[str] = set()
        broken: list[tuple[str, Path]] = []
        for name in self.commit.alignments:
            path = self.store.layout.alignments(name)
            try:
                aligned, unaligned = self.store.alignments(name), self.store.unaligned(name)
            except StoreError as error:
                broken.append((f"alignments: {error.found}", path))
                continue
            covered |= {item.utterance for item in aligned} | {item.utterance for item in unaligned}
            if pair_digest((aligned, Alignment), (unaligned, Skipped)) != name:
                affected = {item.utterance for item in aligned}
                yield self._problem("the alignments have another content than their digest", path, affected)
        for what, path in broken:
            yield self._problem(what, path, self._everyone() - covered)

    def _index(self, part: Part, indexes: dict[Part, tuple[IndexRow, ...]]) -> Iterator[Problem]:
        """Read one index into ``indexes``, unless it is damaged."""
        path = index_path(self.folder, part.spec, part.corpus)
        members = self.members.get(part.corpus, set())
        if file_digest(path) != part.index:
            yield self._problem("the index has another checksum than was committed", path, members)
            return
        try:
            rows = read_records(path, IndexRow)
        except StoreError as error:
            yield self._problem(f"index: {error.found}", path, members)
            return
        indexes[part] = rows
        if (len(rows), sum(row.length for row in rows)) != (part.utterances, part.rows):
            yield self._problem("the index has another number of rows than was committed", path, members)
        strangers = {row.utterance for row in rows} - members
        if strangers and self.members:
            yield self._problem("the index names utterances that the manifest lacks", path, strangers)

    def _identity(
        self, parts: Iterable[Part], indexes: dict[Part, tuple[IndexRow, ...]]
    ) -> Iterator[Problem]:
        """Recompute the snapshot id, which takes all indexes."""
        parts = tuple(parts)
        if tuple(sorted({part.spec for part in parts})) != self.commit.specs:
            yield self._problem("other features than the log lists", self.folder / DESCRIPTION, ())
        if len(indexes) < len(parts):
            return
        found = indexed_id({(part.spec, part.corpus): rows for part, rows in indexes.items()})
        if found != self.commit.snapshot:
            what = f"the content has snapshot id {found[:12]}"
            yield self._problem(what, self.folder, self._everyone())

    def _values(self, part: Part, rows: tuple[IndexRow, ...]) -> Iterator[Problem]:
        try:
            spec = load_spec(self.store.layout, part.spec)
        except StoreError as error:
            names = {row.utterance for row in rows}
            yield self._problem(f"feature spec: {error.found}", self.store.layout.spec(part.spec), names)
            return
        yield from verify_values(self.store.layout, spec, part, rows, self._count)

    def _count(self, blocks: int) -> None:
        self.done += blocks
        if self.progress is not None:
            self.progress(self.done, self.blocks)
