"""EMO-DB: German, ten actors, ten sentences, seven emotions.

Burkhardt, Paeschke, Rolfes, Sendlmeier, Weiss (2005), "A database of German emotional speech", Interspeech.
Layout: ``wav/03a01Fa.wav`` = speaker (2 digits), sentence (letter and 2 digits), emotion letter, take letter.
The published WAV files have 16 kHz and one channel.
"""

import re

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import FixedTexts, Reading, by_stem

GENDERS = {
    "03": "male", "08": "female", "09": "female", "10": "male", "11": "male",
    "12": "male", "13": "female", "14": "female", "15": "male", "16": "female",
}  # fmt: skip

TEXTS = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute Abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}

_KNOWN = FixedTexts("EMO-DB", GENDERS, TEXTS)
_NAME = re.compile(r"(\d{2})([a-z]\d{2})([A-Z])[a-z]")


def read_stem(stem: str) -> Reading | str:
    """Return what a name such as ``03a01Fa`` says, or why it is none."""
    match = _NAME.fullmatch(stem)
    if match is None:
        return "the name is not speaker, sentence, emotion and take as in 03a01Fa"
    speaker, text_id, label = match.groups()
    return _KNOWN.reading(speaker, label, text_id)


EMODB = FolderCorpus(
    name="emodb",
    language="de",
    licence="CC-BY-4.0",
    folders=("EMO-DB", "EmoDB", "Emo_DB", "berlin"),
    reader=lambda _root: by_stem(read_stem),
)
