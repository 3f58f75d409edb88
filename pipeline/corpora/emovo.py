"""EMOVO: Italian, six actors, fourteen sentences, seven emotions.

Costantini, Iaderola, Paoloni, Todisco (2014), "EMOVO corpus: an Italian emotional speech database", LREC.
Layout: ``f1/dis-f1-b1.wav`` = emotion, speaker, sentence. The published WAV files have 48 kHz and mix
one and two channels.
"""

import re

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import FixedTexts, Reading, by_stem

GENDERS = {"f1": "female", "f2": "female", "f3": "female", "m1": "male", "m2": "male", "m3": "male"}

TEXTS = {
    "b1": "Gli operai si alzano presto.",
    "b2": "I vigili sono muniti di pistola.",
    "b3": "La cascata fa molto rumore.",
    "l1": "L'autunno prossimo Tony partirà per la Spagna: nella prima metà di ottobre.",
    "l2": "Ora prendo la felpa di là ed esco per fare una passeggiata.",
    "l3": "Un attimo dopo s'è incamminato … ed è inciampato.",
    "l4": "Vorrei il numero telefonico del Signor Piatti.",
    "n1": "La casa forte vuole col pane.",
    "n2": "La forza trova il passo e l'aglio rosso.",
    "n3": "Il gatto sta scorrendo nella pera.",
    "n4": "Insalata pastasciutta coscia d'agnello limoncello.",
    "n5": "Uno quarantatré dieci mille cinquantasette venti.",
    "d1": "Sabato sera cosa farà?",
    "d2": "Porti con te quella cosa?",
}

_KNOWN = FixedTexts("EMOVO", GENDERS, TEXTS)
_NAME = re.compile(r"([a-z]{3})-([a-z]\d)-([a-z]\d)")


def read_stem(stem: str) -> Reading | str:
    """Return what a name such as ``dis-f1-b1`` says, or why it is none."""
    match = _NAME.fullmatch(stem)
    if match is None:
        return "the name is not emotion, speaker and sentence as in dis-f1-b1"
    label, speaker, text_id = match.groups()
    return _KNOWN.reading(speaker, label, text_id)


EMOVO = FolderCorpus(
    name="emovo",
    language="it",
    licence="CC-BY-NC-SA-4.0",
    folders=("EMOVO", "EMOVO Corpus"),
    reader=lambda _root: by_stem(read_stem),
)
