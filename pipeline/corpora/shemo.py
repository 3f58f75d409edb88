"""ShEMO: Persian, 87 speakers in radio plays, five emotions and neutral.

Mohamad Nezami, Jamshid Lou, Karami (2019), "ShEMO: a large-scale validated database for Persian speech
emotion detection", Language Resources and Evaluation 53. Layout: ``male/M36S02.wav`` = sex, speaker, emotion
letter, number. A corrected release adds ``modified_shemo.json`` (name.wav -> emotion, transcript, ...): where
it lies in the folder, its emotions and texts hold and files that it does not list are left out. The published
WAV files have 44.1 kHz.
"""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import LeftOut, Names, Reading
from pipeline.corpora.tables import find_table, gender, read_json
from store.errors import CorpusError

LIST = "modified_shemo.json"
_REMEDY = f"unpack the corrected list again, or remove it to use the original release without {LIST}"
_NAME = re.compile(r"([MF]\d{2})([AFHNSW])\d{2,}")


def reader(root: Path) -> Names:
    """Return how names are read at ``root``: by the corrected list where it is there, else by themselves."""
    path = find_table(root, LIST)
    corrected = None if path is None else _corrected(path)

    def read_stem(stem: str) -> Reading | LeftOut | str:
        match = _NAME.fullmatch(stem)
        if match is None:
            return "the name is not sex, speaker, emotion and number as in M36S02"
        speaker, label = match.groups()
        if corrected is None:
            return Reading(speaker=speaker, gender=gender(speaker), emotion_label=label)
        entry = corrected.get(stem)
        if entry is None:
            return LeftOut(f"{LIST} does not list the file")
        text = str(entry.get("transcript") or "").strip() or None
        return Reading(speaker=speaker, gender=gender(speaker), emotion_label=entry["emotion"], text=text)

    listed = {stem: str(entry.get("path") or f"{stem}.wav") for stem, entry in (corrected or {}).items()}
    return Names(lambda path: read_stem(path.stem), listed)


def _corrected(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return the entries of the corrected list by stem; raises `CorpusError` where it is damaged."""
    entries = read_json(path, _REMEDY)
    whole = isinstance(entries, dict) and all(
        isinstance(entry, dict) and isinstance(entry.get("emotion"), str) for entry in entries.values()
    )
    if not whole:
        raise CorpusError(
            "an object name.wav -> {emotion, transcript, ...}", f"other JSON in {path}", _REMEDY
        )
    return {unicodedata.normalize("NFC", name).rsplit(".wav", 1)[0]: row for name, row in entries.items()}


SHEMO = FolderCorpus(
    name="shemo",
    language="fa",
    licence="free for academic use",
    folders=("ShEMO", "ShEMO-master", "modified-shemo"),
    reader=reader,
)
