"""EYASE: Egyptian Arabic, six actors of one television series, four emotions.

Abdel-Hamid (2020), "Egyptian Arabic speech emotion recognition using prosodic, spectral and wavelet
features", Speech Communication 122. Layout: one folder a speaker, ``MAL_AsserYassin_ang_2646.wav`` or
``MAL_AsserYassin_ang (12).wav`` = sex (MAL, FEM), speaker, emotion, number. The published WAV files have
44.1 kHz; there are no texts.
"""

import re

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import Reading, by_stem
from pipeline.corpora.tables import gender

_NAME = re.compile(r"(MAL|FEM)[A-Z]*_(.+?)_(ang|hap|neu|sad)[ _(]*\d+\)?")


def read_stem(stem: str) -> Reading | str:
    """Return what a name such as ``MAL_AsserYassin_ang_2646`` says, or why it is none."""
    match = _NAME.fullmatch(stem)
    if match is None:
        return "the name is not sex, speaker, emotion and number as in MAL_AsserYassin_ang_2646"
    sex, speaker, label = match.groups()
    return Reading(speaker=speaker, gender=gender(sex), emotion_label=label)


EYASE = FolderCorpus(
    name="eyase",
    language="ar",
    licence="academic use",
    folders=("EYASE",),
    reader=lambda _root: by_stem(read_stem),
)
