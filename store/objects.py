"""Places of a store: folders, and the same path operations on an S3-compatible object store, by obstore."""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path, PosixPath
from typing import TYPE_CHECKING, Any, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from store.errors import ConfigurationError, ObjectStoreError
from store.settings import object_store_settings

if TYPE_CHECKING:
    from obstore.store import ClientConfig

SCHEME = "s3://"
RETRIES = 3
RETRY_SECONDS = 20
"""An object store that does not answer is given up after this time, so that a command ends with a message."""
REQUESTS = 16
"""How many requests for small objects are under way at once."""

T = TypeVar("T")
S = TypeVar("S")


def place(uri: str | Path) -> Path:
    """Return where a store lies: an `ObjectPath` for ``s3://bucket/prefix``, else a path of the file system.

    Raises
    ------
    ConfigurationError
        If an ``s3://`` address names no bucket, or its prefix has a part that S3 clients rewrite.
    """
    if isinstance(uri, Path) or not uri.startswith(SCHEME):
        return Path(uri) if isinstance(uri, str) else uri
    parts = uri.removeprefix(SCHEME).rstrip("/").split("/")
    if not all(parts) or {".", ".."} & set(parts):
        raise ConfigurationError("an address like s3://bucket/prefix", repr(uri)[:200], "mend the address")
    return ObjectPath("/", *parts)


class ObjectPath(PosixPath):
    """A key below a bucket, with the path operations that the store uses.

    A "folder" is whatever keys have in common up to a slash: it is there while one of them is. What would
    reach for the file system raises `TypeError`. Operations raise `FileNotFoundError` where nothing is there,
    and `ObjectStoreError`, which no handler takes for damage, where the server fails or refuses.
    """

    _listed: os.stat_result | None = None
    """What a listing said of it, so that sizes of thousands of objects take no request each."""

    def __str__(self) -> str:
        plain = super().__str__()
        return f"{SCHEME}{plain[1:]}" if self.root else plain

    def __fspath__(self) -> str:
        raise TypeError(f"{self} is no path of the file system")

    @property
    def bucket(self) -> str:
        """The name of the bucket."""
        return self.parts[1]

    @property
    def key(self) -> str:
        """The key in the bucket, "" for the bucket itself."""
        return "/".join(self.parts[2:])

    @property
    def client(self) -> S3Store:
        """The bucket's client, as the environment describes it now; one for each process."""
        return _client(self.bucket, None, object_store_settings())

    @property
    def client_below(self) -> S3Store:
        """A client to which this folder is the whole bucket; zarr would make groups of the folders above."""
        return _client(self.bucket, self.key, object_store_settings())

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:  # noqa: ARG002 (there are no links)
        """Return the size and time of an object, or that it is a folder."""
        if self._listed is not None:
            return self._listed
        if self.key:
            try:
                with asking(self):
                    return _file(obstore.head(self.client, self.key))
            except FileNotFoundError:
                pass  # a folder, perhaps
        if next(self._below(chunk=1), None) is None:
            raise _absent(self)
        return _FOLDER

    def iterdir(self) -> Iterator["ObjectPath"]:  # type: ignore[override]
        """Yield what lies directly in a folder, in no order; nothing where there is none."""
        with asking(self):
            found = obstore.list_with_delimiter(self.client, self.key or None)
        yield from (self._at(prefix, _FOLDER) for prefix in found["common_prefixes"])
        yield from (self._at(item["path"], _file(item)) for item in found["objects"])

    def glob(self, pattern: str) -> Iterator["ObjectPath"]:  # type: ignore[override]
        """Yield what matches a relative pattern with one part for each level."""
        head, _, rest = pattern.partition("/")
        if not re.search(r"[*?\[]", head):
            found: Iterable[ObjectPath] = (self / head,) if rest or (self / head).exists() else ()
        else:
            found = (item for item in self.iterdir() if fnmatchcase(item.name, head))
        for item in found:
            if rest:
                yield from item.glob(rest)
            else:
                yield item

    def rglob(self, pattern: str) -> Iterator["ObjectPath"]:  # type: ignore[override]
        """Yield all objects and folders below whose name matches."""
        folders: set[ObjectPath] = set()
        for item in self._below():
            if fnmatchcase(item.name, pattern):
                yield item
            for parent in item.parents:
                if parent == self or parent in folders:
                    break
                folders.add(parent)
        for folder in folders:
            if fnmatchcase(folder.name, pattern):
                yield self._at(folder.key, _FOLDER)

    def read_bytes(self) -> bytes:
        """Return an object."""
        with asking(self):
            return bytes(obstore.get(self.client, self.key).bytes())

    def read_text(self, encoding: str | None = "utf-8", errors: str | None = None) -> str:
        """Return an object as text."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def write_bytes(self, data: Any) -> int:
        """Write an object whole, over one that is there."""
        with asking(self):
            obstore.put(self.client, self.key, data)
        return len(data)

    def create(self, data: bytes) -> bool:
        """Write an object unless there is one (``If-None-Match: *``); return whether ``data`` is there now.

        A request whose answer was lost is sent again by the client, and then finds its own object; so
        ``data`` that nobody else writes tells reliably who made it.
        """
        try:
            with asking(self):
                obstore.put(self.client, self.key, data, mode="create", use_multipart=False)
        except FileExistsError:
            return self.read_bytes() == data
        return True

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove an object."""
        if not missing_ok:
            self.stat()
        with asking(self):
            obstore.delete(self.client, self.key)

    def remove_tree(self) -> None:
        """Remove all objects below a folder; those on top, which vouch for the others, go first."""
        depths: dict[int, list[str]] = {}
        for item in self._below():
            depths.setdefault(len(item.parts), []).append(item.key)
        for _, keys in sorted(depths.items()):
            with asking(self):
                obstore.delete(self.client, keys)

    def _below(self, chunk: int = 1000) -> Iterator["ObjectPath"]:
        with asking(self):
            for batch in obstore.list(self.client, self.key or None, chunk_size=chunk):
                yield from (self._at(item["path"], _file(item)) for item in batch)

    def _at(self, key: str, listed: os.stat_result) -> "ObjectPath":
        item = ObjectPath("/", self.bucket, key)
        item._listed = listed
        return item


