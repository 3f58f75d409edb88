"""Tombstones: salted hashes of the speakers, utterances and audio that a store must not take in again."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any
from unicodedata import normalize

from store.digests import Json
from store.documents import read_document, write_document
from store.errors import StoreError
from store.layout import Layout
from store.records import Skipped, Utterance

SPEAKER, UTTERANCE, AUDIO = "speaker", "utterance", "audio"
REASON = "forgotten on request"
STAGE = "forget"
ALIAS_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """One thing not to be taken in: ``kind`` is speaker, utterance or audio; ``receipt`` says by which order.

    ``hash`` is the SHA-256 of the store's salt, the kind and the speaker key, utterance id or audio digest.
    """

    kind: str
    hash: str
    receipt: str


@dataclass(frozen=True)
class Tombstones:
    """All tombstones of a store with the salt of their hashes."""

    salt: str
    stones: tuple[Tombstone, ...] = ()

    @classmethod
    def fresh(cls) -> "Tombstones":
        """Return none, with a new random salt."""
        return cls(secrets.token_hex(32))

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return bool(self.stones)

    @cached_property
    def _hashes(self) -> frozenset[tuple[str, str]]:
        return frozenset((stone.kind, stone.hash) for stone in self.stones)

    def hash(self, kind: str, value: str) -> str:
        """Return the salted hash of a speaker key, utterance id or audio digest; names are hashed in NFC."""
        return sha256(f"{self.salt}\n{kind}\n{normalize('NFC', value)}".encode()).hexdigest()

    def holds(self, kind: str, value: str | None) -> bool:
        """Say whether a tombstone of this kind stands for ``value``."""
        return bool(self.stones) and value is not None and (kind, self.hash(kind, value)) in self._hashes

    def names(self, utterance_id: str, speaker_key: str | None = None) -> bool:
        """Say whether an utterance is forgotten by its id or its speaker, whatever its audio."""
        return self.holds(UTTERANCE, utterance_id) or self.holds(SPEAKER, speaker_key)

    def cover(self, utterance: Utterance) -> bool:
        """Say whether an utterance is forgotten by its id, its speaker or its audio."""
        return self.names(utterance.id, utterance.speaker_key) or self.holds(AUDIO, utterance.audio_sha256)

    def row(self, utterance_id: str) -> Skipped:
        """Return the row that stands for a forgotten utterance: its corpus and a hash, no name, no path."""
        corpus = utterance_id.split("/", 1)[0]
        alias = f"{corpus}/forgotten-{self.hash(UTTERANCE, utterance_id)[:ALIAS_LENGTH]}"
        return Skipped(utterance=alias, corpus=corpus, path="", stage=STAGE, reason=REASON)

    def added(self, receipt: str, things: Iterable[tuple[str, str]]) -> "Tombstones":
        """Return these and one tombstone for each (kind, value)."""
        new = [
            Tombstone(kind=kind, hash=self.hash(kind, value), receipt=receipt)
            for kind, value in sorted(set(things))
        ]
        return replace(self, stones=(*self.stones, *new))

    def of(self, receipt: str) -> "Tombstones":
        """Return those of one forgetting."""
        return replace(self, stones=tuple(stone for stone in self.stones if stone.receipt == receipt))

    def refuse(self, utterances: Iterable[Utterance], ids: Iterable[str] = ()) -> None:
        """Raise `StoreError` if any of ``utterances`` or ``ids`` is forgotten; none is named."""
        if not self.stones:
            return
        count = sum(self.cover(item) for item in utterances) + sum(self.names(name) for name in ids)
        if count:
            raise StoreError(
                "utterances that this store may hold",
                f"{count} that it forgot on request while this build was under way",
                "build again: the next build leaves them out",
            )


def read_tombstones(layout: Layout) -> Tombstones:
    """Return the tombstones of a store; StoreError if they are damaged, or lost although it forgot people."""
    path = layout.tombstones
    if not path.exists():
        if any(layout.forgotten.glob("[!.]*.json")):
            raise StoreError(
                f"tombstones in {path}, since people were forgotten",
                "no such file",
                "restore it from a backup",
            )
        return Tombstones.fresh()
    content = read_document(path)
    try:
        return from_json(content)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"tombstones in {path}", "another document", "restore it") from error


def write_tombstones(path: Path, tombstones: Tombstones) -> None:
    """Write tombstones as one document; StoreError if that is not possible."""
    write_document(path, as_json(tombstones))


def as_json(tombstones: Tombstones) -> dict[str, Json]:
    """Return tombstones as plain JSON."""
    stones: list[Json] = [[stone.kind, stone.hash, stone.receipt] for stone in tombstones.stones]
    return {"salt": tombstones.salt, "stones": stones}


def from_json(content: Mapping[str, Any]) -> Tombstones:
    """Return tombstones from what `as_json` gives; KeyError, TypeError or ValueError for anything else."""
    stones = tuple(Tombstone(kind=kind, hash=name, receipt=of) for kind, name, of in content["stones"])
    return Tombstones(str(content["salt"]), stones)
