"""What an export holds: which features, layers, corpora and licences of a snapshot, read in small batches."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.digests import short
from store.errors import ConfigurationError
from store.exports.labels import LABELS
from store.feature_store import FeatureStore
from store.joined import check_known
from store.records import Alignment, FeatureSpec, Utterance
from store.snapshots import read_parts

BATCH_BYTES = 32 * 1024 * 1024
LABEL_BYTES = 4096
"""About what labels, texts and phones of one utterance take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for; empty means all. ``layers`` count from 0, -1 is the last, as `FeatureStore.read`."""

    features: tuple[str, ...] = ()
    corpora: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One feature of an export: its name there, and the layers that are kept, () where it has none."""

    name: str
    spec: FeatureSpec
    layers: tuple[int, ...] = ()

    @property
    def dims(self) -> tuple[int, ...]:
        """The shape of one exported row; the axis of the layers stays, however many are kept."""
        return (len(self.layers), self.spec.dims[1]) if self.layers else self.spec.dims

    @property
    def row_bytes(self) -> int:
        """The size of one exported row."""
        return prod(self.dims) * np.dtype(self.spec.dtype).itemsize


@dataclass(frozen=True, slots=True)
class Sample:
    """One utterance: its alignment, and its values (rows, *dims) by column, of those that it has."""

    utterance: Utterance
    alignment: Alignment | None
    values: Mapping[str, NDArray[Any]]


class Selection:
    """The chosen part of a snapshot; utterances that have none of the features are part of it too."""

    def __init__(self, reader: FeatureStore, wanted: Wanted) -> None:
        self.reader = reader
        everyone = reader.utterances
        check_known("corpus", wanted.corpora, {item.corpus for item in everyone})
        check_known("licence", wanted.licences, {item.licence for item in everyone})
        self.utterances = tuple(
            item
            for item in everyone
            if (not wanted.corpora or item.corpus in wanted.corpora)
            and (not wanted.licences or item.licence in wanted.licences)
        )
        if not self.utterances:
            raise ConfigurationError("utterances to export", "none left by the filters", "ask for others")
        self.columns = _columns(_specs(reader, wanted.features), wanted.layers)

    @cached_property
    def rows(self) -> dict[str, dict[str, int]]:
        """The number of rows by column and utterance, of those that have any entry in the index."""
        parts = {
            (part.spec, part.corpus) for part in read_parts(self.reader.store.layout, self.reader.snapshot_id)
        }
        chosen = {item.id for item in self.utterances}
        found: dict[str, dict[str, int]] = {}
        for column in self.columns:
            lengths = found.setdefault(column.name, {})
            for corpus in self.corpora:
                if (column.spec.digest, corpus) in parts:
                    index = self.reader.index(column.spec, corpus)
                    pairs = zip(index["utterance"].to_pylist(), index["length"].to_pylist(), strict=True)
                    lengths.update((name, rows) for name, rows in pairs if name in chosen)
        return found

    @property
    def corpora(self) -> tuple[str, ...]:
        """The corpora that are in the export."""
        return tuple(sorted({item.corpus for item in self.utterances}))

    @property
    def licences(self) -> tuple[str, ...]:
        """The licences that hold for the export."""
        return tuple(sorted({item.licence for item in self.utterances}))

    @property
    def bytes(self) -> int:
        """About how large the export is before compression."""
        return sum(self.size(item) for item in self.utterances)

    def size(self, utterance: Utterance) -> int:
        """Return about how many bytes one utterance takes before compression."""
        values = sum(self.rows[item.name].get(utterance.id, 0) * item.row_bytes for item in self.columns)
        return values + LABEL_BYTES

    def grouped(self, utterances: Iterable[Utterance], most: int) -> Iterator[tuple[Utterance, ...]]:
        """Yield the utterances in groups of at most ``most`` bytes, or of one larger utterance."""
        group: list[Utterance] = []
        total = 0
        for item in utterances:
            size = self.size(item)
            if group and total + size > most:
                yield tuple(group)
                group, total = [], 0
            group.append(item)
            total += size
        if group:
            yield tuple(group)

    def batches(self, utterances: Iterable[Utterance]) -> Iterator[list[Sample]]:
        """Yield samples in order, as many at a time as fit into `BATCH_BYTES`.

        Raises
        ------
        StoreError
            If values are damaged.
        """
        for group in self.grouped(utterances, BATCH_BYTES):
            values = {column.name: self._values(column, group) for column in self.columns}
            yield [
                Sample(
                    item,
                    self.reader.alignment(item.id),
                    {name: there[item.id] for name, there in values.items() if item.id in there},
                )
                for item in group
            ]

    def _values(self, column: Column, group: Sequence[Utterance]) -> dict[str, NDArray[Any]]:
        ids = [item.id for item in group if item.id in self.rows[column.name]]
        if not column.layers or len(column.layers) == column.spec.dims[0]:
            return self.reader.read_many(column.spec, ids)
        layers = [self.reader.read_many(column.spec, ids, layer=layer) for layer in column.layers]
        return {name: np.stack([layer[name] for layer in layers], axis=1) for name in ids}


def _specs(reader: FeatureStore, names: Sequence[str]) -> tuple[FeatureSpec, ...]:
    named = {spec.digest: spec for spec in map(reader.spec, names)}
    specs = tuple(named.values()) if names else reader.specs
    if not specs:
        raise ConfigurationError("features to export", "none in the snapshot", "build some first")
    return specs


def _columns(specs: Sequence[FeatureSpec], layers: Sequence[int]) -> tuple[Column, ...]:
    if layers and not any(len(spec.dims) == 2 for spec in specs):
        names = ", ".join(spec.name for spec in specs)
        raise ConfigurationError("a feature with layers", names, "leave --layers out")
    taken = [*LABELS, *(spec.name for spec in specs)]
    return tuple(
        Column(
            name=spec.name if taken.count(spec.name) == 1 else f"{spec.name}-{short(spec.digest)}",
            spec=spec,
            layers=_layers(spec, layers),
        )
        for spec in specs
    )


def _layers(spec: FeatureSpec, wanted: Sequence[int]) -> tuple[int, ...]:
    """Return the layers of a spec in ascending order, () where it has none."""
    if len(spec.dims) != 2:
        return ()
    count = spec.dims[0]
    wrong = [layer for layer in wanted if not -count <= layer < count]
    if wrong:
        raise ConfigurationError(
            f"layers of {spec.name} from 0 to {count - 1}, or from the last, -1, down",
            ", ".join(map(str, wrong)),
            "name layers that it has",
        )
    return tuple(sorted({layer % count for layer in wanted})) or tuple(range(count))
