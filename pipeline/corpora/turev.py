"""TurEV-DB: Turkish, six actors, one word a file, four emotions.

Canpolat, Ormanoğlu, Zeyrek (2020), "Turkish emotion voice database (TurEV-DB)", SLTU-CCURL.
Layout: ``Sound Source/Calm/1984_sk_eger.wav`` = speaker, emotion code (sk calm, mt happy, hl sad, kz angry),
word. Calm is a class of its own, not neutral. The sexes are not in the names. The published WAV files have
44.1 kHz.
"""

import re

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import Reading, by_stem

SPEAKERS = ("1157", "1234", "1358", "1984", "6783", "7895")

_NAME = re.compile(r"(\d{4})_([a-z]{2})_(\w+)")


def read_stem(stem: str) -> Reading | str:
    """Return what a name such as ``1984_sk_eger`` says, or why it is none."""
    match = _NAME.fullmatch(stem)
    if match is None:
        return "the name is not speaker, emotion code and word as in 1984_sk_eger"
    speaker, label, word = match.groups()
    if speaker not in SPEAKERS:
        return f"speaker {speaker} is not one of the {len(SPEAKERS)} of TurEV-DB"
    return Reading(speaker=speaker, gender="unknown", emotion_label=label, text=word, text_id=word.casefold())


TUREV = FolderCorpus(
    name="turev-db",
    language="tr",
    licence="CC-BY-NC-ND-4.0",
    folders=("TurEV-DB", "TurEV-DB-master", "turev"),
    reader=lambda _root: by_stem(read_stem),
)
