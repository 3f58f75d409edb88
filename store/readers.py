"""Leases: one locked file for each process that reads a store, so that nothing goes under a reader."""

import fcntl
import os
import socket
import time
import weakref
from contextlib import suppress
from pathlib import Path
from uuid import uuid4
from weakref import WeakValueDictionary

from store.atomic import temporary_beside
from store.errors import StoreError
from store.forget_journal import SWAP, read_journal, unfinished
from store.layout import Layout
from store.objects import ObjectPath

POLL_SECONDS = 0.05

_LEASES: "WeakValueDictionary[Path, ReaderLease]" = WeakValueDictionary()


class ReaderLease:
    """A process's word that it reads a store, kept as long as this object and released with the process.

    Where the store cannot be written, or lies on an object store, there is no file, and nobody sees it.
    """

    def __init__(self, layout: Layout) -> None:
        self.root = layout.root
        self.process = os.getpid()
        if isinstance(layout.root, ObjectPath):
            return
        path = layout.readers / f"{uuid4().hex}.lock"
        aside = temporary_beside(path)
        try:
            path.parent.mkdir(exist_ok=True)
            descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        except OSError:
            return
        weakref.finalize(self, _release, descriptor, path, self.process)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        with suppress(OSError):  # on a full disk the lock alone says that somebody reads
            os.write(descriptor, f"process {self.process} on {socket.gethostname()}".encode())
        with suppress(OSError):  # a full disk, or a forgetting removed it, which `hold` finds next
            os.rename(aside, path)  # whoever sees the file finds it locked


def hold(layout: Layout) -> ReaderLease:
    """Return this process's lease of a store, for as long as the caller keeps it.

    Raises
    ------
    StoreError
        If a forgetting is moving what it rewrote into place, or was cut off there.
    """
    root = layout.root if isinstance(layout.root, ObjectPath) else layout.root.absolute()
    lease = _LEASES.get(root)
    if lease is None or lease.process != os.getpid():
        lease = _LEASES[root] = ReaderLease(layout)
    journal = read_journal(layout)  # read after the lease was taken: a forgetting looks the other way round
    if journal is not None and journal.phase == SWAP:
        raise unfinished(layout)
    return lease


def readers(layout: Layout) -> tuple[str, ...]:
    """Return the processes that read a store; the leases of those that ended are removed."""
    return tuple(name for path in sorted(layout.readers.glob("*.lock")) if (name := _holder(path)))


def await_readers(layout: Layout, seconds: float) -> None:
    """Wait until nobody reads the store.

    Raises
    ------
    StoreError
        After ``seconds``, naming the processes that still do.
    """
    until = time.monotonic() + seconds
    while names := readers(layout):
        if time.monotonic() >= until:
            raise StoreError(
                f"no open reader of {layout.root}",
                f"{len(names)} after {seconds:g} s: {', '.join(names)}",
                "end them, or give them more time with --wait SECONDS; nothing was changed",
            )
        time.sleep(POLL_SECONDS)


def _holder(path: Path) -> str:
    """Return who holds a lease, or "" after removing the file of a process that ended."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
        return ""
    except BlockingIOError:
        return os.pread(descriptor, 200, 0).decode(errors="replace") or "a process that has just started"
    finally:
        os.close(descriptor)


def _release(descriptor: int, path: Path, process: int) -> None:
    """Give a lease back, unless this is a child of the process that took it."""
    if os.getpid() == process:
        path.unlink(missing_ok=True)
        os.close(descriptor)
