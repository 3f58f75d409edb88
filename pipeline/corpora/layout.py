"""Walks a corpus folder and turns file names into items; what all adapters share."""

import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.audio import UNREADABLE_SUFFIXES
from pipeline.corpora.walk import folders_in, hostile, printable, sound_files, stem_of
from store.errors import CorpusError
from store.records import Skipped


@dataclass(frozen=True)
class CorpusItem:
    """One recording as its name and its corpus's tables describe it; nothing here comes from the audio.

    ``stem`` is in NFC; ``path`` is relative to the corpus folder, with forward slashes, as on the disk.
    """

    stem: str
    path: str
    speaker: str
    gender: str
    emotion_label: str
    text: str | None
    text_id: str | None
    group: str | None = None


@dataclass(frozen=True)
class Reading:
    """What one file name says: the fields of `CorpusItem` without the place."""

    speaker: str
    gender: str
    emotion_label: str
    text: str | None
    text_id: str | None
    group: str | None = None


StemReader = Callable[[str], "Reading | str"]
"""Reads a stem: what it says, or the reason why it names no recording of the corpus."""


@dataclass(frozen=True)
class Names:
    """How one corpus folder is read: the reader of its stems; stem -> entry of its table, if it has one."""

    read: StemReader
    listed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FolderCorpus:
    """A corpus whose recordings lie anywhere below one folder and are told apart by their names.

    ``folders`` are the names under which the corpus is usually unpacked; ``reader`` says how the
    names in one corpus folder are read (it may read a table there).
    """

    name: str
    language: str
    licence: str
    folders: tuple[str, ...]
    reader: Callable[[Path], Names]
    synthetic: bool = False

    def folder(self, corpora: Path) -> Path:
        """Return where the corpus lies under ``corpora``: a known folder name in any case, else ``name``."""
        wanted = [name.casefold() for name in (self.name, *self.folders)]
        found = {name.casefold(): corpora / name for name in folders_in(corpora)}
        return next((found[name] for name in wanted if name in found), corpora / self.name)

    def items(self, root: Path) -> Iterator[CorpusItem | Skipped]:
        """Yield an item for each recording below ``root``, a `Skipped` row for each sound file that is none.

        The order is that of the paths, shallow ones first, so that the copy nested inside some downloads is
        recognised as the second of its name. Raises `CorpusError` where a table of the corpus is missing or
        damaged.
        """
        names = self.reader(root)
        seen: dict[str, str] = {}
        mentioned: set[str] = set()
        paths, unlisted = sound_files(root)
        for folder, reason in unlisted:
            yield self._skipped(folder, reason)
        for path in paths:
            mentioned.add(stem_of(path))
            yield self._item(path, names.read, seen)
        for stem in sorted(set(names.listed) - mentioned):
            yield self._skipped(names.listed[stem], "the corpus's table lists the file, the folder lacks it")

    def _item(self, path: str, read: StemReader, seen: dict[str, str]) -> CorpusItem | Skipped:
        stem, suffix = stem_of(path), os.path.splitext(path)[1].lower()
        if reason := hostile(path):
            return self._skipped(path, reason)
        reading = read(stem)
        if isinstance(reading, str):
            return self._skipped(path, reading)
        if suffix in UNREADABLE_SUFFIXES:
            return self._skipped(path, f"libsndfile cannot read {suffix}; convert it to WAV or FLAC")
        if stem in seen:
            return self._skipped(path, f"a second file of the name {stem}; {seen[stem]} is used")
        seen[stem] = path
        return CorpusItem(
            stem, path, reading.speaker, reading.gender, reading.emotion_label,
            reading.text, reading.text_id, reading.group,
        )  # fmt: skip

    def _skipped(self, path: str, reason: str) -> Skipped:
        shown = printable(unicodedata.normalize("NFC", path))
        identifier = f"{self.name}/{stem_of(shown)}"
        return Skipped(utterance=identifier, corpus=self.name, path=shown, stage="ingest", reason=reason)


@dataclass(frozen=True)
class FixedTexts:
    """The speakers (name -> gender) and sentences (id -> text) of a corpus that has a closed list of both."""

    corpus: str
    genders: Mapping[str, str]
    texts: Mapping[str, str]

    def reading(self, speaker: str, label: str, text_id: str) -> Reading | str:
        """Return the reading of one name, or the reason why its speaker or sentence is not of the corpus."""
        if speaker not in self.genders:
            return f"speaker {speaker} is not one of the {len(self.genders)} of {self.corpus}"
        if text_id not in self.texts:
            return f"text {text_id} is not one of the {len(self.texts)} of {self.corpus}"
        return Reading(speaker, self.genders[speaker], label, self.texts[text_id], text_id)


def read_table(path: Path, columns: Sequence[str], remedy: str) -> list[dict[str, str]]:
    """Return the rows of a tab-separated table with a header line, blanks around values removed.

    Raises
    ------
    CorpusError
        The table is missing, is not UTF-8, lacks a column, or has a row of another width.
    """
    expected = f"a table {path.name} with the columns {', '.join(columns)}"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise CorpusError(expected, f"{path} unreadable ({reason})", remedy) from error
    header = [value.strip() for value in lines[0].split("\t")] if lines else []
    if missing := [name for name in columns if name not in header]:
        raise CorpusError(expected, f"{path} without {', '.join(missing)}", remedy)
    rows = [[value.strip() for value in line.split("\t")] for line in lines[1:] if line.strip()]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise CorpusError(expected, f"{len(row)} instead of {len(header)} values in row {number}", remedy)
    return [dict(zip(header, row, strict=True)) for row in rows]
