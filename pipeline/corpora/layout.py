"""Walks a corpus folder and turns file names into items; what all adapters share."""

import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.audio import UNREADABLE_SUFFIXES
from pipeline.corpora.reading import CorpusItem, LeftOut, Names, Reading
from pipeline.corpora.walk import folders_in, hostile, printable, sound_files, stem_of
from store.records import Skipped

INGEST = "ingest"
"""Stage of the rows for files that cannot be used."""
SELECTION = "selection"
"""Stage of the rows for what is left out and takes nothing away: recordings that the corpus's own rules leave
out, copies of the same name and size, and companion files of macOS."""
APPLE_DOUBLE = "._"
"""How macOS begins the name of the file in which it keeps the attributes of another."""


@dataclass(frozen=True)
class FolderCorpus:
    """A corpus whose recordings lie anywhere below one folder and are told apart by their names.

    ``folders`` are the names under which the corpus is usually unpacked; ``reader`` says how the
    names in one corpus folder are read (it may read a table there); ``labels`` are native -> canonical
    emotions, None for those of ``labels.toml``.
    """

    name: str
    language: str
    licence: str
    folders: tuple[str, ...]
    reader: Callable[[Path], Names]
    synthetic: bool = False
    labels: Mapping[str, str] | None = None

    def folder(self, corpora: Path) -> Path:
        """Return where the corpus lies under ``corpora``: a known folder name in any case, else ``name``."""
        wanted = [name.casefold() for name in (self.name, *self.folders)]
        found = {
            unicodedata.normalize("NFC", name).casefold(): corpora / name for name in folders_in(corpora)
        }
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
            row = self._item(root, path, names, seen)
            if isinstance(row, CorpusItem):
                mentioned.add(row.stem)
            if row is not None:
                yield row
        for name in sorted(set(names.listed) - mentioned):
            yield self._skipped(names.listed[name], "the corpus's table lists the file, the folder lacks it")

    def _item(self, root: Path, path: str, names: Names, seen: dict[str, str]) -> CorpusItem | Skipped | None:
        if reason := hostile(path):
            return self._skipped(path, reason)
        if path.rsplit("/", 1)[-1].startswith(APPLE_DOUBLE):
            return self._skipped(path, "attributes that macOS wrote beside a file, no sound", SELECTION)
        reading = names.read(PurePosixPath(unicodedata.normalize("NFC", path)))
        if isinstance(reading, str):
            return self._skipped(path, reading)
        if isinstance(reading, LeftOut):
            return self._skipped(path, reading.reason, SELECTION)
        return None if reading is None else self._placed(root, path, reading, seen)

    def _placed(self, root: Path, path: str, reading: Reading, seen: dict[str, str]) -> CorpusItem | Skipped:
        suffix, stem = os.path.splitext(path)[1].lower(), reading.name or stem_of(path)
        if suffix in UNREADABLE_SUFFIXES:
            return self._skipped(path, f"libsndfile cannot read {suffix}; convert it to WAV or FLAC")
        if stem in seen:
            if _same_size(root / path, root / seen[stem]):
                return self._skipped(path, "a second file of the same name and size", SELECTION)
            return self._skipped(path, f"a second file of the name {stem}; {seen[stem]} is used")
        seen[stem] = path
        return CorpusItem(stem=stem, path=path, **vars(reading))

    def _skipped(self, path: str, reason: str, stage: str = INGEST) -> Skipped:
        shown = printable(unicodedata.normalize("NFC", path))
        identifier = f"{self.name}/{stem_of(shown)}"
        return Skipped(utterance=identifier, corpus=self.name, path=shown, stage=stage, reason=reason)


def _same_size(one: Path, other: Path) -> bool:
    try:
        return one.stat().st_size == other.stat().st_size
    except OSError:
        return False  # ingest reads the first and says what is wrong with it
