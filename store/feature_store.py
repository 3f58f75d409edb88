"""The door for readers: the features, labels and alignments of one committed snapshot."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import zarr
from numpy.typing import NDArray

from store.arrays import geometry, open_array, read_rows
from store.blocks import Blocks, Use
from store.catalogue import Commit, Store
from store.entries import IndexRow
from store.errors import StoreError
from store.joined import Joined, Licence, join
from store.labels import Labels
from store.layout import index_path
from store.objects import ObjectPath
from store.readers import hold
from store.records import Alignment, FeatureSpec, Skipped, Utterance
from store.shards import ShardFiles
from store.specs import choose, in_order, load_spec
from store.splits import Split
from store.tables import read_records, read_table

if TYPE_CHECKING:
    import dask.array as da

Key = tuple[str, str]


class FeatureStore:
    """One snapshot, read only. ``checked`` says whether reads verify the checksums of the values."""

    def __init__(self, store: Store, commit: Commit, checked: bool) -> None:
        self.lease = hold(store.layout)
        self.store = store
        self.commit = commit
        self.checked = checked
        self.specs = in_order(load_spec(store.layout, digest) for digest in commit.specs)
        self._named: dict[str, FeatureSpec] = {}
        self._opened: dict[Key, Blocks | None] = {}
        self._checking: dict[Key, zarr.Array[Any]] = {}

    @classmethod
    def open(cls, uri: str | Path, snapshot: str | None = None, *, checked: bool = True) -> "FeatureStore":
        """Open a snapshot by tag, id or unique prefix; the newest for None.

        ``checked=False`` leaves the checksums of values out, which costs less and finds no damage.

        Raises
        ------
        StoreError
            If there is no store or no such snapshot, it is of another format version, or something in it is
            being forgotten.
        """
        store = Store.open(uri)
        _lease = hold(store.layout)  # before the snapshot is looked up, so that it cannot go in between
        return cls(store, store.resolve(snapshot), checked)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process as the place and the commit; what is open here is opened anew there."""
        return _reopened, (self.store.path, self.commit, self.checked)

    @property
    def snapshot_id(self) -> str:
        """The digest of the snapshot's content."""
        return self.commit.snapshot

    @cached_property
    def utterances(self) -> tuple[Utterance, ...]:
        """All utterances of the manifest, by id."""
        return self.store.manifest(self.commit.manifest)

    @cached_property
    def skipped(self) -> tuple[Skipped, ...]:
        """What ingest left out, with reasons."""
        return self.store.skipped(self.commit.manifest)

    @cached_property
    def unaligned(self) -> tuple[Skipped, ...]:
        """What could not be aligned, with reasons."""
        return tuple(item for name in self.commit.alignments for item in self.store.unaligned(name))

    @cached_property
    def _utterances(self) -> dict[str, Utterance]:
        return {item.id: item for item in self.utterances}

    @cached_property
    def _alignments(self) -> dict[str, Alignment]:
        tables = (self.store.alignments(name) for name in self.commit.alignments)
        return {item.utterance: item for table in tables for item in table}

    def utterance(self, utterance_id: str) -> Utterance:
        """Return an utterance; StoreError if the manifest has none of that id."""
        if utterance_id not in self._utterances:
            raise StoreError(
                f"utterance {utterance_id!r} in snapshot {self.snapshot_id[:12]}",
                f"{len(self._utterances)} others",
                "name one of its utterances",
            )
        return self._utterances[utterance_id]

    def alignment(self, utterance_id: str) -> Alignment | None:
        """Return the alignment of an utterance, or None if it has none."""
        return self._alignments.get(utterance_id)

    def spec(self, name_or_digest: str) -> FeatureSpec:
        """Return a feature of the snapshot; StoreError if none or several have the name."""
        return choose(self.specs, name_or_digest, self.commit.specs)

    def has(self, spec: FeatureSpec | str, utterance_id: str) -> bool:
        """Say whether the snapshot has rows of ``spec`` for an utterance."""
        opened = self._open(self._spec(spec), self.utterance(utterance_id).corpus)
        return opened is not None and utterance_id in opened.index

    def place(self, spec: FeatureSpec | str, utterance_id: str) -> IndexRow:
        """Return where the rows of an utterance lie; StoreError if the snapshot has none."""
        return self._placed(self._spec(spec), utterance_id)[1]

    def read(
        self,
        spec: FeatureSpec | str,
        utterance_id: str,
        *,
        layer: int | None = None,
        rows: slice | None = None,
    ) -> NDArray[Any]:
        """Return the rows of an utterance, (rows, *dims), or (rows, dim) of one layer (-1 is the last).

        ``rows`` takes a slice of them, as of a list, and reads only the chunks it touches.

        Raises
        ------
        StoreError
            If the snapshot has no such rows or layer, or they are damaged.
        """
        chosen = self._spec(spec)
        layer = _layer(chosen, layer)
        blocks, place = self._placed(chosen, utterance_id)
        if rows is None:
            return blocks.read(place, layer)
        first, last, step = rows.indices(place.length)
        low, high = (first, last) if step > 0 else (last + 1, first + 1)
        start, stop = place.start + low, place.start + max(low, high)
        if not self.checked or blocks.direct(layer):
            return blocks.span(start, stop, layer)[::step]
        return read_rows(self._checking_array(chosen, utterance_id), start, stop, layer)[::step]

    def dataset(
        self,
        features: Sequence[str | FeatureSpec],
        *,
        labels: Labels = "hard",
        split: Split | str | Path | None = None,
        fold: int | None = None,
        classes: Sequence[str] | None = None,
        licence: Licence | None = None,
        corpora: Collection[str] | None = None,
        languages: Collection[str] | None = None,
        layers: Mapping[str, int] | None = None,
    ) -> Joined:
        """Join features, labels and a split by utterance id; values are read when asked for.

        Parameters
        ----------
        features
            Names, digests or specs; a row has them all.
        labels
            ``hard``, ``soft``, ``perceived``, ``dimensions`` or one dimension; see `store.labels.Labels`.
        split, fold
            A split, its file, or ``official`` for the corpora's own; the fold may be left out if it has one.
        classes
            The emotions in use, in the order of class indices; those that occur for None.
        licence
            A licence, several, or a function that says whether the data under one may be used.
        corpora, languages
            Names, where not all are wanted.
        layers
            The layer in use of layered features, by name (-1 is the last).

        Raises
        ------
        StoreError
            If the snapshot has no such feature.
        ConfigurationError
            For a licence, corpus, language or kind of label that does not occur, two features of one name,
            or layers of another.
        SplitError
            If the split cannot be read, or its fold must be named.
        """
        return join(
            self, features, labels=labels, split=split, fold=fold, classes=classes, licence=licence,
            corpora=corpora, languages=languages, layers=layers,
        )  # fmt: skip

    def read_many(
        self, spec: FeatureSpec | str, ids: Iterable[str], *, layer: int | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return the rows of many utterances by id, in the order asked; neighbours are read together.

        Raises
        ------
        StoreError
            As `read`.
        """
        wanted = list(ids)
        found: dict[str, NDArray[Any]] = {}

        def keep(name: str, values: NDArray[Any]) -> None:
            found[name] = values.copy()  # so that one utterance does not hold on to its neighbours

        self.for_each(spec, wanted, keep, layer=layer)
        return {name: found[name] for name in wanted}

    def for_each(
        self, spec: FeatureSpec | str, ids: Iterable[str], use: Use, *, layer: int | None = None
    ) -> None:
        """Call ``use(id, rows)`` for each utterance, in no order, from several threads at once.

        The rows are a view of what was read: fill a place of your own with them, or copy them. Neighbours are
        read together, and little more is held than what is being read.

        Raises
        ------
        StoreError
            As `read`.
        """
        chosen = self._spec(spec)
        by_corpus: dict[str, tuple[Blocks, list[IndexRow]]] = {}
        for name in dict.fromkeys(ids):
            blocks, row = self._placed(chosen, name)
            by_corpus.setdefault(self.utterance(name).corpus, (blocks, []))[1].append(row)
        for blocks, rows in by_corpus.values():
            blocks.for_each(rows, _layer(chosen, layer), use)

    def array(self, spec: FeatureSpec | str, corpus: str) -> "da.Array":
        """Return the array of a corpus up to the snapshot's last row, lazily, in whole shards, (rows, *dims).

        Rows outside the index are no data.

        Raises
        ------
        StoreError
            If the snapshot has no such rows.
        """
        from store.lazy import stored_array  # dask takes a second to load, and few readers need it

        chosen = self._spec(spec)
        return stored_array(
            self, chosen, corpus, self._known(chosen, corpus).array, self._end(chosen, corpus)
        )

    def whole(self, spec: FeatureSpec | str, corpus: str, *, layer: int | None = None) -> "da.Array":
        """Return the rows of every utterance of a corpus, lazily, one behind the other as `index` lists them.

        The shape is (rows, *dims), or (rows, dim) of one layer; there is no gap, so that the lengths of the
        index say whose a row is. Blocks are checked as `read_many` checks.

        Raises
        ------
        StoreError
            If the snapshot has no such rows or layer.
        """
        from store.lazy import whole_array  # see array

        chosen = self._spec(spec)
        self._known(chosen, corpus)  # whose places are checked
        return whole_array(self, chosen, corpus, _layer(chosen, layer))

    def index(self, spec: FeatureSpec | str, corpus: str) -> pa.Table:
        """Return the columns utterance, start and length of a corpus, by utterance; StoreError if none."""
        chosen = self._spec(spec)
        path = self._index_path(chosen, corpus)
        if not path.exists():
            raise self._absent(chosen, f"corpus {corpus!r}")
        return read_table(path, ["utterance", "start", "length"])

    def _spec(self, spec: FeatureSpec | str) -> FeatureSpec:
        """Return the snapshot's own object of a spec."""
        name = spec if isinstance(spec, str) else spec.digest
        if name not in self._named:
            self._named[name] = self.spec(name)
        return self._named[name]

    def _index_path(self, spec: FeatureSpec, corpus: str) -> Path:
        return index_path(self.store.layout.snapshot(self.snapshot_id), spec.digest, corpus)

    def _open(self, spec: FeatureSpec, corpus: str) -> Blocks | None:
        key = (spec.digest, corpus)
        if key not in self._opened:
            self._opened[key] = self._load(spec, corpus)
        return self._opened[key]

    def _load(self, spec: FeatureSpec, corpus: str) -> Blocks | None:
        path = self._index_path(spec, corpus)
        if not path.exists():
            return None
        index = {row.utterance: row for row in read_records(path, IndexRow)}
        place = self.store.layout.array(spec.digest, corpus)
        array = open_array(place)
        _check_places(path, spec, index.values(), array.shape)
        files = None if isinstance(place, ObjectPath) else ShardFiles(place, geometry(spec))
        return Blocks(spec, index, array, files, self.checked)

    def _checking_array(self, spec: FeatureSpec, utterance_id: str) -> "zarr.Array[Any]":
        """Return the array for parts of blocks: the index has no checksum of them, but each chunk has one."""
        key = (spec.digest, self.utterance(utterance_id).corpus)
        if key not in self._checking:
            self._checking[key] = open_array(self.store.layout.array(*key), checking=True)
        return self._checking[key]

    def _end(self, spec: FeatureSpec, corpus: str) -> int:
        rows = self._known(spec, corpus).index.values()
        return max((row.start + row.length for row in rows), default=0)

    def _known(self, spec: FeatureSpec, corpus: str) -> Blocks:
        opened = self._open(spec, corpus)
        if opened is None:
            raise self._absent(spec, f"corpus {corpus!r}")
        return opened

    def _placed(self, spec: FeatureSpec, utterance_id: str) -> tuple[Blocks, IndexRow]:
        blocks = self._known(spec, self.utterance(utterance_id).corpus)
        row = blocks.index.get(utterance_id)
        if row is None:
            raise self._absent(spec, utterance_id)
        return blocks, row

    def _absent(self, spec: FeatureSpec, what: str) -> StoreError:
        return StoreError(
            f"rows of {spec.name} for {what}",
            f"none in snapshot {self.snapshot_id[:12]}",
            "see what the build left out, and why",
        )


def _reopened(path: Path, commit: Commit, checked: bool) -> FeatureStore:
    return FeatureStore(Store.open(path), commit, checked)


def _layer(spec: FeatureSpec, layer: int | None) -> int | None:
    """Return the layer counted from the first; StoreError if the spec has no such layer."""
    if layer is None:
        return None
    layers = spec.dims[0] if len(spec.dims) == 2 else 0
    if not -layers <= layer < layers:
        raise StoreError(
            f"a layer of {spec.name}, which has {layers or 'none'}", f"layer {layer}", "choose another"
        )
    return layer % layers


def _check_places(path: Path, spec: FeatureSpec, rows: Iterable[IndexRow], shape: tuple[int, ...]) -> None:
    """Refuse an index whose places are not in the array before anything is sized by them."""
    outside = [r.utterance for r in rows if r.start < 0 or r.length < 0 or r.start + r.length > shape[0]]
    if outside or shape[1:] != spec.dims:
        raise StoreError(
            f"rows of {spec.dims} in an array of {shape} for every line of {path}",
            f"{len(outside)} outside: {', '.join(outside[:3])}" if outside else "another shape",
            "run 'store repair'",
        )
