"""Has glibc keep freed memory in the process, where every clip needs as much of it again."""

import ctypes
import sys
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's ``mallopt`` (malloc.h)."""

KEPT, BLOCK = 512 * 2**20, 32 * 2**20
"""Bytes that stay with the process when they are freed; blocks larger than ``BLOCK`` never do."""


@cache
def keep_freed_memory() -> bool:
    """Keep up to 512 MiB of freed memory for the next clip; return whether the C library knows how.

    Otherwise glibc gives the spectra of each clip back to the system and takes them again for the next,
    and the system clears those pages each time: a sixth of a clip's time, and a third in Dask's workers,
    which keep 64 KiB. The peak hardly changes: what is kept was in use before.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False  # musl gives memory back in its own way
    return bool(library.mallopt(MMAP_THRESHOLD, BLOCK) and library.mallopt(TRIM_THRESHOLD, KEPT))
