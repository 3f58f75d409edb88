"""The embedded sample: two small SYNTHETIC corpora (English, Mandarin), which `pipeline.synthesis` makes.

Layout: ``wav/f1_anger_03.wav`` = speaker, emotion, sentence; ``sentences.tsv`` with text_id and text;
``speakers.tsv`` with speaker and gender.
"""

import re
from pathlib import Path

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import FixedTexts, Names, Reading, by_stem
from pipeline.corpora.tables import read_table

LICENCE = "CC0-1.0 (synthesised by espeak-ng)"

_NAME = re.compile(r"([a-z]\d+)_([a-z]+)_(\d{2})")
_REMEDY = "delete the folder, the sample is then made anew"


def reader(root: Path) -> Names:
    """Return how names are read in the sample at ``root``; `CorpusError` where its tables are missing."""
    sentences = read_table(root / "sentences.tsv", ("text_id", "text"), _REMEDY)
    speakers = read_table(root / "speakers.tsv", ("speaker", "gender"), _REMEDY)
    known = FixedTexts(
        "the sample",
        {row["speaker"]: row["gender"] for row in speakers},
        {row["text_id"]: row["text"] for row in sentences},
    )

    def read_stem(stem: str) -> Reading | str:
        match = _NAME.fullmatch(stem)
        if match is None:
            return "the name is not speaker, emotion and sentence as in f1_anger_03"
        speaker, label, text_id = match.groups()
        return known.reading(speaker, label, text_id)

    return by_stem(read_stem)


def _sample(name: str, language: str) -> FolderCorpus:
    return FolderCorpus(name, language, LICENCE, folders=(), reader=reader, synthetic=True)


SAMPLE_EN = _sample("sample-en", "en")
SAMPLE_CMN = _sample("sample-cmn", "cmn")
