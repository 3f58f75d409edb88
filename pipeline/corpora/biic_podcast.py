"""BIIC-Podcast: Taiwanese Mandarin, natural speech of podcasts, eight emotions and ratings from 1 to 7.

Upadhyay, Chien, Su, Goncalves, Wu, Salman, Busso, Lee (2023), "An intelligent infrastructure toward large
scale naturalistic affective speech corpora collection", ACII. Layout: ``Audios/BIIC-PODCAST_0001_0031.wav``;
``labels_consensus.csv`` with words, letters or the digits 0 to 7 as classes (all are in ``labels.toml``).
The release has no speakers: each is called after the broadcast. ``Transcripts/<id>.txt`` is read where it is
there; how the release lays out its manual transcripts is not known here.
"""

from functools import partial

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.podcasts import COLUMNS, reader

WITHOUT = {"X": "its listeners do not agree (class X)", "": "its label is withheld"}


def label_of(cell: str) -> str:
    """Return a class with a capital, whatever its case: Angry, A, 0."""
    return cell.capitalize()


BIIC_PODCAST = FolderCorpus(
    name="biic-podcast",
    language="cmn",
    licence="academic licence agreement",
    folders=("BIIC-Podcast", "BIIC-PODCAST"),
    reader=partial(reader, "BIIC-PODCAST", COLUMNS, label_of, WITHOUT),
)
