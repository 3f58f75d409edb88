"""The first half of a forgetting: writes everything without the forgotten, beside what is there."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from store.arrays import checksums
from store.atomic import write_bytes
from store.catalogue import Placement, Store, put_pair, read_placed, skipped_order, write_item
from store.digests import Json
from store.documents import read_document, write_document
from store.entries import Commit
from store.errors import StoreError
from store.forget_journal import Journal
from store.forget_plan import Cell, ForgetPlan, Knowledge, Table, lone_speakers, moved, redacted
from store.forgotten import Forgotten, write_receipt
from store.layout import Layout
from store.receipts import ReceiptRow
from store.records import Alignment, FeatureSpec, Skipped, Utterance
from store.snapshots import Indexes, write_snapshot
from store.specs import load_spec
from store.tombstones import Tombstones, read_tombstones, write_tombstones
from store.writer import StoreWriter

Places = dict[tuple[str, int], int]
"""New starts of row blocks, by (row key, old start)."""


def prepare(
    store: Store, writer: StoreWriter, journal: Journal, plan: ForgetPlan, knowledge: Knowledge
) -> tuple[str, ...]:
    """Write new shards, tables and models, and into the staging folder all that is to replace something.

    Returns
    -------
    The paths (relative to the store) of the tables and models that are to go.

    Raises
    ------
    StoreError
        If rows that stay are damaged, or something cannot be written.
    """
    step = _Preparation(store, writer, journal, plan)
    places = {cell: step.rewrite(cell) for cell in plan.survivors}
    tables = step.tables()
    models = step.models(knowledge)
    step.snapshots(places)
    step.pointers(store.layout.alignment_tables, tables)
    step.pointers(store.layout.models, models)
    changed = step.commits(tables)
    step.records(changed, len(models))
    return tuple(step.removals)


class _Preparation:
    """The steps, and what may go after them."""

    def __init__(self, store: Store, writer: StoreWriter, journal: Journal, plan: ForgetPlan) -> None:
        self.writer = writer
        self.store, self.layout, self.journal, self.plan = store, store.layout, journal, plan
        self.staged = Layout(store.layout.staging)
        self.stones: Tombstones = journal.tombstones
        self.removals: list[str] = []
        self.rewritten = 0

    def rewrite(self, cell: Cell) -> Places:
        """Copy the surviving row blocks of each work item concerned to a work item of their own."""
        spec, corpus = load_spec(self.layout, cell[0]), cell[1]
        items = self.plan.survivors[cell]
        starts = self.writer.reserve(spec, corpus, [sum(row.length for row in item) for item in items])
        places: Places = {}
        for start, item in zip(starts, items, strict=True):
            blocks = [(row.row_key, self._read(spec, corpus, row)) for row in item]
            write_item(self.store.path, spec, corpus, start, blocks)
            position = start
            for row in item:
                places[row.row_key, row.start] = position
                position += row.length
            self.rewritten += len(item)
        return places

    def _read(self, spec: FeatureSpec, corpus: str, row: ReceiptRow) -> Any:
        place = Placement(
            spec=spec.digest,
            corpus=corpus,
            utterance="",
            row_key=row.row_key,
            start=row.start,
            length=row.length,
        )
        values = read_placed(self.store.path, spec, corpus, place)
        if checksums(values, len(spec.dims) == 2) != row.crc:
            raise StoreError(
                f"whole rows of {spec.name} in {corpus}, to be kept",
                "other values than were committed",
                "run 'phonanchor store repair', build again, then forget",
            )
        return values

    def tables(self) -> dict[str, str]:
        """Write manifests and alignments anew where they change; return the new digests by the old ones."""
        used = {commit.manifest for commit in self.plan.commits}
        pointed = {_target(path) for path in _pointers(self.layout.alignment_tables)}
        aligned = pointed | {name for commit in self.plan.commits for name in commit.alignments}
        survey, layout = self.plan.survey, self.layout
        renewed: dict[str, str] = {}
        for table in survey.manifests:
            if self._concerns(table):
                if table.digest in used:
                    renewed[table.digest] = self._new_manifest(table)
                self._drop(layout.manifest(table.digest), layout.manifest_skipped(table.digest))
        for table in survey.alignments:
            if self._concerns(table):
                if table.digest in aligned:
                    renewed[table.digest] = self._new_alignments(table)
                self._drop(layout.alignments(table.digest), layout.unaligned(table.digest))
        return renewed

    def _concerns(self, table: Table) -> bool:
        gone = self.plan.survey.gone
        names = (row.id if isinstance(row, Utterance) else row.utterance for row in table.rows)
        return any(name in gone for name in names) or any(row.utterance in gone for row in table.skipped)

    def _new_manifest(self, table: Table) -> str:
        gone = self.plan.survey.gone
        stay = [row for row in table.rows if isinstance(row, Utterance) and row.id not in gone]
        left = {row.id for row in table.rows if isinstance(row, Utterance)} & gone
        left |= {row.utterance for row in table.skipped} & gone
        rows = [row for row in table.skipped if row.utterance not in gone]
        rows += [self.stones.row(name) for name in left]
        first, second = (stay, Utterance), (sorted(rows, key=skipped_order), Skipped)
        return put_pair(first, second, self.layout.manifest, self.layout.manifest_skipped)

    def _new_alignments(self, table: Table) -> str:
        gone = self.plan.survey.gone
        stay = [row for row in table.rows if isinstance(row, Alignment) and row.utterance not in gone]
        rows = [row for row in table.skipped if row.utterance not in gone]
        first, second = (stay, Alignment), (rows, Skipped)
        return put_pair(first, second, self.layout.alignments, self.layout.unaligned)

    def models(self, knowledge: Knowledge) -> dict[str, str]:
        """Write the models that know a speaker who is gone anew; return the new digests by the old ones."""
        drop = lone_speakers(self.plan.survey, self.stones)
        renewed: dict[str, str] = {}
        for path in sorted(self.layout.models.glob("[0-9a-f]*.bin")):
            data = path.read_bytes()
            new = knowledge.without_speakers(data, drop)
            if new != data:
                renewed[path.stem] = sha256(new).hexdigest()
                write_bytes(self.layout.model(renewed[path.stem]), new)
                self._drop(path)
        return renewed

    def snapshots(self, places: dict[Cell, Places]) -> None:
        """Stage each snapshot that has another id, or rows at other places."""
        indexes: dict[str, Indexes] = {}
        for old in sorted(self.plan.indexes, key=lambda name: self.plan.renewed[name] != name):
            new = {cell: moved(rows, places.get(cell, {})) for cell, rows in self.plan.indexes[old].items()}
            name = self.plan.renewed[old]
            if name in indexes:
                continue  # the same content as another snapshot
            indexes[name] = new
            if name != old or new != self.plan.indexes[old]:
                write_snapshot(self.layout, name, new, final=self.staged.snapshot(name))

    def pointers(self, folder: Path, renewed: dict[str, str]) -> None:
        """Stage the pointers to what was written anew."""
        for path in _pointers(folder):
            if _target(path) in renewed:
                staged = self.staged.root / path.relative_to(self.layout.root)
                write_document(staged, {"latest": renewed[_target(path)]})

    def commits(self, tables: dict[str, str]) -> list[Commit]:
        """Stage the log entries that change, with HEAD and tags; return them."""
        changed = []
        for commit in self.plan.commits:
            new = redacted(
                commit, self.plan.renewed[commit.snapshot], self.plan.indexes[commit.snapshot], tables
            )
            if new != commit:
                changed.append(new)
                write_document(self.staged.commit(new.number), self.store.log.document(new))
        numbers = {commit.number: commit for commit in changed}
        for tag, number in self.store.log.tagged().items():
            if number in numbers:
                content: dict[str, Json] = {"snapshot": numbers[number].snapshot, "number": number}
                write_document(self.staged.tag(tag), content)
        head = numbers.get(self.store.log.head_number())
        if head is not None:
            write_document(self.staged.head, {"number": head.number, "snapshot": head.snapshot})
        return changed

    def records(self, changed: list[Commit], models: int) -> None:
        """Stage the receipt and the tombstones."""
        renewed = {old: new for old, new in self.plan.renewed.items() if old != new}
        receipt = Forgotten(
            identifier=self.journal.identifier,
            when=self.journal.when,
            speakers=self.journal.speakers,
            utterances=len(self.plan.survey.gone),
            blocks=self.plan.blocks,
            shared=self.plan.shared,
            rewritten=self.rewritten,
            models=models,
            bytes=0,
            snapshots=renewed,
            commits=tuple(commit.number for commit in changed),
        )
        write_receipt(self.staged.forgotten, receipt)
        before = read_tombstones(self.layout)
        stones = (*before.stones, *self.stones.stones)
        write_tombstones(self.staged.tombstones, replace(self.stones, stones=stones))

    def _drop(self, *paths: Path) -> None:
        self.removals += [path.relative_to(self.layout.root).as_posix() for path in paths]


def _pointers(folder: Path) -> Iterator[Path]:
    return (path for path in sorted((folder / "latest").rglob("[!.]*.json")) if path.is_file())


def _target(pointer: Path) -> str:
    return str(read_document(pointer).get("latest"))
