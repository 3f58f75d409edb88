"""ESD: the Emotional Speech Database, 350 parallel sentences in English and in Mandarin, five emotions.

Zhou, Sisman, Liu, Li (2022), "Emotional voice conversion: theory, databases and ESD", Speech Communication
137. Layout: ``0011/Angry/train/0011_000351.wav``, or re-packed without train/, evaluation/ and test/;
``0011/0011.txt`` = id, text, emotion, in four encodings, some lines without tabs. Speakers 0001-0010 speak
Mandarin, 0011-0020 English: two corpora in one folder. The number gives the sentence, the folder the emotion.
The published WAV files have 16 kHz and one channel.
"""

import re
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path, PurePosixPath

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import Names, Reading
from pipeline.corpora.tables import require_table
from store.errors import CorpusError

MANDARIN, ENGLISH = range(1, 11), range(11, 21)
WOMEN = frozenset({1, 2, 3, 7, 9, 15, 16, 17, 18, 19})
EMOTIONS = ("Neutral", "Angry", "Happy", "Sad", "Surprise")
"""In the order of the numbers: 350 sentences each."""
SENTENCES = 350
_VALIDATION, _TEST = range(1, 21), range(21, 51)
_FOLDERS = {"train": "train", "evaluation": "validation", "test": "test"}

_NAME = re.compile(r"(\d{4})_(\d{6})")
_LINE = re.compile(r"(\d{4}_\d{6})\s+(\S.*)")
_WORDS = "Neutral|Angry|Happy|Sad|Surprise|中立|生气|快乐|伤心|惊喜"
_EMOTION_WORD = re.compile(rf"\s*(?:{_WORDS})\s*$", re.IGNORECASE)
_REMEDY = "unpack the transcripts NNNN.txt of the corpus beside the folders of emotions"


def reader(speakers: range, root: Path) -> Names:
    """Return how the names of ``speakers`` are read at ``root``; the others are the sister corpus's."""

    @cache
    def texts(speaker: str) -> Mapping[str, str]:
        encoding = "gb18030" if int(speaker) in MANDARIN else "cp1252"
        return transcripts(require_table(root, _REMEDY, f"{speaker}.txt"), encoding)

    def read(path: PurePosixPath) -> Reading | str | None:
        match = _NAME.fullmatch(path.stem)
        if match is None:
            return "the name is not speaker and number as in 0011_000351"
        speaker, number = match[1], int(match[2])
        if not 1 <= int(speaker) <= 20:
            return f"speaker {speaker} is not one of the 20 of ESD"
        if int(speaker) not in speakers:
            return None
        if not 1 <= number <= SENTENCES * len(EMOTIONS):
            return f"number {number} is not one of the {SENTENCES * len(EMOTIONS)} of each speaker"
        sentence = (number - 1) % SENTENCES + 1
        return Reading(
            speaker=speaker, gender="female" if int(speaker) in WOMEN else "male",
            emotion_label=_emotion(path, number), text=texts(speaker).get(path.stem),
            text_id=f"{sentence:03d}", split=_split(path, sentence),
        )  # fmt: skip

    return Names(read)


def transcripts(path: Path, encoding: str) -> dict[str, str]:
    """Return text by recording of one speaker's file; `CorpusError` where no line has an id and a text."""
    found = {}
    for line in _decoded(path.read_bytes(), encoding).splitlines():
        if match := _LINE.fullmatch(line.strip("\ufeff \t")):
            said = _EMOTION_WORD.sub("", match[2]).strip()
            if said:
                found[match[1]] = said
    if not found:
        raise CorpusError("lines of id, text and emotion", f"none in {path}", _REMEDY)
    return found


def _decoded(raw: bytes, encoding: str) -> str:
    """Return the text of bytes in UTF-16 (with or without a mark), in UTF-8, else in ``encoding``."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace")
    if b"\0" in raw[:64]:
        return raw.decode("utf-16-le" if raw[1:2] == b"\0" else "utf-16-be", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode(encoding, errors="replace")


def _emotion(path: PurePosixPath, number: int) -> str:
    """Return the emotion of the folder, or where none is named, of the number."""
    folders = {part.capitalize() for part in path.parent.parts}
    return next((name for name in EMOTIONS if name in folders), EMOTIONS[(number - 1) // SENTENCES])


def _split(path: PurePosixPath, sentence: int) -> str:
    named = [_FOLDERS[part.lower()] for part in path.parent.parts if part.lower() in _FOLDERS]
    if named:
        return named[-1]
    if sentence in _VALIDATION:
        return "validation"
    return "test" if sentence in _TEST else "train"


def _half(name: str, language: str, speakers: range) -> FolderCorpus:
    return FolderCorpus(
        name=name,
        language=language,
        licence="research only, licence form",
        folders=("ESD", "Emotion Speech Dataset", "Emotional Speech Dataset (ESD)"),
        reader=partial(reader, speakers),
    )


ESD_EN = _half("esd-en", "en", ENGLISH)
ESD_ZH = _half("esd-zh", "cmn", MANDARIN)
