"""The order in which an epoch streams through a store: shards shuffled, then utterances of a few."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from math import prod

import numpy as np

from store.arrays import geometry
from store.digests import digest
from store.joined import Joined
from store.records import FeatureSpec

WINDOW_BYTES = 64 * 1024 * 1024
"""The most bytes of values that a process holds at once, apart from a single larger shard."""
FEWEST_WINDOWS = 8
"""Small data is cut finer, so that several workers have something to do; more workers than this idle."""


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """The utterances of one batch; ``number`` counts the batches of an epoch and names this one."""

    number: int
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Block:
    """The utterances whose rows begin in one shard, and the bytes of all their features."""

    ids: tuple[str, ...]
    bytes: int


class EpochOrder:
    """Plans epochs over the rows of a joined view; a plan follows from seed and epoch alone.

    The number of workers changes no plan: they share out its windows.
    """

    def __init__(
        self, joined: Joined, *, batch_size: int, seed: int, shuffle: bool, window_bytes: int
    ) -> None:
        self.batch_size, self.seed, self.shuffle = batch_size, seed, shuffle
        self.window_bytes = window_bytes
        self._blocks = _blocks(joined)
        total = sum(block.bytes for block in self._blocks)
        self._window = max(min(window_bytes, total // FEWEST_WINDOWS), 1)

    @cached_property
    def data(self) -> str:
        """The digest of what is streamed: which utterances lie in which shard, and how large they are."""
        return digest([[list(block.ids), block.bytes] for block in self._blocks])

    def windows(self, epoch: int) -> list[tuple[PlannedBatch, ...]]:
        """Return the batches of an epoch by the window that they are read in; each utterance is in one.

        A batch that reaches into the next window belongs to the one it begins in.
        """
        rng = np.random.default_rng([self.seed, epoch])
        order: list[str] = []
        ends: list[int] = []
        for ids in self._groups(rng):
            order += [ids[i] for i in rng.permutation(len(ids))] if self.shuffle else ids
            ends.append(len(order))
        batches = [
            PlannedBatch(number, tuple(order[start : start + self.batch_size]))
            for number, start in enumerate(range(0, len(order), self.batch_size))
        ]
        window_of = np.searchsorted(ends, np.arange(len(batches)) * self.batch_size, side="right")
        return [
            tuple(batches[number] for number in group)
            for _, group in groupby(range(len(batches)), key=lambda number: int(window_of[number]))
        ]

    def _groups(self, rng: np.random.Generator) -> Iterator[list[str]]:
        """Yield the utterances of a window's worth of shards."""
        ids: list[str] = []
        held = 0
        places = rng.permutation(len(self._blocks)) if self.shuffle else range(len(self._blocks))
        for block in (self._blocks[i] for i in places):
            if ids and held + block.bytes > self._window:
                yield ids
                ids, held = [], 0
            ids, held = [*ids, *block.ids], held + block.bytes
        if ids:
            yield ids


def _blocks(joined: Joined) -> list[_Block]:
    """Group the rows of a view by the shard of their bulkiest feature, in order of place."""
    sizes = [_row_bytes(joined, spec) for spec in joined.features]
    places = [[joined.store.place(spec, row.utterance) for spec in joined.features] for row in joined.rows]
    bytes_of = np.array([[place.length for place in some] for some in places]).reshape(-1, len(sizes)) * sizes
    lead = int(bytes_of.sum(axis=0).argmax())
    shard = geometry(joined.features[lead]).shard[0]
    placed = sorted(
        (row.corpus, some[lead].start // shard, some[lead].start, row.utterance, int(total))
        for row, some, total in zip(joined.rows, places, bytes_of.sum(axis=1), strict=True)
    )
    shards = (list(items) for _, items in groupby(placed, key=lambda item: item[:2]))
    return [_Block(tuple(item[3] for item in items), sum(item[4] for item in items)) for items in shards]


def _row_bytes(joined: Joined, spec: FeatureSpec) -> int:
    dims = spec.dims[1:] if spec.name in joined.layers else spec.dims
    return prod(dims) * np.dtype(spec.dtype).itemsize
