"""RAVDESS speech: North American English, 24 actors, two sentences, eight emotions.

Livingstone, Russo (2018), "The Ryerson Audio-Visual Database of Emotional Speech and Song", PLoS ONE 13(5).
Layout: ``Actor_12/03-01-05-01-02-01-12.wav`` = modality (03 sound), channel (01 speech, 02 song), emotion,
intensity (01 normal, 02 strong), statement, repetition, actor (odd male, even female). The published WAV
files have 48 kHz and mix one and two channels; two names of actor 07 hold the same recording.
"""

import re

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import FixedTexts, LeftOut, Reading, by_stem

GENDERS = {f"{actor:02d}": "male" if actor % 2 else "female" for actor in range(1, 25)}

TEXTS = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}

_KNOWN = FixedTexts("RAVDESS", GENDERS, TEXTS)
_NAME = re.compile(r"(\d{2})-(\d{2})-(\d{2})-(?:01|02)-(\d{2})-(?:01|02)-(\d{2})")


def read_stem(stem: str) -> Reading | LeftOut | str:
    """Return what a name such as ``03-01-05-01-02-01-12`` says, or why it is no spoken recording."""
    match = _NAME.fullmatch(stem)
    if match is None:
        return "the name is not seven pairs of digits as in 03-01-05-01-02-01-12"
    modality, channel, label, text_id, speaker = match.groups()
    if modality != "03":
        return LeftOut(f"modality {modality} is film, not sound alone (03)")
    if channel != "01":
        return LeftOut(f"vocal channel {channel} is not speech (01)")
    return _KNOWN.reading(speaker, label, text_id)


RAVDESS = FolderCorpus(
    name="ravdess",
    language="en",
    licence="CC-BY-NC-SA-4.0",
    folders=("RAVDESS", "Audio_Speech_Actors_01-24"),
    reader=lambda _root: by_stem(read_stem),
)
