"""How much a snapshot holds: rows, hours of audio, raw and stored bytes, by feature and corpus."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from store.arrays import geometry, shard_names
from store.catalogue import Store
from store.entries import Commit
from store.receipts import ShardSizes
from store.snapshots import Part, read_index, read_parts
from store.specs import load_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """One (feature, corpus), or a sum over some of them.

    ``feature`` and ``corpus`` are None in a sum over them, ``spec`` too; ``rows`` are array rows, each
    counted once however many utterances share it; ``hours`` are those of the utterances' audio;
    ``raw_bytes`` the values before compression, ``stored_bytes`` the shard files that hold them, whole.
    """

    feature: str | None
    spec: str | None
    corpus: str | None
    utterances: int
    rows: int
    hours: float
    raw_bytes: int
    stored_bytes: int

    @property
    def ratio(self) -> float | None:
        """Stored bytes as a share of raw bytes; None where there are no values."""
        return self.stored_bytes / self.raw_bytes if self.raw_bytes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """The amounts of one snapshot: ``cells`` by feature and corpus, then the sums."""

    commit: Commit
    cells: tuple[Amount, ...]
    by_feature: tuple[Amount, ...]
    by_corpus: tuple[Amount, ...]
    total: Amount


def stats(store: Store, ref: str | None = None) -> Stats:
    """Measure one snapshot (the newest for None) from its indexes and the sizes of its shard files.

    Raises
    ------
    StoreError
        If there is no such snapshot, or its manifest or an index is damaged.
    """
    commit = store.resolve(ref)
    seconds = {item.id: item.seconds for item in store.manifest(commit.manifest)}
    cells: list[Amount] = []
    members: dict[Amount, frozenset[str]] = {}
    for part in read_parts(store.layout, commit.snapshot):
        amount, names = _cell(store, commit, part, seconds)
        cells.append(amount)
        members[amount] = names
    cells.sort(key=lambda cell: (cell.feature or "", cell.spec or "", cell.corpus or ""))
    features = dict.fromkeys((cell.feature, cell.spec) for cell in cells)
    corpora = sorted({cell.corpus or "" for cell in cells})
    by_feature = [
        _sum([cell for cell in cells if cell.spec == spec], members, seconds, feature=name, spec=spec)
        for name, spec in features
    ]
    by_corpus = [
        _sum([cell for cell in cells if cell.corpus == name], members, seconds, corpus=name)
        for name in corpora
    ]
    return Stats(
        commit=commit,
        cells=tuple(cells),
        by_feature=tuple(by_feature),
        by_corpus=tuple(by_corpus),
        total=_sum(cells, members, seconds),
    )


def _cell(
    store: Store, commit: Commit, part: Part, seconds: dict[str, float]
) -> tuple[Amount, frozenset[str]]:
    spec = load_spec(store.layout, part.spec)
    cut = geometry(spec)
    index = read_index(store.layout, commit.snapshot, part)
    names = frozenset(row.utterance for row in index)
    blocks = {row.start: row.length for row in index if row.length}
    shards = {name for start, length in blocks.items() for name in shard_names(cut, start, length)}
    sizes = ShardSizes(store.layout, part.spec, part.corpus)
    rows = sum(blocks.values())
    amount = Amount(
        feature=spec.name,
        spec=part.spec,
        corpus=part.corpus,
        utterances=len(names),
        rows=rows,
        hours=_hours(names, seconds),
        raw_bytes=rows * prod(cut.row_shape) * cut.dtype.itemsize,
        stored_bytes=sum(sizes.of(name) or 0 for name in shards),
    )
    return amount, names


def _sum(
    cells: Sequence[Amount],
    members: dict[Amount, frozenset[str]],
    seconds: dict[str, float],
    *,
    feature: str | None = None,
    spec: str | None = None,
    corpus: str | None = None,
) -> Amount:
    names = frozenset[str]().union(*(members[cell] for cell in cells))
    return Amount(
        feature=feature,
        spec=spec,
        corpus=corpus,
        utterances=len(names),
        rows=sum(cell.rows for cell in cells),
        hours=_hours(names, seconds),
        raw_bytes=sum(cell.raw_bytes for cell in cells),
        stored_bytes=sum(cell.stored_bytes for cell in cells),
    )


def _hours(names: Iterable[str], seconds: dict[str, float]) -> float:
    return sum(seconds.get(name, 0.0) for name in sorted(names)) / 3600
