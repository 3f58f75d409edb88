"""The rows of a whole corpus as one lazy dask array, utterance after utterance in the order of the index."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from store.digests import digest, short
from store.records import FeatureSpec
from store.runs import RUN_BYTES

if TYPE_CHECKING:
    from store.feature_store import FeatureStore


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
        name=f"rows-{short(digest([store.snapshot_id, spec.digest, corpus, layer, str(store.store.path)]))}",
    )


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
    found = store.read_many(spec, wanted, layer=layer)
    return np.concatenate([found[name] for name in wanted])