def each(function: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """Yield ``function`` of each item in order; where items lie on an object store, requests overlap."""
    listed = list(items)
    if not any(isinstance(item, ObjectPath) for item in listed[:1]):
        yield from map(function, listed)
        return
    with ThreadPoolExecutor(REQUESTS) as pool:
        yield from pool.map(function, listed)


_FOLDER = os.stat_result((stat.S_IFDIR, 0, 0, 1, 0, 0, 0, 0, 0, 0))


def _file(item: Any) -> os.stat_result:
    time = int(item["last_modified"].timestamp())
    return os.stat_result((stat.S_IFREG, 0, 0, 1, 0, 0, item["size"], time, time, time))


def _absent(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "no such object", str(path))


@contextmanager
def asking(path: Path) -> Iterator[None]:
    """Turn the errors of a request for an object into the built-in ones, or into one clear line.

    Raises
    ------
    FileNotFoundError, FileExistsError
        As for files.
    ObjectStoreError
        If the server does not answer or refuses.
    """
    if not isinstance(path, ObjectPath):
        yield
        return
    try:
        yield
    except AlreadyExistsError as error:
        raise FileExistsError(errno.EEXIST, "there is one already", str(path)) from error
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error):
            raise unavailable(path, "no such bucket") from error
        raise _absent(path) from error
    except BaseError as error:
        raise unavailable(path, _reason(error)) from error


def unavailable(path: Path, found: str) -> ObjectStoreError:
    """Return the error of an object store that cannot be reached or refuses."""
    endpoint = dict(object_store_settings()).get("endpoint", "Amazon S3")
    return ObjectStoreError(
        f"an answer from {endpoint} for {path}",
        found,
        "check that the server runs and has the bucket, and the variables AWS_ENDPOINT_URL, AWS_REGION,"
        " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )


def _reason(error: BaseError) -> str:
    """Return what a server said, or why there was no answer."""
    text = str(error).split("Debug source:", 1)[0]
    status, code = re.search(r"status code: (\d+ [A-Za-z ]+)", text), re.search(r"<Code>(\w+)</Code>", text)
    if status:
        return status[1].strip() + (f" ({code[1]})" if code else "")
    return f"no connection ({text.rsplit(' - ', 1)[-1].strip()[:200]})"


def path_of(client: S3Store) -> ObjectPath:
    """Return what a client of `ObjectPath.client_below` lies at."""
    return ObjectPath("/", str(client.config["bucket"]), client.prefix or "")


@cache
def _client(bucket: str, prefix: str | None, settings: tuple[tuple[str, str], ...]) -> S3Store:
    given = dict(settings)
    http = given.get("endpoint", "").startswith("http://")
    options: ClientConfig = {"allow_http": http, "timeout": "60s", "connect_timeout": "5s"}
    return S3Store(
        bucket,
        prefix=prefix,
        config=given,  # type: ignore[arg-type]
        client_options=options,
        retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
    )
