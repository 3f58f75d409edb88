"""The one writer of a store: places rows, and commits a snapshot of those that are complete."""

from collections.abc import Iterable, Mapping, Sequence

from store.arrays import Geometry, create_array, geometry, grow_array, open_array
from store.claims import claim, claimed_end
from store.digests import Json
from store.entries import Commit, IndexRow, Placement, WantedRows
from store.errors import StoreError
from store.layout import Layout
from store.leases import Held
from store.log import Log
from store.receipts import ReceiptRow, ShardSizes, receipts, receipts_end
from store.records import FeatureSpec, Utterance
from store.snapshots import Part, read_index, read_parts, snapshot_id, write_snapshot
from store.specs import write_spec
from store.tables import read_records
from store.tombstones import read_tombstones

NAMED_MISSING = 5


class StoreWriter:
    """What only the holder of the writer's lock may do; made by `Store.writer`.

    ``held`` raises `StoreError` where the lock was lost, which happens on object stores alone.
    """

    def __init__(self, layout: Layout, log: Log, held: Held) -> None:
        self.layout = layout
        self.log = log
        self.held = held

    def placed(self, spec: FeatureSpec, corpus: str) -> dict[str, Placement]:
        """Return the rows that are complete, by row key: committed ones and those of interrupted builds.

        The spec of rows that are there is written again where it was lost.

        Raises
        ------
        StoreError
            If a receipt is damaged.
        """
        if self.layout.array(spec.digest, corpus).exists():
            write_spec(self.layout, spec)
        return {
            key: Placement(
                spec=spec.digest,
                corpus=corpus,
                utterance="",
                row_key=key,
                start=row.start,
                length=row.length,
            )
            for key, row in self._complete(spec.digest, corpus).items()
        }

    def _complete(self, spec: str, corpus: str) -> dict[str, ReceiptRow]:
        """Return the first place of each row key; rows whose shard files were lost are to be built anew."""
        rows: dict[str, ReceiptRow] = {}
        sizes = ShardSizes(self.layout, spec, corpus)
        for receipt in receipts(self.layout, spec, corpus):
            if sizes.intact(receipt):
                for row in receipt.rows:
                    rows.setdefault(row.row_key, row)
        return rows

    def reserve(self, spec: FeatureSpec, corpus: str, rows: Sequence[int]) -> tuple[int, ...]:
        """Return the start row of each work item of ``rows`` rows, behind all that exists.

        Each start is on a shard boundary, so that no two items share a shard. Places of an interrupted build
        are never given again: a worker that outlived it may still write there.

        Raises
        ------
        StoreError
            If the array cannot be created or resized.
        """
        cut = geometry(spec)
        path = self.layout.array(spec.digest, corpus)
        write_spec(self.layout, spec)
        if not (path / "zarr.json").exists():
            create_array(path, spec)
        while True:
            end = cut.padded(max(open_array(path).shape[0], *self._taken(spec, corpus)))
            starts, stop = _places(cut, end, rows)
            if not starts or claim(self.layout, spec.digest, corpus, end, stop):
                break
        while starts and open_array(path).shape[0] < max(stop, *self._taken(spec, corpus)):
            grow_array(path, max(stop, *self._taken(spec, corpus)))
        return starts

    def _taken(self, spec: FeatureSpec, corpus: str) -> tuple[int, int]:
        """Return the row behind the last receipt, and behind what writers claimed."""
        end = receipts_end(self.layout, spec.digest, corpus)
        return end, claimed_end(self.layout, spec.digest, corpus)

    def commit(
        self,
        *,
        manifest: str,
        alignments: Sequence[str] | Mapping[str, str],
        wanted: Sequence[WantedRows],
        lineage: Mapping[str, Json],
    ) -> Commit:
        """Make a snapshot of the wanted rows and add it to the log, in one step that readers see whole.

        ``manifest`` and ``alignments`` (digests, or digests by corpus) are in the store. The same content has
        the same snapshot id; where the newest commit has it already, with the same manifest and alignments,
        that commit is returned and nothing is written. A snapshot whose rows were lost and built anew keeps
        its id, and its index is renewed.

        Raises
        ------
        StoreError
            If rows are not complete, naming some; if an utterance has two rows of one spec; if the manifest
            or alignments are not in the store; or if it cannot be written.
        """
        tables = tuple(sorted(alignments.values() if isinstance(alignments, Mapping) else alignments))
        self._check_tables(manifest, tables)
        self._check_forgotten(manifest)
        identifier = snapshot_id((row.spec, row.utterance, row.row_key, row.length) for row in wanted)
        head = self.log.head()
        same = head and (head.snapshot, head.manifest, head.alignments) == (identifier, manifest, tables)
        lost = self._lost_places(identifier)
        if head and same and not lost:
            return head
        self.held()
        write_snapshot(self.layout, identifier, self._indexes(wanted), renew=lost)
        if head and same:
            return head
        self.held()
        specs = sorted({row.spec for row in wanted})
        return self.log.append(identifier, manifest, tables, specs, lineage)

    def _lost_places(self, identifier: str) -> bool:
        """Say whether a snapshot of the log names places that are lost, or cannot be read."""
        if not self.layout.snapshot(identifier).exists():
            return any(commit.snapshot == identifier for commit in self.log.commits())
        try:
            return any(self._lost(identifier, part) for part in read_parts(self.layout, identifier))
        except StoreError:
            return True

    def _lost(self, identifier: str, part: Part) -> bool:
        complete = self._complete(part.spec, part.corpus)
        return any(
            (found := complete.get(row.row_key)) is None or (found.start, found.crc) != (row.start, row.crc)
            for row in read_index(self.layout, identifier, part)
        )

    def relocate(self, identifier: str) -> tuple[str, ...]:
        """Renew the index of a snapshot whose rows lie elsewhere by now.

        Returns
        -------
        The utterances with rows that are lost; nothing is written then. A build of the same input makes them
        anew.

        Raises
        ------
        StoreError
            If the description of the snapshot, an index or a receipt is missing or damaged.
        """
        parts = {
            part: read_index(self.layout, identifier, part) for part in read_parts(self.layout, identifier)
        }
        indexes: dict[tuple[str, str], tuple[IndexRow, ...]] = {}
        lost: set[str] = set()
        for part, rows in parts.items():
            complete = self._complete(part.spec, part.corpus)
            there = [(row, complete.get(row.row_key)) for row in rows]
            lost |= {row.utterance for row, found in there if _length(found) != row.length}
            indexes[part.spec, part.corpus] = tuple(
                IndexRow(
                    utterance=row.utterance,
                    row_key=row.row_key,
                    start=found.start,
                    length=row.length,
                    crc=found.crc,
                )
                for row, found in there
                if found is not None
            )
        if not lost and indexes != {(part.spec, part.corpus): rows for part, rows in parts.items()}:
            write_snapshot(self.layout, identifier, indexes, renew=True)
        return tuple(sorted(lost))

    def _check_tables(self, manifest: str, alignments: Iterable[str]) -> None:
        paths = [self.layout.manifest(manifest), *(self.layout.alignments(name) for name in alignments)]
        for path in paths:
            if not path.exists():
                raise StoreError(
                    f"the table {path}", "no such file", "put it into the store before the commit"
                )

    def _check_forgotten(self, manifest: str) -> None:
        """Refuse a manifest that was written before a forgetting and committed after it."""
        tombstones = read_tombstones(self.layout)
        if tombstones:
            tombstones.refuse(read_records(self.layout.manifest(manifest), Utterance))

    def _indexes(self, wanted: Sequence[WantedRows]) -> dict[tuple[str, str], tuple[IndexRow, ...]]:
        groups: dict[tuple[str, str], dict[str, WantedRows]] = {}
        for row in wanted:
            group = groups.setdefault((row.spec, row.corpus), {})
            if group.setdefault(row.utterance, row) is not row:
                raise StoreError(
                    f"one row block of spec {row.spec[:12]} for {row.utterance}", "two", "mend the plan"
                )
        return {key: self._index(*key, list(group.values())) for key, group in groups.items()}

    def _index(self, spec: str, corpus: str, wanted: Sequence[WantedRows]) -> tuple[IndexRow, ...]:
        complete = self._complete(spec, corpus)
        missing = [row for row in wanted if _length(complete.get(row.row_key)) != row.length]
        if missing:
            named = ", ".join(row.utterance for row in missing[:NAMED_MISSING])
            more = ", ..." if len(missing) > NAMED_MISSING else ""
            raise StoreError(
                f"complete rows of spec {spec[:12]} for {len(wanted)} utterances of {corpus}",
                f"none, or another number of rows, for {len(missing)}: {named}{more}",
                "build again: finished work items are kept",
            )
        return tuple(_index_row(row, complete[row.row_key]) for row in wanted)


def _places(cut: Geometry, end: int, rows: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """Return the start of each work item of ``rows`` rows from ``end``, and where the last one stops."""
    starts = []
    for count in rows:
        starts.append(end)
        end += max(cut.padded(count), cut.shard[0])  # an item without rows too has a place and a receipt
    return tuple(starts), end


def _length(row: ReceiptRow | None) -> int | None:
    return None if row is None else row.length


def _index_row(wanted: WantedRows, row: ReceiptRow) -> IndexRow:
    return IndexRow(
        utterance=wanted.utterance,
        row_key=wanted.row_key,
        start=row.start,
        length=row.length,
        crc=row.crc,
    )
