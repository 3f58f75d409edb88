"""Whole corpora as lazy dask arrays, which keep the store, and with it the lease of a reader."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import zarr
from numpy.typing import NDArray

from store.arrays import geometry
from store.digests import digest, short
from store.records import FeatureSpec
from store.runs import RUN_BYTES

if TYPE_CHECKING:
    from store.feature_store import FeatureStore


@dataclass(frozen=True, slots=True)
class _Kept:
    """The first rows of an array of Zarr as dask reads them, with the store that it belongs to."""

    store: "FeatureStore"
    values: "zarr.Array[Any]"
    rows: int

    @property
    def shape(self) -> tuple[int, ...]:
        return self.rows, *self.values.shape[1:]

    @property
    def ndim(self) -> int:
        return self.values.ndim

    @property
    def dtype(self) -> "np.dtype[Any]":
        return self.values.dtype

    def __getitem__(self, part: Any) -> NDArray[Any]:
        return np.asarray(self.values[part])


def stored_array(
    store: "FeatureStore", spec: FeatureSpec, corpus: str, array: "zarr.Array[Any]", rows: int
) -> da.Array:
    """Return the first ``rows`` of an array as it is stored, with gaps, in whole shards.

    It may be longer, or say that it is. See `FeatureStore.array`.
    """
    name, cut = _name("stored", store, spec, corpus), geometry(spec)
    kept = _Kept(store, array, min(cut.padded(rows), array.shape[0]))
    return da.from_array(kept, chunks=cut.shard, name=name, asarray=False)


def whole_array(store: "FeatureStore", spec: FeatureSpec, corpus: str, layer: int | None) -> da.Array:
    """Return the rows of all utterances of a corpus, dense; see `FeatureStore.whole`."""
    index = store.index(spec, corpus)
    ids, lengths = index.column("utterance").to_pylist(), index.column("length").to_pylist()
    dims = spec.dims if layer is None else spec.dims[1:]
    groups = _groups(lengths, prod(dims) * np.dtype(spec.dtype).itemsize)
    names = [ids[first:last] for first, last in groups]
    rows = tuple(sum(lengths[first:last]) for first, last in groups)
    return da.map_blocks(
        _block,
        store,
        spec.digest,
        layer,
        names,
        chunks=(rows, *((size,) for size in dims)),
        dtype=np.dtype(spec.dtype),
        meta=np.empty((0,) * (1 + len(dims)), spec.dtype),
        name=_name("rows", store, spec, corpus, layer),
    )


def _name(kind: str, store: "FeatureStore", spec: FeatureSpec, corpus: str, layer: int | None = None) -> str:
    """Return the name under which dask may share what it computed."""
    return f"{kind}-{short(digest([store.snapshot_id, spec.digest, corpus, layer, str(store.store.path)]))}"


def _groups(lengths: Sequence[int], row_bytes: int) -> list[tuple[int, int]]:
    """Cut utterances into runs [first, last) of some RUN_BYTES each."""
    cuts, held = [0], 0
    for at, length in enumerate(lengths):
        held += length * row_bytes
        if held >= RUN_BYTES or at == len(lengths) - 1:
            cuts.append(at + 1)
            held = 0
    return list(pairwise(cuts))


def _block(
    store: "FeatureStore",
    spec: str,
    layer: int | None,
    names: Sequence[Sequence[str]],
    block_id: tuple[int, ...] = (0,),
) -> NDArray[Any]:
    wanted = names[block_id[0]]
    lengths = [store.place(spec, name).length for name in wanted]
    ends = dict(zip(wanted, np.cumsum(lengths).tolist(), strict=True))
    dims = store.spec(spec).dims
    whole = np.empty((sum(lengths), *(dims if layer is None else dims[1:])), store.spec(spec).dtype)

    def fill(name: str, values: NDArray[Any]) -> None:
        whole[ends[name] - len(values) : ends[name]] = values

    store.for_each(spec, wanted, fill, layer=layer)
    return whole
