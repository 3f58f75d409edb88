"""The catalogue of a store, in a folder or on S3: manifests, alignments, models, specs, commits and tags."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from unicodedata import is_normalized

from store.atomic import TEMPORARY, exclusive_lock, unwritable, write_bytes, write_text
from store.documents import read_document, write_document
from store.entries import Commit, Placement, WantedRows
from store.errors import StoreError
from store.forget_journal import check_finished
from store.layout import Layout
from store.leases import server_time
from store.log import Log
from store.objects import ObjectPath, place
from store.receipts import read_placed, write_item
from store.records import Alignment, FeatureSpec, Skipped, Utterance
from store.specs import DIGEST_LENGTH, choose, known_specs, load_spec
from store.tables import content_digest, read_records, write_records
from store.tombstones import read_tombstones
from store.writer import StoreWriter

__all__ = ["Commit", "Placement", "Store", "StoreWriter", "WantedRows", "read_placed", "write_item"]

FORMAT = "phonanchor feature store"
FORMAT_VERSION = 2
"""2: the checksums of rows are CRC-32C, those of version 1 CRC-32."""
NAMED = 3
"""How many names an error gives."""

T = TypeVar("T")


class Store:
    """A store. All but HEAD, tags and pointers is immutable and named by its digest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.layout = Layout(path)
        self.log = Log(self.layout)

    @classmethod
    def create(cls, path: Path | str) -> "Store":
        """Open the store at ``path``, after making it if there is none.

        Raises
        ------
        StoreError
            If it cannot be written, is of another format version, other files lie there, or it is to lie on
            an object store that ignores conditional puts.
        ObjectStoreError
            If the object store does not answer or refuses; so for all that a store does.
        """
        store = cls(place(path))
        if isinstance(store.path, ObjectPath):
            server_time(store.path)
        try:
            occupied = store.path.exists() and any(
                not item.name.startswith(TEMPORARY) for item in store.path.iterdir()
            )
        except OSError as error:
            raise unwritable(store.path, error) from error
        if not store.layout.format.exists():
            if occupied:
                raise StoreError(
                    f"a store or an empty folder in {path}", "other files", "choose another folder"
                )
            content = {"format": FORMAT, "version": FORMAT_VERSION}
            write_text(store.layout.format, json.dumps(content, sort_keys=True) + "\n")
        return cls.open(path)

    @classmethod
    def open(cls, path: Path | str) -> "Store":
        """Open the store at ``path``.

        Raises
        ------
        StoreError
            If there is none, or it is of another format version.
        """
        store = cls(place(path))
        _check_format(store.layout.format)
        return store

    def put_manifest(self, utterances: Sequence[Utterance], skipped: Sequence[Skipped]) -> str:
        """Store a manifest and what it left out; return the digest of both, whatever their order.

        StoreError where it holds what was forgotten on request, an utterance twice, or names outside NFC.
        """
        _check_names(utterances)
        read_tombstones(self.layout).refuse(utterances, (row.utterance for row in skipped))
        first = _sorted(utterances, lambda item: item.id), Utterance
        second = _sorted(skipped, skipped_order), Skipped
        return put_pair(first, second, self.layout.manifest, self.layout.manifest_skipped)

    def manifest(self, digest: str) -> tuple[Utterance, ...]:
        """Return the utterances of a manifest, by id; StoreError if there is none."""
        return read_records(self.layout.manifest(digest), Utterance)

    def skipped(self, digest: str) -> tuple[Skipped, ...]:
        """Return what a manifest left out, with reasons; StoreError if there is no such manifest."""
        return read_records(self.layout.manifest_skipped(digest), Skipped)

    def put_alignments(
        self,
        corpus: str,
        aligner_digest: str,
        alignments: Sequence[Alignment],
        unaligned: Sequence[Skipped],
    ) -> str:
        """Store the alignments of a corpus by one aligner; return the digest, and remember them as latest.

        StoreError where they hold what was forgotten on request.
        """
        names = [*(row.utterance for row in alignments), *(row.utterance for row in unaligned)]
        read_tombstones(self.layout).refuse((), names)
        pointer = self.layout.latest_alignments(corpus, aligner_digest)
        first = _sorted(alignments, lambda item: item.utterance), Alignment
        second = _sorted(unaligned, skipped_order), Skipped
        identifier = put_pair(first, second, self.layout.alignments, self.layout.unaligned)
        _point(pointer, identifier)
        return identifier

    def alignments(self, digest: str) -> tuple[Alignment, ...]:
        """Return alignments, by utterance id; StoreError if there are none of that digest."""
        return read_records(self.layout.alignments(digest), Alignment)

    def unaligned(self, digest: str) -> tuple[Skipped, ...]:
        """Return what could not be aligned, with reasons; StoreError if there is no such digest."""
        return read_records(self.layout.unaligned(digest), Skipped)

    def latest_alignments(self, corpus: str, aligner_digest: str) -> tuple[Alignment, ...]:
        """Return the newest alignments of a corpus by an aligner, to be used again; () if there are none."""
        identifier = _pointed(self.layout.latest_alignments(corpus, aligner_digest))
        return self.alignments(identifier) if identifier else ()

    def put_model(self, name: str, data: bytes) -> str:
        """Store a trained aligner model and remember it as the latest of its name; return its SHA-256."""
        pointer, identifier = self.layout.latest_model(name), sha256(data).hexdigest()
        if not self.layout.model(identifier).exists():
            write_bytes(self.layout.model(identifier), data)
        _point(pointer, identifier)
        return identifier

    def model(self, digest: str) -> bytes:
        """Return a model; StoreError if it is missing or its bytes have another digest."""
        path = self.layout.model(digest)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StoreError(f"a model in {path}", error.strerror or "none", "train it again") from error
        if sha256(data).hexdigest() != digest:
            raise StoreError(f"a whole model in {path}", "other bytes", "delete it and train it again")
        return data

    def latest_model(self, name: str) -> tuple[str, bytes] | None:
        """Return the digest and bytes of the newest model of a name, or None."""
        identifier = _pointed(self.layout.latest_model(name))
        return (identifier, self.model(identifier)) if identifier else None

    def specs(self) -> tuple[FeatureSpec, ...]:
        """Return all specs that rows were ever reserved for, by name and version."""
        return known_specs(self.layout)

    def spec(self, digest_or_name: str) -> FeatureSpec:
        """Return a spec by digest, or by name: that of the newest commit, if several have the name.

        Raises
        ------
        StoreError
            If there is none, or several and none or several of them in the newest commit.
        """
        if len(digest_or_name) == DIGEST_LENGTH and self.layout.spec(digest_or_name).exists():
            return load_spec(self.layout, digest_or_name)
        head = self.head()
        needed = head.specs if head else ()
        if digest_or_name in needed:
            return load_spec(self.layout, digest_or_name)  # it says which document is missing
        return choose(self.specs(), digest_or_name, needed)

    @contextmanager
    def writer(self) -> Iterator[StoreWriter]:
        """Hold the store for writing.

        Raises
        ------
        StoreError
            At once, if another writer holds it, naming its process; or if a forgetting is unfinished.
        """
        with exclusive_lock(self.layout.lock) as held:
            check_finished(self.layout)
            yield StoreWriter(self.layout, self.log, held)

    def commits(self) -> tuple[Commit, ...]:
        """Return the log, oldest first."""
        return self.log.commits()

    def head(self) -> Commit | None:
        """Return the newest commit, or None in a store without any."""
        return self.log.head()

    def resolve(self, ref: str | None) -> Commit:
        """Return the commit of a tag, a full snapshot id or a unique prefix of one; the newest for None.

        Of several commits with the same snapshot, an id means the newest.

        Raises
        ------
        StoreError
            If there is none or several, listing what there is.
        """
        return self.log.resolve(ref)

    def tag(self, name: str, ref: str | None) -> None:
        """Give a commit a name for people; a tag that exists moves. StoreError as `resolve`."""
        check_finished(self.layout)
        self.log.tag(name, ref)

    def untag(self, name: str) -> None:
        """Remove a tag; StoreError if there is none of that name."""
        check_finished(self.layout)
        self.log.untag(name)

    def tags(self) -> dict[str, str]:
        """Return the snapshot id of each tag."""
        return self.log.tags()


