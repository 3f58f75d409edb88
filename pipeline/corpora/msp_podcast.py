"""MSP-Podcast: English, natural speech of podcasts, eight emotions by listeners, and ratings from 1 to 7.

Lotfian, Busso (2019), "Building naturalistic emotionally balanced speech corpus", IEEE TAFFC 10(4).
Layout: ``Audios/MSP-PODCAST_0001_0008.wav`` or ``..._0153_0226_0001.wav``; ``Labels/labels_consensus.csv``
(older: labels_concensus.csv), ``labels_detailed.csv``; ``Transcripts/<id>.txt``. Class X (no agreement) and
withheld labels (Test3) are left out; speakers and genders may be Unknown. The published WAV
files have 16 kHz.
"""

from functools import partial

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.podcasts import COLUMNS, reader

WORDS = ("Angry", "Sad", "Happy", "Surprise", "Fear", "Disgust", "Contempt", "Neutral")
WITHOUT = {"X": "its listeners do not agree (class X)", "": "its label is withheld"}


def label_of(cell: str) -> str:
    """Return the letter of a consensus class, or the word of a vote; what a listener wrote else is Other."""
    return cell if len(cell) < 2 or cell in WORDS else "Other"


MSP_PODCAST = FolderCorpus(
    name="msp-podcast",
    language="en",
    licence="academic licence agreement",
    folders=("MSP-Podcast", "MSP-PODCAST", "MSP-PODCAST-Publish-1.12"),
    reader=partial(reader, "MSP-PODCAST", (*COLUMNS, "SpkrID", "Gender"), label_of, WITHOUT),
)
