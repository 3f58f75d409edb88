"""Splits as files: which utterance is in which part of which fold, and how that was made."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, combinations
from pathlib import Path
from typing import Any

from store.digests import Json, digest
from store.documents import read_document, write_document
from store.errors import SplitError, StoreError
from store.records import Utterance

FORMAT = "phonanchor split"
PART_NAMES = {
    "training": "train",
    "dev": "validation",
    "devel": "validation",
    "development": "validation",
    "val": "validation",
    "valid": "validation",
    "eval": "test",
    "evaluation": "test",
}
"""What corpora call their parts, and the usual name of it; other names stay as they are, in lower case."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Folds, numbered from 0: in each, utterance ids by part (``train``, ``validation``, ``test``, ...).

    ``snapshot`` and ``manifest`` name what it was made on, ``made`` says how. An utterance is in one part of
    a fold at most. The order of parts and ids has no meaning: `digest` sorts both.
    """

    name: str
    snapshot: str
    manifest: str
    made: Mapping[str, Json] = field(default_factory=dict)
    folds: tuple[Mapping[str, tuple[str, ...]], ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content; the ``sha256`` of the file."""
        return digest(self.canonical())

    @property
    def ids(self) -> frozenset[str]:
        """Every utterance that some fold names."""
        return frozenset(chain.from_iterable(chain.from_iterable(fold.values()) for fold in self.folds))

    def canonical(self) -> dict[str, Json]:
        """Return the split as plain JSON, parts and ids sorted."""
        folds = [{part: sorted(ids) for part, ids in sorted(fold.items())} for fold in self.folds]
        return {
            "format": FORMAT,
            "name": self.name,
            "snapshot": self.snapshot,
            "manifest": self.manifest,
            "made": dict(self.made),
            "folds": folds,
        }

    def parts(self, fold: int | None = None) -> dict[str, str]:
        """Return the part of each utterance in a fold; None means the only one.

        Raises
        ------
        SplitError
            If there is no such fold, or several and none is named.
        """
        number = 0 if fold is None and len(self.folds) == 1 else fold
        if number is None or not 0 <= number < len(self.folds):
            raise SplitError(
                f"a fold of the split {self.name}, 0 to {len(self.folds) - 1}",
                "none" if fold is None else str(fold),
                "name one of them",
            )
        return {name: part for part, ids in self.folds[number].items() for name in ids}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What two parts of a fold share: ``what`` is ``speakers``, ``audio`` or ``texts``; ``names`` sorted."""

    fold: int
    parts: tuple[str, str]
    what: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a split fits a manifest.

    ``missing`` are utterances of the split's corpora that no fold names, ``surplus`` those it names that are
    not in the manifest; ``made_here`` says whether it was made on the very same manifest.
    """

    split: str
    manifest: str
    made_here: bool
    missing: tuple[str, ...]
    surplus: tuple[str, ...]
    overlaps: tuple[Overlap, ...]

    def leaks(self, *, shared_speakers: bool = False) -> tuple[Overlap, ...]:
        """Return the overlaps that spoil a result: audio, and speakers unless they may be shared.

        Texts do not count: corpora of fixed sentences share them across speakers by design.
        """
        bad = {"audio"} if shared_speakers else {"audio", "speakers"}
        return tuple(item for item in self.overlaps if item.what in bad)