def _check_names(utterances: Sequence[Utterance]) -> None:
    """Raise `StoreError` for names that folders and joins could not tell apart."""
    counts = Counter(item.id for item in utterances)
    bad = {name for name, count in counts.items() if count > 1 or not is_normalized("NFC", name)}
    bad |= {item.corpus for item in utterances if not is_normalized("NFC", item.corpus)}
    if bad:
        some = ", ".join(map(ascii, sorted(bad)[:NAMED]))
        raise StoreError(
            "each utterance once, its id and corpus in Unicode's form NFC",
            f"{len(bad)} other names: {some}",
            "rename them",
        )


def _sorted(records: Iterable[T], key: Callable[[T], str]) -> tuple[T, ...]:
    return tuple(sorted(records, key=key))


def skipped_order(item: Skipped) -> str:
    """Return what sorts rows of left-out items, so that their table has one digest."""
    return "\n".join((item.utterance, item.corpus, item.path, item.stage, item.reason))


def pair_digest(first: tuple[Sequence[Any], type[Any]], second: tuple[Sequence[Any], type[Any]]) -> str:
    """Return the digest of two tables that belong together."""
    text = content_digest(*first) + content_digest(*second)
    return sha256(text.encode()).hexdigest()


def put_pair(
    first: tuple[Sequence[Any], type[Any]],
    second: tuple[Sequence[Any], type[Any]],
    first_path: Callable[[str], Path],
    second_path: Callable[[str], Path],
) -> str:
    """Write two tables under their digest; the first one comes last, so that it vouches for the other."""
    identifier = pair_digest(first, second)
    if not first_path(identifier).exists():
        write_records(second_path(identifier), *second)
        write_records(first_path(identifier), *first)
    return identifier


def _point(path: Path, identifier: str) -> None:
    if _pointed(path) != identifier:
        write_document(path, {"latest": identifier})


def _pointed(path: Path) -> str | None:
    return str(read_document(path).get("latest")) if path.exists() else None


def _check_format(path: Path) -> None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        kind, version = content["format"], content["version"]
    except (FileNotFoundError, NotADirectoryError) as error:
        found = f"no {path.name}"
        raise StoreError(f"a store in {path.parent}", found, "build one, or name another folder") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"a store in {path.parent}", f"an unreadable {path.name}", "restore it") from error
    if (kind, version) != (FORMAT, FORMAT_VERSION):
        raise StoreError(
            f"{FORMAT}, format version {FORMAT_VERSION}, in {path.parent}",
            f"{kind}, version {version}",
            "use the Phonanchor version that wrote it, or another folder",
        )
