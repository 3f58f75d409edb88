"""The writer's lock on an object store: numbered objects made by conditional put and renewed while held."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from uuid import uuid4

from store.errors import ObjectStoreError, StoreError
from store.objects import ObjectPath

LEASE_SECONDS = 60.0
"""How long a lock holds that nobody renews, as after a kill."""
RENEWALS = 4
"""How often a lock is renewed in that time."""
PROBE = ".tmp-probe-"
"""Beginning of the key on which a server is tried; one left behind is collected like other temporaries."""

Held = Callable[[], None]
"""Raises `StoreError` where the lock was taken over, so that nothing must be committed any more."""


@contextmanager
def leased(path: ObjectPath) -> Iterator[Held]:
    """Hold the lock at ``path``, a folder of numbered objects of which the highest counts.

    Whoever makes the next number holds the lock; a conditional put (``If-None-Match: *``) lets one succeed.
    The object is written again while the lock is held, and at the end as released. One that was not written
    for `LEASE_SECONDS`, by the server's clock, has no holder any more.

    Raises
    ------
    StoreError
        At once, if another writer holds it, naming its process; or if the server ignores conditional puts.
    ObjectStoreError
        If the server does not answer or refuses.
    """
    lease = _acquired(path)
    stop = Event()
    thread = Thread(target=_renew, args=(lease, stop), name=f"renews {path.name}", daemon=True)
    thread.start()
    try:
        yield lease.held
    finally:
        stop.set()
        thread.join()
        lease.release()


def server_time(folder: ObjectPath) -> datetime:
    """Return the time of the server of ``folder``, after proof that it honours conditional puts.

    Raises
    ------
    StoreError
        If a second put of one key succeeds where the first was to be the only one.
    ObjectStoreError
        If the server does not answer or refuses.
    """
    probe = folder / f"{PROBE}{uuid4().hex}"
    made, twice = probe.create(b"first"), probe.create(b"second")
    now = datetime.fromtimestamp(probe.stat().st_mtime, UTC)
    probe.unlink(missing_ok=True)
    if twice or not made:
        raise StoreError(
            f"a server that honours conditional puts (If-None-Match) for {folder}",
            "one that overwrites, so that two writers would lose rows",
            "write to another server, or to a folder and copy it there; reading from this one is safe",
        )
    return now


class Lease:
    """One number of a lock."""

    def __init__(self, path: ObjectPath) -> None:
        self.path = path
        self.owner = f"process {os.getpid()} on {socket.gethostname()}"
        self.token = uuid4().hex
        self.written = 0.0

    def take(self) -> bool:
        """Make the object; return whether nobody else did."""
        self.written = monotonic()
        return self.path.create(self._content())

    def renew(self) -> None:
        """Write the object again."""
        now = monotonic()
        self.path.write_bytes(self._content())
        self.written = now

    def _content(self, *, released: bool = False) -> bytes:
        content = {"owner": self.owner, "token": self.token, "seconds": LEASE_SECONDS, "released": released}
        return json.dumps(content).encode()

    def lost(self) -> bool:
        """Say whether somebody made a higher number."""
        return any(other.name > self.path.name for other in _numbers(self.path.parent))

    def held(self) -> None:
        """Raise where the lock was taken over; within half its time of a renewal, it cannot have been."""
        if monotonic() - self.written > LEASE_SECONDS / 2 and self.lost():
            raise StoreError(
                f"the lock {self.path.parent} until the end",
                f"another writer, which took it over after {LEASE_SECONDS:g} s without a renewal",
                "build again: finished work items are kept",
            )

    def release(self) -> None:
        """Give the lock back, unless it was taken over; it runs out by itself where that fails."""
        with suppress(ObjectStoreError):
            if not self.lost():
                self.path.write_bytes(self._content(released=True))


def _numbers(path: Path) -> list[Path]:
    return sorted(path.glob("[0-9]*.json"))


def _acquired(path: ObjectPath) -> Lease:
    now = server_time(path.parent)
    older = _numbers(path)
    if older:
        _check_free(older[-1], now)
    number = int(older[-1].stem) + 1 if older else 1
    lease = Lease(path / f"{number:08d}.json")
    if not lease.take():
        raise _busy(path, "another writer, which was faster")
    if lease.lost():  # others came and went since the numbers were listed
        lease.path.unlink(missing_ok=True)
        raise _busy(path, "another writer, which was faster")
    for item in older:
        item.unlink(missing_ok=True)
    return lease


def _check_free(newest: Path, now: datetime) -> None:
    try:
        content = json.loads(newest.read_bytes())
        written = datetime.fromtimestamp(newest.stat().st_mtime, UTC)
    except FileNotFoundError as error:
        raise _busy(newest.parent, "another writer, which was faster") from error
    left = content["seconds"] - (now - written).total_seconds()
    if not content["released"] and left > 0:
        when = f" (killed, it loses its lock in {left:.0f} s)"
        raise _busy(newest.parent, f"{content['owner']} writing to it", when)


def _busy(path: Path, found: str, when: str = "") -> StoreError:
    return StoreError(f"no other writer in {path.parent}", found, f"wait until it ends{when}, or stop it")


def _renew(lease: Lease, stop: Event) -> None:
    while not stop.wait(LEASE_SECONDS / RENEWALS):
        try:
            if lease.lost():
                return  # the commit will be refused
            lease.renew()
        except ObjectStoreError:
            continue  # the server may answer again before the lock runs out
