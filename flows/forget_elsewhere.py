"""What lies beside the store in a working folder and names people: caches are cleaned, the rest is named."""

import html
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unicodedata import normalize

import pyarrow as pa
import pyarrow.parquet

from pipeline.aligners.model import without_speakers
from pipeline.corpora.corpus import CorpusItem, corpus_by_name
from pipeline.hash_cache import AudioFacts, opened
from store.errors import PhonanchorError
from store.forget import Knowledge, Sighting
from store.garbage import remove
from store.tombstones import AUDIO

NOT_SEARCHED = ("store", "sample")
"""Parts of a working folder that hold no copies: the store itself, and speech that nobody spoke."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """How many files the hash caches do not know any more, and how many saved training runs are gone."""

    hashes: int
    training: int


def knowledge(corpora: Path | None) -> Knowledge:
    """Return what the store cannot tell: who speaks in a recording that was left out, how to mend a model.

    Without the folder of the corpora nobody can tell the first.
    """
    speakers: dict[str, dict[str, str]] = {}

    def speaker_of(utterance: str) -> str | None:
        corpus = utterance.split("/", 1)[0]
        if corpora is not None and corpus not in speakers:
            speakers[corpus] = _speakers(corpus, corpora)
        return speakers.get(corpus, {}).get(utterance)

    return Knowledge(speaker_of, without_speakers)


def _speakers(name: str, corpora: Path) -> dict[str, str]:
    """Return the speaker keys of all recordings in a corpus folder, by utterance id; none without it."""
    try:
        corpus = corpus_by_name(name)
        rows = [row for row in corpus.items(corpus.folder(corpora)) if isinstance(row, CorpusItem)]
    except (PhonanchorError, OSError):
        return {}
    return {f"{name}/{row.stem}": f"{name}/{row.speaker}" for row in rows}


def clean_caches(work: Path, seen: Sighting) -> Cleaned:
    """Take what is forgotten out of the hash caches, and remove the saved training runs that name it.

    Raises
    ------
    StoreError
        If a cache cannot be written.
    """
    paths = {f"/{name}" for name in _paths(seen)}
    hashes = 0
    for corpus in sorted(seen.plan.survey.corpora):
        cache = work / "cache" / f"{corpus}.json"
        if cache.exists():
            with opened(cache) as known:
                hashes += known.drop(partial(_unwanted, seen, paths))
    runs = [
        path for path in sorted((work / "cache" / "training").glob("*.json")) if _names(path, seen.utterances)
    ]
    for path in runs:
        remove(path)
    return Cleaned(hashes, len(runs))


def _paths(seen: Sighting) -> Iterator[str]:
    survey = seen.plan.survey
    yield from (item.path for item in survey.utterances if item.id in survey.gone)
    for table in survey.manifests:
        yield from (row.path for row in table.skipped if row.utterance in survey.gone)


def _unwanted(seen: Sighting, paths: Collection[str], path: str, facts: AudioFacts) -> bool:
    return seen.tombstones.holds(AUDIO, facts.sha256) or any(path.endswith(name) for name in paths)


def holders(work: Path, names: Collection[str]) -> tuple[str, ...]:
    """Return the run folders, and the files elsewhere in a working folder, that hold any of ``names``."""
    found = set()
    for path in sorted(item for item in work.rglob("*") if item.is_file()):
        parts = path.relative_to(work).parts
        place = "/".join(parts[:2]) if parts[0] == "runs" else "/".join(parts)
        if parts[0] not in NOT_SEARCHED and place not in found and _names(path, names):
            found.add(place)
    return tuple(sorted(found))


def _names(path: Path, names: Collection[str]) -> bool:
    """Say whether a file holds one of the names; a file that cannot be read is passed over."""
    try:
        if path.suffix == ".parquet":
            return not {normalize("NFC", name) for name in names}.isdisjoint(_texts(path))
        data = path.read_bytes()
    except (OSError, pa.ArrowException):
        return False
    return any(form in data for name in names for form in _forms(name))


def _texts(path: Path) -> set[str]:
    """Return all texts in the flat columns of a Parquet file, in NFC."""
    table = pyarrow.parquet.read_table(path, partitioning=None)
    columns = [column for column in table.columns if pa.types.is_string(column.type)]
    return {normalize("NFC", str(text)) for column in columns for text in column.unique().to_pylist()}


def _forms(name: str) -> set[bytes]:
    """Return how a name is written in text, JSON and HTML, in either form of Unicode."""
    escapes: tuple[Callable[[str], str], ...] = (str, html.escape, lambda text: json.dumps(text)[1:-1])
    names = (normalize("NFC", name), normalize("NFD", name))
    return {escape(form).encode() for form in names for escape in escapes}
