"""The generic corpus: any folder of recordings with a table ``manifest.csv`` that says what each one is.

The columns ``path``, ``speaker``, ``language`` and ``emotion`` must be there; ``utterance``, ``gender``,
``text``, ``text_id``, ``group``, ``split``, ``perceived``, ``arousal``, ``valence``, ``dominance`` and
``licence`` may. ``docs/corpora.md`` says what each means.
"""

import difflib
import unicodedata
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import Names, Reading
from pipeline.corpora.tables import gender, number, read_table
from store.errors import CorpusError
from store.vocabulary import EMOTIONS

TABLE = "manifest.csv"
REQUIRED = ("path", "speaker", "language", "emotion")
OPTIONAL = (
    "utterance", "gender", "text", "text_id", "group", "split", "perceived", "arousal", "valence",
    "dominance", "licence",
)  # fmt: skip
LABELS: Mapping[str, str] = {emotion: emotion for emotion in EMOTIONS}
_REMEDY = f"correct {TABLE}; docs/corpora.md describes its columns"


def reader(root: Path) -> Names:
    """Return how names are read at ``root``: by its manifest; `CorpusError` where that is damaged."""
    rows = read_table(root / TABLE, REQUIRED, _REMEDY)
    for column in rows[0] if rows else ():
        _require(column in (*REQUIRED, *OPTIONAL), f"a known column {_nearest(column)}", f"{column!a}")
    readings: dict[str, Reading] = {}
    names: dict[str, str] = {}
    for line, row in enumerate(rows, start=2):
        path = unicodedata.normalize("NFC", row["path"]).removeprefix("./")
        reading = _reading(row, path, line)
        _require(path not in readings, f"each path once, row {line}", f"{path!a} again")
        _require(reading.name not in names, f"each utterance once, row {line}", f"{reading.name!a} again")
        readings[path], names[str(reading.name)] = reading, path

    def read(path: PurePosixPath) -> Reading | str:
        return readings.get(path.as_posix()) or f"the name is not one that {TABLE} lists"

    return Names(read, names)


def manifest_corpus(name: str) -> FolderCorpus:
    """Return the corpus of the folder ``name`` that brings its own table; languages are those of its rows."""
    return FolderCorpus(
        name=name, language="mul", licence="not stated", folders=(), reader=reader, labels=LABELS
    )


def _reading(row: Mapping[str, str], path: str, line: int) -> Reading:
    for column in REQUIRED:
        _require(row[column] != "", f"a value of {column} in row {line}", "none")
    known = row["emotion"] in LABELS
    _require(known, f"an emotion of {', '.join(EMOTIONS)}, row {line}", f"{row['emotion']!a}")
    name = row.get("utterance") or PurePosixPath(path).stem
    _require("/" not in name and name.isprintable(), f"an utterance without slashes, row {line}", f"{name!a}")
    return Reading(
        name=unicodedata.normalize("NFC", name), speaker=row["speaker"], gender=gender(row.get("gender", "")),
        emotion_label=row["emotion"], language=row["language"], text=row.get("text") or None,
        text_id=row.get("text_id") or None, group=row.get("group") or None, split=row.get("split") or None,
        licence=row.get("licence") or None, perceived=_perceived(row.get("perceived", ""), line),
        arousal=_rating(row, "arousal", line), valence=_rating(row, "valence", line),
        dominance=_rating(row, "dominance", line),
    )  # fmt: skip


def _rating(row: Mapping[str, str], column: str, line: int) -> float | None:
    cell = row.get(column, "")
    value = number(cell)
    _require(value is not None or not cell, f"a number as {column}, row {line}", f"{cell!a}")
    return value


def _perceived(cell: str, line: int) -> dict[str, float]:
    """Return the shares of a cell such as ``anger=0.6; neutral=0.4``."""
    heard: dict[str, float] = {}
    for part in filter(str.strip, cell.split(";")):
        emotion, _, share = (piece.strip() for piece in part.partition("="))
        value = number(share)
        sound = emotion in LABELS and value is not None and 0 <= value <= 1
        _require(sound, f"perceived as anger=0.6; neutral=0.4 in row {line}", f"{part.strip()!a}")
        heard[emotion] = value or 0.0
    return heard


def _nearest(column: str) -> str:
    near = difflib.get_close_matches(column.lower(), (*REQUIRED, *OPTIONAL), n=1, cutoff=0.4)
    return f"(perhaps {near[0]})" if near else f"of {', '.join((*REQUIRED, *OPTIONAL))}"


def _require(condition: bool, expected: str, found: str) -> None:
    if not condition:
        raise CorpusError(f"{expected} of {TABLE}", found, _REMEDY)
