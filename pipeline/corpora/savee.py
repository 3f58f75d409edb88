"""SAVEE: British English, four men, sentences of TIMIT, seven emotions.

Haq, Jackson (2010), "Multimodal emotion recognition", in Machine Audition, IGI Global.
Layout: ``AudioData/DC/a01.wav`` or, flat, ``DC_a01.wav`` = speaker, emotion (one letter, or sa, su) and
number. Each emotion has sentences of its own, so the text id is emotion and number; the texts are not shipped
with the names. The published WAV files have 44.1 kHz.
"""

import re
from pathlib import PurePosixPath

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import Names, Reading

SPEAKERS = ("DC", "JE", "JK", "KL")

_NAME = re.compile(r"(?:([A-Z]{2})_)?(sa|su|[adfhn])(\d{2})")


def read(path: PurePosixPath) -> Reading | str:
    """Return what ``DC/a01`` or ``DC_a01`` says, or why it is none."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return "the name is not emotion and number as in DC/a01 or DC_a01"
    label, number = match[2], match[3]
    speaker = match[1] or path.parent.name.upper()
    if speaker not in SPEAKERS:
        return f"speaker {speaker or 'without a folder'} is not one of {', '.join(SPEAKERS)}"
    return Reading(
        speaker=speaker, gender="male", emotion_label=label, text_id=f"{label}{number}",
        name=f"{speaker}_{label}{number}",
    )  # fmt: skip


SAVEE = FolderCorpus(
    name="savee",
    language="en",
    licence="free for research, registration",
    folders=("SAVEE", "AudioData"),
    reader=lambda _root: Names(read),
)
