"""EmoMatchSpanishDB: Spanish, fifty speakers, twelve sentences, six emotions and neutral.

Garcia-Cuesta, Barba Salvador, Gachet Páez (2024), "EmoMatchSpanishDB: study of speech emotion recognition
machine learning models in a new Spanish elicited database", Multimedia Tools and Applications 83.
Layout: ``03_Alegria_02.WAV`` = speaker, emotion, sentence; raw recordings circulate as ``3/Alegria__2.WAV``.
The sexes of 29 speakers are known; the texts are not shipped. The published WAV files have 48 kHz.
"""

import re
from pathlib import PurePosixPath

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import Names, Reading

MEN = frozenset({1, 2, 5, 9, 12, 13, 22, 23, 31, 35, 36, 37, 43})
WOMEN = frozenset({3, 4, 6, 7, 8, 10, 11, 20, 25, 29, 33, 40, 41, 45, 46, 49})
SENTENCES = 12

_NAME = re.compile(r"(?:(\d{1,2})_+)?([A-Za-z]+)_+(\d{1,2})")
_LABELS = ("Neutro", "Alegria", "Tristeza", "Ira", "Miedo", "Asco", "Sorpresa")


def read(path: PurePosixPath) -> Reading | str:
    """Return what ``03_Alegria_02`` or ``3/Alegria__2`` says, or why it is none."""
    match = _NAME.fullmatch(path.stem)
    if match is None or match[2].capitalize() not in _LABELS:
        return "the name is not speaker, emotion and sentence as in 03_Alegria_02 or 3/Alegria__2"
    number = match[1] or path.parent.name
    if not number.isdecimal():
        return f"no speaker: neither the name nor the folder {number!a} begins with a number"
    speaker, label, sentence = int(number), match[2].capitalize(), int(match[3])
    if not 1 <= sentence <= SENTENCES:
        return f"sentence {sentence} is not one of the {SENTENCES} of EmoMatchSpanishDB"
    return Reading(
        speaker=f"{speaker:02d}", gender=_gender(speaker), emotion_label=label, text_id=f"{sentence:02d}",
        name=f"{speaker:02d}_{label}_{sentence:02d}",
    )  # fmt: skip


def _gender(speaker: int) -> str:
    if speaker in MEN:
        return "male"
    return "female" if speaker in WOMEN else "unknown"


EMOMATCH = FolderCorpus(
    name="emomatch",
    language="es",
    licence="on request to the authors",
    folders=("EmoMatchSpanishDB", "EmoSpanishDB", "EmoMatch"),
    reader=lambda _root: Names(read),
)
