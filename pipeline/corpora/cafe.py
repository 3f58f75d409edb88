"""CaFE: Canadian French, twelve actors, six sentences, six emotions at two intensities and neutral.

Gournay, Lahaie, Lefebvre (2018), "A Canadian French emotional speech dataset", ACM MMSys.
Layout: ``CaFE_48k/Colère/Fort/01-C-2-1.wav`` = actor (odd male, even female), emotion letter, intensity
(1 weak, 2 strong), sentence. Folder names are not read: some programs unpack them with broken accents. The
published WAV files have 48 kHz (and 192 kHz).
"""

import re

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import FixedTexts, Reading, by_stem

GENDERS = {f"{actor:02d}": "male" if actor % 2 else "female" for actor in range(1, 13)}

TEXTS = {
    "1": "Un cheval fou dans mon jardin.",
    "2": "Deux ânes aigris au pelage brun.",
    "3": "Trois cygnes aveugles au bord du lac.",
    "4": "Quatre vieilles truies éléphantesques.",
    "5": "Cinq pumas fiers et passionnés.",
    "6": "Six ours aimants domestiqués.",
}

_KNOWN = FixedTexts("CaFE", GENDERS, TEXTS)
_NAME = re.compile(r"(\d{2})-([CDJNPST])-[012]-(\d)")


def read_stem(stem: str) -> Reading | str:
    """Return what a name such as ``01-C-2-1`` says, or why it is none."""
    match = _NAME.fullmatch(stem)
    if match is None:
        return "the name is not actor, emotion, intensity and sentence as in 01-C-2-1"
    speaker, label, text_id = match.groups()
    return _KNOWN.reading(speaker, label, text_id)


CAFE = FolderCorpus(
    name="cafe",
    language="fr",
    licence="CC-BY-NC-SA-4.0",
    folders=("CaFE", "CaFE_48k", "CaFE_192k"),
    reader=lambda _root: by_stem(read_stem),
)
