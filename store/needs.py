"""What kept snapshots need of the arrays: their row blocks, and the shard files that hold them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from store.arrays import geometry, shard_names
from store.catalogue import Store
from store.entries import Commit
from store.snapshots import read_index, read_parts
from store.specs import load_spec


@dataclass(frozen=True, slots=True)
class Needed:
    """Of one (spec digest, corpus): blocks as (row key, start row), and shard files by chunk key."""

    rows: set[tuple[str, int]] = field(default_factory=set)
    shards: set[str] = field(default_factory=set)


def needed_by(store: Store, commits: Iterable[Commit]) -> dict[tuple[str, str], Needed]:
    """Return what the snapshots of ``commits`` need, by (spec digest, corpus).

    Raises
    ------
    StoreError
        If a snapshot's description, index or spec is missing or damaged.
    """
    needed: dict[tuple[str, str], Needed] = {}
    for snapshot in sorted({commit.snapshot for commit in commits}):
        for part in read_parts(store.layout, snapshot):
            cut = geometry(load_spec(store.layout, part.spec))
            cell = needed.setdefault((part.spec, part.corpus), Needed())
            for row in read_index(store.layout, snapshot, part):
                cell.rows.add((row.row_key, row.start))
                cell.shards.update(shard_names(cut, row.start, row.length))
    return needed
