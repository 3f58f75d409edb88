"""AESDD: Greek, five to six actors, twenty utterances, five emotions.

Vryzas, Kotsakis, Liatsou, Dimoulas, Kalliris (2018), "Speech emotion recognition for performance
interaction", J. Audio Eng. Soc. 66(6). Layout: ``anger/a03 (4).wav`` = emotion letter, utterance (20 is
improvised), speaker in brackets (once ``(01)``), letter of a further take. Which speaker is of which sex is
not documented; the texts are not shipped. The published WAV files have 44.1 kHz; ``s05 (3)`` is unreadable in
some copies.
"""

import re

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import Reading, by_stem

IMPROVISED = 20

_NAME = re.compile(r"([adfhs])(\d{2})[ab]? ?\((\d{1,2})\) ?[ab]?")


def read_stem(stem: str) -> Reading | str:
    """Return what a name such as ``a03 (4)`` says, or why it is none."""
    match = _NAME.fullmatch(stem)
    if match is None:
        return "the name is not emotion, utterance and speaker as in a03 (4)"
    label, utterance, speaker = match[1], int(match[2]), int(match[3])
    if not 1 <= speaker <= 6:
        return f"speaker {speaker} is not one of the 6 of AESDD"
    if not 1 <= utterance <= IMPROVISED:
        return f"utterance {utterance} is not one of the {IMPROVISED} of AESDD"
    text_id = None if utterance == IMPROVISED else match[2]
    return Reading(speaker=str(speaker), gender="unknown", emotion_label=label, text_id=text_id)


AESDD = FolderCorpus(
    name="aesdd",
    language="el",
    licence="free for research (a later copy: CC-BY-4.0)",
    folders=("AESDD", "Acted Emotional Speech Dynamic Database"),
    reader=lambda _root: by_stem(read_stem),
)
