"""What a forgetting changes: the utterances, tables, row blocks and snapshots concerned; reads only."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from store.catalogue import Store
from store.digests import Json
from store.entries import Commit, IndexRow
from store.layout import plain_name
from store.receipts import ReceiptRow, receipts
from store.records import Alignment, Skipped, Utterance
from store.snapshots import Indexes, indexed_id, read_index, read_parts
from store.tables import read_records
from store.tombstones import SPEAKER, Tombstones

Cell = tuple[str, str]
"""A (spec digest, corpus)."""


def _unknown(_: str) -> str | None:
    return None


def _same(model: bytes, _: Callable[[str], bool]) -> bytes:
    return model


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the store cannot tell from its own files.

    ``speaker_of`` gives the speaker key of an utterance id that no manifest lists, or None;
    ``without_speakers`` a trained aligner model without the entries of the speakers (keys) to be dropped.
    """

    speaker_of: Callable[[str], str | None] = _unknown
    without_speakers: Callable[[bytes, Callable[[str], bool]], bytes] = _same


@dataclass(frozen=True, slots=True)
class Table:
    """The two files of a manifest or of alignments, by digest; either may be missing after a kill."""

    digest: str
    rows: tuple[Utterance, ...] | tuple[Alignment, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """All tables of a store, the speaker keys of every utterance they name, and which are forgotten."""

    manifests: tuple[Table, ...]
    alignments: tuple[Table, ...]
    speakers: Mapping[str, frozenset[str]]
    gone: frozenset[str]

    @property
    def utterances(self) -> Iterator[Utterance]:
        """The utterances of all manifests; one may come several times."""
        return (row for table in self.manifests for row in table.rows if isinstance(row, Utterance))

    @property
    def corpora(self) -> frozenset[str]:
        """The corpora of the forgotten utterances."""
        return frozenset(name.split("/", 1)[0] for name in self.gone)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetPlan:
    """What is to be done, by snapshot and by (spec digest, corpus).

    ``indexes`` are those of each snapshot without the forgotten rows, by old id; ``renewed`` gives its new
    id; ``survivors`` are the row blocks of others in work items that hold rows nobody may need any more, one
    tuple for each such item; ``blocks`` and ``shared`` count as in `store.forgotten.Forgotten`.
    """

    survey: Survey
    commits: tuple[Commit, ...]
    indexes: dict[str, Indexes] = field(default_factory=dict)
    renewed: dict[str, str] = field(default_factory=dict)
    survivors: dict[Cell, tuple[tuple[ReceiptRow, ...], ...]] = field(default_factory=dict)
    blocks: int = 0
    shared: int = 0


def survey(store: Store, tombstones: Tombstones, knowledge: Knowledge) -> Survey:
    """Read all tables of a store and find in them what the tombstones name.

    Raises
    ------
    StoreError
        If a table is damaged.
    """
    manifests = tuple(_tables(store.layout.manifests, Utterance, "skipped"))
    alignments = tuple(_tables(store.layout.alignment_tables, Alignment, "unaligned"))
    speakers: dict[str, set[str]] = {}
    for table in manifests:
        for row in table.rows:
            if isinstance(row, Utterance):
                speakers.setdefault(row.id, set()).add(row.speaker_key)
    for name in set(_names((*manifests, *alignments))) - speakers.keys():
        key = knowledge.speaker_of(name)
        speakers[name] = {key} if key is not None else set()
    gone = {
        name
        for name, keys in speakers.items()
        if tombstones.names(name) or any(tombstones.holds(SPEAKER, key) for key in keys)
    }
    everybody = {name: frozenset(keys) for name, keys in speakers.items()}
    return Survey(manifests, alignments, everybody, frozenset(gone))


def plan_forget(store: Store, found: Survey) -> ForgetPlan:
    """Return what forgetting the ``gone`` utterances of a survey changes.

    Raises
    ------
    StoreError
        If a snapshot, an index or a receipt is damaged, so that what others need cannot be known.
    """
    commits = store.commits()
    old = {commit.snapshot: _indexes(store, commit.snapshot) for commit in commits}
    new = {name: _without(indexes, found.gone) for name, indexes in old.items()}
    needed = _placed(new.values())
    before = _placed(old.values())
    concerned = {
        (cell, row.row_key)
        for indexes in old.values()
        for cell, rows in indexes.items()
        for row in rows
        if row.utterance in found.gone
    }
    kept = {(cell, key) for cell, places in needed.items() for key, _ in places}
    return ForgetPlan(
        survey=found,
        commits=commits,
        indexes=new,
        renewed={name: indexed_id(indexes) for name, indexes in new.items()},
        survivors={cell: _survivors(store, cell, needed) for cell in _cells(store, found.corpora)},
        blocks=sum(len(places - needed.get(cell, set())) for cell, places in before.items()),
        shared=len(concerned & kept),
    )


def redacted(commit: Commit, snapshot: str, indexes: Indexes, tables: dict[str, str]) -> Commit:
    """Return a commit with its new snapshot and tables; ``tables`` gives new digests by the old ones."""
    return replace(
        commit,
        snapshot=snapshot,
        manifest=tables.get(commit.manifest, commit.manifest),
        alignments=tuple(sorted(tables.get(name, name) for name in commit.alignments)),
        specs=tuple(sorted({spec for spec, _ in indexes})),
        lineage={key: _renamed(value, tables) for key, value in commit.lineage.items()},
    )


def lone_speakers(found: Survey, tombstones: Tombstones) -> Callable[[str], bool]:
    """Return what says whether nothing of a speaker (key) is left, or may be left."""
    left = {key for name, keys in found.speakers.items() if name not in found.gone for key in keys}
    gone = {key for name in found.gone for key in found.speakers[name]} - left
    return lambda key: key in gone or tombstones.holds(SPEAKER, key)


def _renamed(value: Json, names: Mapping[str, str]) -> Json:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, Mapping):
        return {key: _renamed(item, names) for key, item in value.items()}
    return [_renamed(item, names) for item in value] if isinstance(value, Sequence) else value


