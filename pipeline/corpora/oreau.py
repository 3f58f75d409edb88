"""Oréau: French, 32 speakers, 79 sentences, six emotions and neutral.

Kerkeni, Cleder, Serrestou, Raoof (2020), "French emotional speech database - Oréau", Zenodo 4405783.
Layout: ``OréauFR_02/f/sessj/10a02Ja.wav`` = sex (folder), speaker, sentence code, emotion letter, take. The
sentences were written for each emotion: the text id is emotion and code, and gives the emotion away; the
texts are not shipped with the names. The published WAV files have 44.1 kHz.
"""

import re
from pathlib import PurePosixPath

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import Names, Reading
from pipeline.corpora.tables import gender

_NAME = re.compile(r"(\d{2})(a\d{2}|z\d{2})([CDJNPST])[a-z]")


def read(path: PurePosixPath) -> Reading | str:
    """Return what a path such as ``f/sessj/10a02Ja`` says, or why it is none."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return "the name is not speaker, sentence, emotion and take as in 10a02Ja"
    speaker, code, label = match.groups()
    sex = next((part for part in path.parent.parts if part in ("f", "m")), "")
    return Reading(speaker=speaker, gender=gender(sex), emotion_label=label, text_id=f"{label}{code}")


OREAU = FolderCorpus(
    name="oreau",
    language="fr",
    licence="CC-BY-4.0",
    folders=("Oréau", "OréauFR_02", "OreauFR_02"),
    reader=lambda _root: Names(read),
)
