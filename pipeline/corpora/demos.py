"""DEMoS: Italian, 68 speakers, elicited moods: seven emotions, among them guilt, and neutral.

Parada-Cabaleiro, Costantini, Batliner, Schmitt, Schuller (2020), "DEMoS: an Italian emotional speech
corpus", Language Resources and Evaluation 54. Layout: ``DEMOS/PR_m_23_tri00a.wav`` = prototypical (PR) or
not (NP), sex, speaker, emotion with number and take; the neutral files in ``NEU/`` lack the prefix. The
published WAV files have 48 kHz; there are no texts.
"""

import re

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import Reading, by_stem
from pipeline.corpora.tables import gender

_NAME = re.compile(r"(?:.*_)?([mf])_(\d+)_([a-z]{3})\d+[a-z]?")  # read from the right


def read_stem(stem: str) -> Reading | str:
    """Return what a name such as ``PR_m_23_tri00a`` says, or why it is none."""
    match = _NAME.fullmatch(stem)
    if match is None:
        return "the name is not sex, speaker and emotion as in PR_m_23_tri00a"
    sex, speaker, label = match.groups()
    return Reading(speaker=f"{sex}_{speaker}", gender=gender(sex), emotion_label=label)


DEMOS = FolderCorpus(
    name="demos",
    language="it",
    licence="restricted, end user licence",
    folders=("DEMoS", "wav_DEMoS"),
    reader=lambda _root: by_stem(read_stem),
)
