"""TESS: Canadian English, two actresses (64 and 26 years), 200 words in a carrier phrase, seven emotions.

Dupuis, Pichora-Fuller (2010), "Toronto emotional speech set", University of Toronto.
Layout: ``OAF_angry/OAF_back_angry.wav`` = speaker (OAF older, YAF younger), word, emotion (ps: pleasant
surprise); folder names vary in case and are not read. One file may be called ``OA_bite_neutral``. The zip of
Kaggle holds everything twice. The published WAV files have 24,414 Hz.
"""

import re

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import Reading, by_stem

_NAME = re.compile(r"(OAF?|YAF)_([a-z]+)_(angry|disgust|fear|happy|neutral|ps|sad)", re.IGNORECASE)


def read_stem(stem: str) -> Reading | str:
    """Return what a name such as ``OAF_back_angry`` says, or why it is none."""
    match = _NAME.fullmatch(stem)
    if match is None:
        return "the name is not speaker, word and emotion as in OAF_back_angry"
    speaker, word, label = match.groups()
    return Reading(
        speaker=f"{speaker[0].upper()}AF", gender="female", emotion_label=label.lower(),
        text=f"Say the word {word.lower()}.", text_id=word.lower(),
    )  # fmt: skip


TESS = FolderCorpus(
    name="tess",
    language="en",
    licence="CC-BY-NC-ND-4.0",
    folders=("TESS", "TESS Toronto emotional speech set data"),
    reader=lambda _root: by_stem(read_stem),
)