def _tables(folder: Path, kind: type[Any], second: str) -> Iterator[Table]:
    for name in sorted({path.name.split(".", 1)[0] for path in folder.glob("[0-9a-f]*.parquet")}):
        first, other = folder / f"{name}.parquet", folder / f"{name}.{second}.parquet"
        rows = read_records(first, kind) if first.exists() else ()
        yield Table(name, rows, read_records(other, Skipped) if other.exists() else ())


def _names(tables: Iterable[Table]) -> Iterator[str]:
    for table in tables:
        yield from (row.utterance for row in table.rows if isinstance(row, Alignment))
        yield from (row.utterance for row in table.skipped)


def _indexes(store: Store, snapshot: str) -> Indexes:
    parts = read_parts(store.layout, snapshot)
    return {(part.spec, part.corpus): read_index(store.layout, snapshot, part) for part in parts}


def _without(indexes: Indexes, gone: Collection[str]) -> Indexes:
    """Return indexes without some utterances; what has no row left is no part of a snapshot."""
    left = {cell: tuple(row for row in rows if row.utterance not in gone) for cell, rows in indexes.items()}
    return {cell: rows for cell, rows in left.items() if rows or not indexes[cell]}


def _placed(several: Iterable[Indexes]) -> dict[Cell, set[tuple[str, int]]]:
    """Return the row blocks, as (row key, start), that any of these indexes lists."""
    places: dict[Cell, set[tuple[str, int]]] = {}
    for indexes in several:
        for cell, rows in indexes.items():
            places.setdefault(cell, set()).update((row.row_key, row.start) for row in rows)
    return places


def _cells(store: Store, corpora: Collection[str]) -> list[Cell]:
    """Return each (spec digest, corpus) of some corpora that has receipts."""
    folders = sorted(store.layout.all_receipts.glob("[0-9a-f]*/[!.]*"))
    cells = [(path.parent.name, plain_name(path.name)) for path in folders]
    return [cell for cell in cells if cell[1] in corpora]


def _survivors(
    store: Store, cell: Cell, needed: dict[Cell, set[tuple[str, int]]]
) -> tuple[tuple[ReceiptRow, ...], ...]:
    """Return the needed row blocks of each work item that holds others too.

    A block that no snapshot lists, as after a killed build, goes as well: its key does not say whose it is.
    """
    places = needed.get(cell, set())
    items: list[tuple[ReceiptRow, ...]] = []
    for receipt in receipts(store.layout, *cell):
        stay = tuple(row for row in receipt.rows if (row.row_key, row.start) in places)
        if stay and len(stay) < len(receipt.rows):
            items.append(stay)
    return tuple(items)


def moved(rows: Sequence[IndexRow], places: dict[tuple[str, int], int]) -> tuple[IndexRow, ...]:
    """Return index rows at their new starts, which ``places`` gives by (row key, old start)."""
    return tuple(replace(row, start=places.get((row.row_key, row.start), row.start)) for row in rows)
