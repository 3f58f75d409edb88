"""Writes that happen whole or not at all, and the lock that keeps writers apart."""

import fcntl
import hashlib
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from store.errors import StoreError
from store.leases import Held, leased
from store.objects import ObjectPath

TEMPORARY = ".tmp-"
"""Prefix of names that are not complete yet; readers pass over them."""


def temporary_beside(path: Path) -> Path:
    """Return a fresh name in the folder of ``path``, for what is later renamed to it."""
    return path.with_name(f"{TEMPORARY}{uuid4().hex}")


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path``, flush it to the disk and rename it; parent folders are made.

    An object is put, which is one step by itself.

    Raises
    ------
    StoreError
        If the file cannot be written; nothing is left beside.
    """
    if isinstance(path, ObjectPath):
        path.write_bytes(data)
        return
    temporary = temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        _discard(temporary)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8; see `write_bytes`."""
    write_bytes(path, text.encode())


def replace_folder(temporary: Path, final: Path) -> None:
    """Move a complete folder to its name in one step; a ``final`` that exists is kept instead.

    Raises
    ------
    StoreError
        If it cannot be moved; ``temporary`` is removed.
    """
    try:
        for folder, _, files in os.walk(temporary):
            for name in files:
                sync(Path(folder) / name)
            sync(Path(folder))
        final.parent.mkdir(parents=True, exist_ok=True)
        if not final.exists():
            os.rename(temporary, final)
        sync(final.parent)
    except OSError as error:
        raise unwritable(final, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Take a folder out of sight in one step, then delete it; of objects, first those that vouch for it."""
    if isinstance(path, ObjectPath):
        path.remove_tree()
        return
    aside = temporary_beside(path)
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unwritable(path, error) from error
    shutil.rmtree(aside, ignore_errors=True)


def sync(path: Path) -> None:
    """Flush one file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: Exception) -> StoreError:
    """Return the error of a path that cannot be written."""
    reason = getattr(error, "strerror", None) or str(error)
    return StoreError(f"to write {path}", reason, "free space, or choose a folder that can be written")


def file_digest(path: Path) -> str | None:
    """Return the SHA-256 of a file's bytes, or None if it cannot be read."""
    try:
        if isinstance(path, ObjectPath):
            return hashlib.sha256(path.read_bytes()).hexdigest()
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


@contextmanager
def exclusive_lock(path: Path) -> Iterator[Held]:
    """Hold the lock file ``path``; the operating system releases it when the process ends, however it ends.

    On an object store the lock is a lease (see `store.leases`), which may be lost to another writer: what is
    yielded raises then; call it before a commit.

    Raises
    ------
    StoreError
        At once, if another writer holds it, naming its process; or if the file cannot be written.
    """
    if isinstance(path, ObjectPath):
        with leased(path) as held:
            yield held
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        _acquire(descriptor, path)
        yield _always
    finally:
        os.close(descriptor)


def _always() -> None:
    """The system takes no lock away from a process that lives."""


def _acquire(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
        raise StoreError(
            f"no other writer in {path.parent}", f"{holder} writing to it", "wait until it ends, or stop it"
        ) from error
    except OSError as error:
        raise unwritable(path, error) from error


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # the write's own error says more


@contextmanager
def folder_aside(final: Path, *, renew: bool = False) -> Iterator[Path]:
    """Yield a fresh folder that becomes ``final`` in one step at the end, or vanishes if an error comes up.

    A ``final`` that exists is kept, or replaced to ``renew`` it. Objects cannot be renamed: there ``final``
    itself is yielded, and what vouches for the rest has to be written last.

    Raises
    ------
    StoreError
        If it cannot be made or moved.
    """
    if isinstance(final, ObjectPath):
        yield final
        return
    temporary = temporary_beside(final)
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise unwritable(final, error) from error
    try:
        yield temporary
        if renew:
            remove_folder(final)
        replace_folder(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
