"""URDU: Urdu talk shows, 400 clips of unscripted speech, four emotions.

Latif, Qayyum, Usman, Qadir (2018), "Cross lingual speech emotion recognition: Urdu vs. western languages",
FIT. Layout: ``Angry/SM20_F8_A012.wav`` = speaker (S, sex M or F, number), file, emotion letter and number.
The README speaks of 38 speakers, the names of 29. The published WAV files have 44.1 kHz.
"""

import re

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import Reading, by_stem
from pipeline.corpora.tables import gender

_NAME = re.compile(r"(S([MF])\d+)_F\d+_([AHNS])\d+")


def read_stem(stem: str) -> Reading | str:
    """Return what a name such as ``SM20_F8_N012`` says, or why it is none."""
    match = _NAME.fullmatch(stem)
    if match is None:
        return "the name is not speaker, file and emotion as in SM20_F8_N012"
    speaker, sex, label = match.groups()
    return Reading(speaker=speaker, gender=gender(sex), emotion_label=label)


URDU = FolderCorpus(
    name="urdu",
    language="ur",
    licence="research only",
    folders=("URDU", "URDU-Dataset", "URDU-Dataset-master"),
    reader=lambda _root: by_stem(read_stem),
)
