"""A joined view as PyTorch reads it: a map-style dataset, a stream for stores beyond memory, padded batches.

The only module of the store that imports torch: import it where you train. Hand DataLoader
``multiprocessing_context="spawn"``, since Zarr's threads do not survive a fork.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from store.errors import ConfigurationError
from store.joined import Joined, JoinedRow
from store.records import FeatureSpec
from store.streaming import WINDOW_BYTES, EpochOrder, PlannedBatch

_ORDER = ("seed", "batch_size", "shuffle", "window_bytes")
"""The settings from which an epoch's batches and their numbers follow."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One utterance: its row, values (rows, *dims) by feature, and target (see `store.labels.target_of`)."""

    row: JoinedRow
    features: Mapping[str, NDArray[Any]]
    target: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """B padded utterances, with the licence that each stands under.

    ``features`` are (B, L, *dims) by name, zero behind each utterance's end; ``lengths`` (B,) by name;
    ``targets`` (B,) class indices, (B, K) shares or (B, D) ratings. ``number`` names the batch within the
    epoch of a stream, -1 elsewhere.
    """

    rows: tuple[JoinedRow, ...]
    features: dict[str, Tensor]
    lengths: dict[str, Tensor]
    targets: Tensor
    number: int = -1

    def mask(self, feature: str) -> Tensor:
        """Return (B, L), true where there are values."""
        at = torch.arange(self.features[feature].shape[1], device=self.features[feature].device)
        return at < self.lengths[feature].to(at.device)[:, None]

    def pin_memory(self) -> "Batch":
        """Return the batch in pinned memory; DataLoader calls this."""
        return replace(
            self,
            features={name: values.pin_memory() for name, values in self.features.items()},
            lengths={name: values.pin_memory() for name, values in self.lengths.items()},
            targets=self.targets.pin_memory(),
        )


def collate(samples: Sequence[Sample], number: int = -1) -> Batch:
    """Pad samples to the longest of each feature; give this to DataLoader as ``collate_fn``."""
    names = samples[0].features.keys()
    return Batch(
        rows=tuple(sample.row for sample in samples),
        features={name: _padded([sample.features[name] for sample in samples]) for name in names},
        lengths={name: torch.tensor([len(sample.features[name]) for sample in samples]) for name in names},
        targets=torch.from_numpy(np.stack([sample.target for sample in samples])),
        number=number,
    )


def _padded(items: Sequence[NDArray[Any]]) -> Tensor:
    longest = max(len(item) for item in items)
    padded = np.empty((len(items), longest, *items[0].shape[1:]), dtype=items[0].dtype)
    for row, item in zip(padded, items, strict=True):
        _pad(row, item)
    return torch.from_numpy(padded)


def _pad(row: NDArray[Any], values: NDArray[Any]) -> None:
    row[: len(values)] = values
    row[len(values) :] = 0


