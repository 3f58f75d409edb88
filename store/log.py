"""The commit log of a store: numbered entries, HEAD, and tags."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from store.atomic import exclusive_lock, file_digest, unwritable
from store.digests import Json, short
from store.documents import MOST, create_document, fitting, read_document, write_document
from store.entries import Commit
from store.errors import StoreError
from store.forgotten import renewed_snapshots
from store.layout import Layout, plain_name
from store.objects import ObjectPath

SHORTEST_PREFIX = 4


class Log:
    """Reads and extends the log; an entry counts once HEAD says so."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def head_number(self) -> int:
        """Return the number of the newest commit, 0 where there is none; StoreError if HEAD is damaged.

        On an object store the entry itself is the commit, since it is made by one conditional put, and HEAD
        may lie behind: a writer that lost its lock may have moved it last.
        """
        number = self._named_by_head()
        if isinstance(self.layout.root, ObjectPath):
            entries = self.layout.commit(1).parent.glob("[0-9]*.json")
            return max([number, *(int(path.stem) for path in entries)])
        return number

    def _named_by_head(self) -> int:
        path = self.layout.head
        if not path.exists():
            if self._orphans():
                raise StoreError(f"HEAD in {path.parent}", "commits, and no HEAD", "run 'store repair'")
            return 0
        number = read_document(path).get("number")
        if type(number) is not int or not 1 <= number <= MOST:
            raise StoreError(f"the number of a commit in {path}", f"{number!r:.80}", "run 'store repair'")
        return number

    def _orphans(self) -> bool:
        """Say whether there is a history without HEAD; a first entry alone is a commit broken off."""
        return any(int(path.stem) > 1 for path in self.layout.commit(1).parent.glob("[0-9]*.json"))

    def check_head(self) -> None:
        """Raise `StoreError` where the only commit has no HEAD: it was broken off, or HEAD was lost."""
        if self.head_number() == 0 and self.layout.commit(1).exists():
            raise StoreError(
                f"HEAD in {self.layout.root}", "one commit, and no HEAD", "run 'store repair', or build again"
            )

    def entry(self, number: int) -> Commit:
        """Return one entry; StoreError if it is missing or damaged."""
        path = self.layout.commit(number)
        content = read_document(path)
        try:
            commit = fitting(Commit, content)
        except (KeyError, TypeError) as error:
            raise StoreError(f"a commit in {path}", "another document", "restore it") from error
        if commit.number != number:
            raise StoreError(f"commit {number} in {path}", f"commit {commit.number}", "restore it")
        return commit

    def changed_tables(self, commit: Commit) -> list[Path]:
        """Return the manifest and alignment files of a commit whose bytes are not those committed."""
        files = read_document(self.layout.commit(commit.number)).get("files")
        files = files if isinstance(files, dict) else {}
        return [path for path in self._tables(commit) if file_digest(path) != files.get(self._relative(path))]

    def _tables(self, commit: Commit) -> list[Path]:
        pairs = [(self.layout.alignments(name), self.layout.unaligned(name)) for name in commit.alignments]
        manifest = self.layout.manifest(commit.manifest), self.layout.manifest_skipped(commit.manifest)
        return [path for pair in (manifest, *pairs) for path in pair]

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.layout.root).as_posix()

    def commits(self) -> tuple[Commit, ...]:
        """Return all commits that were not removed, oldest first."""
        gone = self.collected()
        return tuple(self.entry(number) for number in range(1, self.head_number() + 1) if number not in gone)

    def collected(self) -> dict[int, str]:
        """Return the snapshot ids of the commits that were removed, by number."""
        path = self.layout.collected
        if not path.exists():
            return {}
        try:
            return {int(number): str(name) for number, name in read_document(path)["commits"]}
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"the removed commits in {path}", "another document", "restore it") from error

    def mark_collected(self, commits: Iterable[Commit]) -> None:
        """Take commits out of the log in one step; their files may go afterwards."""
        gone = {**self.collected(), **{commit.number: commit.snapshot for commit in commits}}
        write_document(
            self.layout.collected, {"commits": [[number, gone[number]] for number in sorted(gone)]}
        )

    def head(self) -> Commit | None:
        """Return the newest commit."""
        number = self.head_number()
        return self.entry(number) if number else None

    def append(
        self,
        snapshot: str,
        manifest: str,
        alignments: Sequence[str],
        specs: Sequence[str],
        lineage: Mapping[str, Json],
    ) -> Commit:
        """Write the next entry, then move HEAD to it: the one step that makes it visible.

        Raises
        ------
        StoreError
            If it cannot be written, or, on an object store, another writer made that entry meanwhile.
        """
        commit = Commit(
            snapshot=snapshot,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            manifest=manifest,
            alignments=tuple(alignments),
            specs=tuple(specs),
            lineage=dict(lineage),
            number=self.head_number() + 1,
        )
        if not create_document(self.layout.commit(commit.number), self.document(commit)):
            raise StoreError(
                f"no commit {commit.number} in {self.layout.root} yet",
                "that of another writer, which was faster",
                "build again: it goes on from there, and finished work items are kept",
            )
        write_document(self.layout.head, {"number": commit.number, "snapshot": snapshot})
        return commit

    def document(self, commit: Commit) -> dict[str, Json]:
        """Return an entry as it is written: the commit, and the digests of the files of its tables."""
        files = {self._relative(path): file_digest(path) for path in self._tables(commit)}
        return {**_as_json(commit), "files": files}

    def resolve(self, ref: str | None) -> Commit:
        """Return the commit that ``ref`` names; see `Store.resolve`."""
        if ref is None:
            head = self.head()
            if head is None:
                raise StoreError(f"a snapshot in {self.layout.root}", "none", "build the features first")
            return head
        tagged, name = self.tagged(), unicodedata.normalize("NFC", ref)
        if name in tagged:
            return self.entry(tagged[name])
        by_snapshot = {commit.snapshot: commit for commit in self.commits()}  # the newest of each wins
        found = [name for name in by_snapshot if len(ref) >= SHORTEST_PREFIX and name.startswith(ref)]
        if len(found) == 1:
            return by_snapshot[found[0]]
        if not found and len(ref) >= SHORTEST_PREFIX:
            self._refuse_forgotten(ref)
        raise self._unresolved(ref, len(found), list(by_snapshot), sorted(tagged))

    def _refuse_forgotten(self, ref: str) -> None:
        """Raise where ``ref`` is the id of a snapshot that `store.forget` replaced, naming the new one."""
        renewed = renewed_snapshots(self.layout)
        named = {new for old, new in renewed.items() if old.startswith(ref)}
        if named:
            news = ", ".join(short(new) for new in sorted(named))
            raise StoreError(
                f"a snapshot {ref[:80]}", f"forgotten, see {news}", f"name {news} or a tag instead"
            )

    def _unresolved(self, ref: str, count: int, snapshots: Sequence[str], tags: Sequence[str]) -> StoreError:
        gone = [name for name in self.collected().values() if len(ref) >= SHORTEST_PREFIX]
        why = " (removed by garbage collection)" if any(name.startswith(ref) for name in gone) else ""
        newest = ", ".join(short(name) for name in snapshots[:-11:-1]) or "none"
        return StoreError(
            f"a tag, or {SHORTEST_PREFIX} or more leading digits of one snapshot",
            f"{ref[:80]!r}{why}, which fits {count}; snapshots (newest first): {newest};"
            f" tags: {', '.join(tags) or 'none'}",
            "name one of these",
        )

    def tag(self, name: str, ref: str | None) -> None:
        """Point a tag at a commit; see `Store.tag`."""
        if re.fullmatch("[0-9a-f]{12,64}", name):
            raise StoreError("a tag that cannot be taken for a snapshot id", name, "choose another name")
        path = self.layout.tag(name)
        with exclusive_lock(self.layout.tags_lock) as held:
            commit = self.resolve(ref)
            held()
            write_document(path, {"snapshot": commit.snapshot, "number": commit.number})

    def untag(self, name: str) -> None:
        """Remove a tag."""
        path = self.layout.tag(name)
        try:
            with exclusive_lock(self.layout.tags_lock):
                path.unlink()
        except FileNotFoundError as error:
            there = ", ".join(sorted(self.tagged())) or "none"
            raise StoreError(f"a tag {name}", f"tags: {there}", "name one of these") from error
        except OSError as error:
            raise unwritable(path, error) from error

    def tags(self) -> dict[str, str]:
        """Return the snapshot id of each tag, by name."""
        return {name: self.entry(number).snapshot for name, number in self.tagged().items()}

    def tags_of(self, commit: Commit) -> tuple[str, ...]:
        """Return the tags that name exactly this commit, by name."""
        return tuple(sorted(name for name, number in self.tagged().items() if number == commit.number))

    def tagged(self) -> dict[str, int]:
        """Return the number of the commit of each tag, by name."""
        paths = sorted(self.layout.tags.glob("[!.]*.json"))
        return {plain_name(path.stem): _tagged(path) for path in paths}


def _tagged(path: Path) -> int:
    number = read_document(path).get("number")
    if type(number) is not int or not 1 <= number <= MOST:
        raise StoreError(f"the number of a commit in {path}", f"{number!r:.80}", "run 'store repair'")
    return number


def _as_json(commit: Commit) -> dict[str, Json]:
    return {
        "snapshot": commit.snapshot,
        "created": commit.created,
        "manifest": commit.manifest,
        "alignments": list(commit.alignments),
        "specs": list(commit.specs),
        "lineage": commit.lineage,
        "number": commit.number,
    }
