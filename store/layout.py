"""Where everything lies in a store, and which names from outside may become part of a path."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from store.atomic import TEMPORARY
from store.errors import StoreError

LONGEST_NAME = 120


def folder_name(name: str) -> str:
    """Return a name from outside as one safe path component: plain names stay, other characters become %XX.

    Raises
    ------
    StoreError
        If the name is empty, too long, starts with a dot or holds a path separator or control character.
    """
    plain = unicodedata.normalize("NFC", name)
    odd = any(char in "/\\" or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in plain)
    if not plain or odd or plain.startswith(".") or len(plain.encode(errors="replace")) > LONGEST_NAME:
        raise StoreError(
            f"a name of 1 to {LONGEST_NAME} bytes without separators, control characters or a leading dot",
            repr(name)[:200],
            "rename it",
        )
    return quote(plain, safe=" +=@()")


def plain_name(folder: str) -> str:
    """Return the name that `folder_name` encoded."""
    return unquote(folder)


def is_digest(text: object) -> bool:
    """Say whether ``text`` is a SHA-256 in hex."""
    return isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef")


def checked_digest(text: str) -> str:
    """Return ``text`` if it is a SHA-256 in hex, so that it may become part of a path.

    Raises
    ------
    StoreError
        If it is anything else.
    """
    if not is_digest(text):
        raise StoreError("a digest of 64 hex digits", repr(text)[:100], "name it by its digest")
    return text


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of a store at ``root``."""

    root: Path

    @property
    def format(self) -> Path:
        """The format version document."""
        return self.root / "phonanchor.json"

    @property
    def head(self) -> Path:
        """The document that names the newest commit."""
        return self.root / "HEAD"

    @property
    def lock(self) -> Path:
        """The lock of the writer."""
        return self.root / "writer.lock"

    @property
    def tags_lock(self) -> Path:
        """The lock that keeps tags still while it is decided what may go."""
        return self.root / "tags.lock"

    @property
    def collected(self) -> Path:
        """The document that names the commits that were removed."""
        return self.root / "collected.json"

    @property
    def tombstones(self) -> Path:
        """The salted hashes of what must not be taken in again."""
        return self.root / "tombstones.json"

    @property
    def journal(self) -> Path:
        """The document that is there while a forgetting is unfinished."""
        return self.root / "forget.json"

    @property
    def forgotten(self) -> Path:
        """The folder of receipts of what was forgotten."""
        return self.root / "forgotten"

    @property
    def readers(self) -> Path:
        """The folder of leases, one file for each process that reads."""
        return self.root / "readers"

    @property
    def staging(self) -> Path:
        """The folder that holds what a forgetting moves into place."""
        return self.root / f"{TEMPORARY}forget"

    @property
    def specs(self) -> Path:
        """The folder of feature specs."""
        return self.root / "specs"

    @property
    def tags(self) -> Path:
        """The folder of tags."""
        return self.root / "tags"

    @property
    def arrays(self) -> Path:
        """The folder of arrays, by spec digest and corpus."""
        return self.root / "arrays"

    @property
    def all_receipts(self) -> Path:
        """The folder of receipts, by spec digest and corpus."""
        return self.root / "receipts"

    @property
    def manifests(self) -> Path:
        """The folder of manifests."""
        return self.root / "manifests"

    @property
    def alignment_tables(self) -> Path:
        """The folder of alignments."""
        return self.root / "alignments"

    @property
    def models(self) -> Path:
        """The folder of trained aligner models."""
        return self.root / "models"

    @property
    def snapshots(self) -> Path:
        """The folder of snapshots."""
        return self.root / "snapshots"

    @property
    def exports(self) -> Path:
        """The folder that says which exports were made."""
        return self.root / "exports"

    def manifest(self, digest: str) -> Path:
        """The utterances of a manifest."""
        return self.manifests / f"{checked_digest(digest)}.parquet"

    def manifest_skipped(self, digest: str) -> Path:
        """What the manifest left out."""
        return self.manifests / f"{checked_digest(digest)}.skipped.parquet"

    def alignments(self, digest: str) -> Path:
        """The alignments of one corpus by one aligner."""
        return self.alignment_tables / f"{checked_digest(digest)}.parquet"

    def unaligned(self, digest: str) -> Path:
        """What could not be aligned."""
        return self.alignment_tables / f"{checked_digest(digest)}.unaligned.parquet"

    def latest_alignments(self, corpus: str, aligner: str) -> Path:
        """The pointer to the newest alignments of a corpus by an aligner."""
        return self.alignment_tables / "latest" / folder_name(corpus) / f"{folder_name(aligner)}.json"

    def model(self, digest: str) -> Path:
        """A trained aligner model."""
        return self.models / f"{checked_digest(digest)}.bin"

    def latest_model(self, name: str) -> Path:
        """The pointer to the newest model of a name."""
        return self.models / "latest" / f"{folder_name(name)}.json"

    def spec(self, digest: str) -> Path:
        """A feature spec."""
        return self.specs / f"{checked_digest(digest)}.json"

    def array(self, spec: str, corpus: str) -> Path:
        """The Zarr array of a (spec digest, corpus)."""
        return self.arrays / checked_digest(spec) / folder_name(corpus) / "values"

    def receipts(self, spec: str, corpus: str) -> Path:
        """The folder of receipts of a (spec digest, corpus)."""
        return self.all_receipts / checked_digest(spec) / folder_name(corpus)

    def receipt(self, spec: str, corpus: str, start: int) -> Path:
        """The receipt of the work item whose rows begin at ``start``."""
        return self.receipts(spec, corpus) / f"{start:012d}.json"

    def claims(self, spec: str, corpus: str) -> Path:
        """The folder of claims of a (spec digest, corpus), on an object store."""
        return self.root / "claims" / checked_digest(spec) / folder_name(corpus)

    def claim(self, spec: str, corpus: str, start: int) -> Path:
        """The claim on the rows that begin at ``start``."""
        return self.claims(spec, corpus) / f"{start:012d}.json"

    def snapshot(self, identifier: str) -> Path:
        """The folder of a snapshot."""
        return self.snapshots / checked_digest(identifier)

    def commit(self, number: int) -> Path:
        """One entry of the log."""
        return self.root / "commits" / f"{number:08d}.json"

    def tag(self, name: str) -> Path:
        """A name for a commit."""
        return self.tags / f"{folder_name(name)}.json"


def index_path(folder: Path, spec: str, corpus: str) -> Path:
    """Return the index of a (spec digest, corpus) in a snapshot's folder."""
    return folder / checked_digest(spec) / f"{folder_name(corpus)}.parquet"