def write_split(path: Path, split: Split) -> None:
    """Write a split as one JSON document that carries its own digest.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    write_document(path, split.canonical())


def read_split(path: Path) -> Split:
    """Return the split of a file.

    Raises
    ------
    SplitError
        If it is missing, damaged, no split, or has an utterance in two parts of a fold.
    """
    try:
        content = read_document(path)
    except StoreError as error:
        raise SplitError(
            f"a split in {path}", error.found, "write it with 'phonanchor split make'"
        ) from error
    try:
        if content["format"] != FORMAT:
            raise ValueError(content["format"])
        split = Split(
            name=str(content["name"]),
            snapshot=str(content["snapshot"]),
            manifest=str(content["manifest"]),
            made=dict(content["made"]),
            folds=tuple(_fold(fold) for fold in content["folds"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SplitError(f"a split in {path}", "another document", "name the file of a split") from error
    _check_once(split)
    return split


def _fold(content: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {str(part): tuple(str(name) for name in ids) for part, ids in content.items()}


def _check_once(split: Split) -> None:
    for number, fold in enumerate(split.folds):
        counts = Counter(chain.from_iterable(fold.values()))
        twice = sorted(name for name, count in counts.items() if count > 1)
        if twice:
            raise SplitError(
                f"each utterance once in fold {number} of {split.name}",
                f"{len(twice)} more often: {', '.join(twice[:3])}",
                "mend the split",
            )


def official_split(name: str, utterances: Iterable[Utterance], *, snapshot: str, manifest: str) -> Split:
    """Return the corpora's own partition (`Utterance.split`) as one fold, parts under their usual names.

    Raises
    ------
    SplitError
        If no utterance has one.
    """
    parts: dict[str, list[str]] = {}
    corpora = set()
    for item in utterances:
        corpora.add(item.corpus)
        if item.split is not None:
            parts.setdefault(part_name(item.split), []).append(item.id)
    if not parts:
        raise SplitError(
            f"a partition that {', '.join(sorted(corpora)) or 'a corpus'} was published with",
            "none in the manifest",
            "make a speaker-disjoint split instead",
        )
    fold = {part: tuple(sorted(ids)) for part, ids in parts.items()}
    made: dict[str, Json] = {"by": "official", "corpora": sorted(corpora)}
    return Split(name=name, snapshot=snapshot, manifest=manifest, made=made, folds=(fold,))


def part_name(native: str) -> str:
    """Return the usual name of a corpus's part: ``dev`` is ``validation``, ``Train`` is ``train``."""
    plain = native.strip().casefold()
    return PART_NAMES.get(plain, plain)


def check_split(split: Split, utterances: Sequence[Utterance], manifest: str) -> Fit:
    """Return how a split fits the utterances of a manifest: what is missing, surplus or shared."""
    known = {item.id: item for item in utterances}
    corpora = {known[name].corpus if name in known else name.split("/", 1)[0] for name in split.ids}
    return Fit(
        split=split.digest,
        manifest=manifest,
        made_here=split.manifest == manifest,
        missing=tuple(sorted(u.id for u in utterances if u.corpus in corpora and u.id not in split.ids)),
        surplus=tuple(sorted(split.ids - known.keys())),
        overlaps=tuple(_overlaps(split, known)),
    )


def _overlaps(split: Split, known: Mapping[str, Utterance]) -> Iterator[Overlap]:
    for number, fold in enumerate(split.folds):
        sides = {part: [known[name] for name in ids if name in known] for part, ids in fold.items()}
        for one, other in combinations(sorted(sides), 2):
            for what, names in shared(sides[one], sides[other]).items():
                if names:
                    yield Overlap(fold=number, parts=(one, other), what=what, names=names)


def shared(first: Iterable[Utterance], second: Iterable[Utterance]) -> dict[str, tuple[str, ...]]:
    """Return what two sides share, sorted: ``speakers``, ``audio`` digests and ``texts`` (see `text_key`)."""
    one, other = tuple(first), tuple(second)
    keys = {
        "speakers": lambda item: item.speaker_key,
        "audio": lambda item: item.audio_sha256,
        "texts": text_key,
    }
    found = {what: {key(u) for u in one} & {key(u) for u in other} for what, key in keys.items()}
    return {what: tuple(sorted(names - {""})) for what, names in found.items()}


def text_key(item: Utterance) -> str:
    """Return what makes two texts the same: their words where known, else corpus and text id, else ""."""
    words = "".join(c if c.isalnum() else " " for c in (item.text or "").casefold()).split()
    return " ".join(words) or (f"{item.corpus}/{item.text_id}" if item.text_id else "")
