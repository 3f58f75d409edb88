"""Groups row blocks that lie near each other, so that they are read together."""

from collections.abc import Iterable, Iterator
from math import prod

from store.arrays import Geometry
from store.entries import IndexRow

RUN_BYTES = 64 * 1024 * 1024
"""The most bytes of values that one read through Zarr asks for, apart from a single larger block."""


def runs(rows: Iterable[IndexRow], cut: Geometry, layers: int, most_bytes: int) -> Iterator[list[IndexRow]]:
    """Yield the row blocks in order of place, in groups without a gap larger than a chunk.

    ``layers`` is the number of layers that are read. A group has at most ``most_bytes`` of values, apart from
    a single larger block.
    """
    row_bytes = prod(cut.row_shape) // cut.layers * layers * cut.dtype.itemsize
    most = max(most_bytes // row_bytes, 1)
    run: list[IndexRow] = []
    end = 0
    for row in sorted(rows, key=lambda row: (row.start, row.utterance)):
        stop = row.start + row.length
        if run and (row.start - end > cut.chunk[0] or stop - run[0].start > most):
            yield run
            run = []
        end = max(end, stop) if run else stop
        run.append(row)
    if run:
        yield run