class _Here:
    """Remembers the process that opened the store: a fork copies its memory, but not Zarr's threads."""

    def __init__(self, joined: Joined) -> None:
        if not joined.features:
            raise ConfigurationError("at least one feature", "none", "name some in FeatureStore.dataset")
        self.joined = joined
        self._process = os.getpid()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._process = os.getpid()

    def samples(self, ids: Sequence[str]) -> list[Sample]:
        """Read samples, neighbours together."""
        self._check_process()
        values = self.joined.read_many(ids)
        return [Sample(self.joined.row(name), values[name], self.joined.target(name)) for name in ids]

    def batches(self, planned: Sequence[PlannedBatch]) -> list[Batch]:
        """Read batches as `collate` makes them, neighbours together, each value straight to its place."""
        self._check_process()
        columns = [self._padded(spec, planned) for spec in self.joined.features]
        names = [spec.name for spec in self.joined.features]
        return [
            Batch(
                rows=tuple(self.joined.row(name) for name in batch.ids),
                features=dict(zip(names, [values[at] for values, _ in columns], strict=True)),
                lengths=dict(zip(names, [lengths[at] for _, lengths in columns], strict=True)),
                targets=torch.from_numpy(np.stack([self.joined.target(name) for name in batch.ids])),
                number=batch.number,
            )
            for at, batch in enumerate(planned)
        ]

    def _padded(
        self, spec: FeatureSpec, planned: Sequence[PlannedBatch]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return the padded values and the lengths of one feature, by batch."""
        store, layer = self.joined.store, self.joined.layers.get(spec.name)
        lengths = [[store.place(spec, name).length for name in batch.ids] for batch in planned]
        dims = spec.dims if layer is None else spec.dims[1:]
        padded = [np.empty((len(some), max(some), *dims), dtype=spec.dtype) for some in lengths]
        ids = (name for batch in planned for name in batch.ids)
        places = dict(zip(ids, (row for rows in padded for row in rows), strict=True))

        def fill(name: str, values: NDArray[Any]) -> None:
            _pad(places[name], values)

        store.for_each(spec, places, fill, layer=layer)
        return [torch.from_numpy(rows) for rows in padded], [torch.tensor(some) for some in lengths]

    def _check_process(self) -> None:
        if self._process != os.getpid():
            raise ConfigurationError(
                "DataLoader workers that were spawned",
                "forked ones, in which Zarr hangs",
                'pass multiprocessing_context="spawn" to DataLoader',
            )


class JoinedDataset(_Here, Dataset[Sample]):
    """The rows of a joined view by position; DataLoader reads a whole batch at a time.

    Use it with ``collate_fn=collate``, and with `ShardStream` instead where random access is too slow.
    """

    def __len__(self) -> int:
        return len(self.joined)

    def __getitem__(self, index: int) -> Sample:
        return self.samples([self.joined.rows[index].utterance])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Sample]:
        """Return several samples; their neighbours in the store are read together."""
        return self.samples([self.joined.rows[index].utterance for index in indices])


class ShardStream(_Here, IterableDataset[Batch]):
    """Padded batches of a joined view that read the store shard by shard, each utterance once an epoch.

    Shards are shuffled, then the utterances of a window of shards, so that memory holds one window for each
    process, however large the store is. The order follows from ``seed`` and epoch; batches are full but for
    the last. Give DataLoader ``batch_size=None``. Workers, and ``world`` processes of which this one is
    ``rank``, share the windows out without overlap::

        stream = ShardStream(joined, batch_size=64, seed=0)
        loader = DataLoader(stream, batch_size=None, num_workers=2, multiprocessing_context="spawn")
        for epoch in range(epochs):
            stream.set_epoch(epoch)
            for batch in loader:
                ...  # train
                stream.done(batch)

    `state_dict` then says which batches of the epoch are done, and a stream that loads it yields the others,
    whatever its number of workers.
    """

    def __init__(
        self,
        joined: Joined,
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        window_bytes: int = WINDOW_BYTES,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        super().__init__(joined)
        if batch_size < 1 or not 0 <= rank < world:
            raise ConfigurationError(
                "a batch size of 1 or more, and a rank below world",
                f"batch_size {batch_size}, rank {rank}, world {world}",
                "set them so",
            )
        self.rank, self.world = rank, world
        self.order = EpochOrder(
            joined, batch_size=batch_size, seed=seed, shuffle=shuffle, window_bytes=window_bytes
        )
        # Shared memory, so that workers that live on between epochs see the epoch change.
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]
        self._done: tuple[int, set[int]] = (0, set())

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration yields."""
        return int(self._epoch.item())

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration yields, all of it unless `load_state_dict` named it."""
        self._epoch.fill_(epoch)

    def done(self, batch: Batch) -> None:
        """Note that a batch of this epoch has been used."""
        finished = self._finished()
        finished.add(batch.number)
        self._done = (self.epoch, finished)

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch and the numbers of its batches that are done, as plain JSON values."""
        return {
            "snapshot": self.joined.store.snapshot_id,
            "data": self.order.data,
            **{name: getattr(self.order, name) for name in _ORDER},
            "epoch": self.epoch,
            "done": sorted(self._finished()),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another stream stopped.

        Raises
        ------
        ConfigurationError
            If that one had other data or settings, so that the numbers of its batches mean others.
        """
        mine = self.state_dict()
        same = ("snapshot", "data", *_ORDER)
        other = [name for name in same if state.get(name) != mine[name]]
        if other:
            raise ConfigurationError(
                f"the state of a stream with the same {', '.join(other)}",
                ", ".join(f"{name} {state.get(name)}" for name in other),
                "open the same data with the same settings, or begin the epoch anew",
            )
        self.set_epoch(int(state["epoch"]))
        self._done = (self.epoch, set(state["done"]))

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        lane, lanes = self.rank, self.world
        if worker is not None:
            lane, lanes = self.rank * worker.num_workers + worker.id, self.world * worker.num_workers
        finished = self._finished()
        for window in self.order.windows(self.epoch)[lane::lanes]:
            batches = self.batches([batch for batch in window if batch.number not in finished])
            while batches:  # let go of each as it is used
                yield batches.pop(0)

    def _finished(self) -> set[int]:
        epoch, numbers = self._done
        return numbers if epoch == self.epoch else set()
