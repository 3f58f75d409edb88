"""The records of the catalogue: where rows lie, which are wanted, what a commit holds and what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from store.digests import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Rows that lie in the store: array rows [start, start + length) of one (spec digest, corpus).

    Rows are keyed by content and may belong to several utterances; ``utterance`` is "" where none is meant.
    """

    spec: str
    corpus: str
    utterance: str
    row_key: str
    start: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRows:
    """Rows that a snapshot is to list for one utterance; ``spec`` is a digest."""

    spec: str
    corpus: str
    utterance: str
    row_key: str
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRow:
    """One line of a snapshot's index; ``crc`` is the CRC-32C of the values, for each layer or one for all."""

    utterance: str
    row_key: str
    start: int
    length: int
    crc: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: what, in which file of the store, and the ids of the utterances it affects."""

    what: str
    where: str
    utterances: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One entry of the log: a snapshot with the manifest and alignments it was built from.

    ``snapshot`` is the content digest, ``created`` ISO 8601 in UTC, ``specs`` are digests; ``number`` counts
    the commits of a store from 1. Two commits may hold the same snapshot, for instance after a label changed.
    """

    snapshot: str
    created: str
    manifest: str
    alignments: tuple[str, ...]
    specs: tuple[str, ...]
    lineage: Mapping[str, Json] = field(default_factory=dict)
    number: int
