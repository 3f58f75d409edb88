"""Keeps matrix products on one thread: with more, OpenBLAS rounds differently, and models would differ."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Run the block with one BLAS thread in the whole process, so that equal input gives equal bits."""
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        yield
