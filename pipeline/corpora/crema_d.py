"""CREMA-D: North American English, 91 actors, twelve sentences, five emotions and neutral.

Cao, Cooper, Keutmann, Gur, Nenkova, Verma (2014), "CREMA-D: crowd-sourced emotional multimodal actors
dataset", IEEE TAFFC 5(4). Layout: ``AudioWAV/1001_DFA_ANG_XX.wav`` = actor, sentence, emotion, level (LO, MD,
HI for IEO only, else XX); ``VideoDemographics.csv`` with the sexes; ``processedResults/tabulatedVotes.csv``
with the votes of the listeners (rows 100000 to 199999: voice alone), from which VoiceVote of
``summaryTable.csv`` is made. The label is the acted emotion. ``split`` is the
speaker-disjoint one of TensorFlow Datasets (its seed 0). ``1076_MTI_SAD_XX`` has no signal. The published WAV
files have 16 kHz.
"""

import re
from pathlib import Path, PurePosixPath

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import FixedTexts, LeftOut, Names, Reading
from pipeline.corpora.tables import find_table, gender, number, read_table, require_table

TEXTS = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
VALIDATION = frozenset({1015, 1020, 1021, 1030, 1050, 1070, 1079, 1089, 1090})
TEST = frozenset({
    1010, 1013, 1022, 1026, 1037, 1038, 1040, 1045, 1047, 1048, 1059, 1065, 1066, 1068, 1071, 1073, 1084,
    1086, 1088,
})  # fmt: skip
SILENT = "1076_MTI_SAD_XX"
VOTES = {"A": "ANG", "D": "DIS", "F": "FEA", "H": "HAP", "N": "NEU", "S": "SAD"}

_NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_(?:LO|MD|HI|XX|X)")
_NOT_SPEECH = {"audiomp3": "the MP3 made for the listeners; AudioWAV is read", "videoflash": "film"}
_REMEDY = "unpack VideoDemographics.csv of the corpus beside AudioWAV/"
_VOTES_REMEDY = "unpack processedResults/tabulatedVotes.csv of the corpus again, or remove it"


def reader(root: Path) -> Names:
    """Return how names are read at ``root``; `CorpusError` without ``VideoDemographics.csv``."""
    actors = read_table(require_table(root, _REMEDY, "VideoDemographics.csv"), ("ActorID", "Sex"), _REMEDY)
    known = FixedTexts("CREMA-D", {row["ActorID"]: gender(row["Sex"]) for row in actors}, TEXTS)
    heard = _heard(find_table(root, "tabulatedVotes.csv"))

    def read(path: PurePosixPath) -> Reading | LeftOut | str:
        for folder in path.parent.parts:
            if folder.lower() in _NOT_SPEECH:
                return LeftOut(_NOT_SPEECH[folder.lower()])
        match = _NAME.fullmatch(path.stem)
        if match is None:
            return "the name is not actor, sentence, emotion and level as in 1001_DFA_ANG_XX"
        if path.stem == SILENT:
            return LeftOut("it has no signal")
        actor, text_id, label = match.groups()
        return known.reading(actor, label, text_id, split=_split(actor), perceived=heard.get(path.stem, {}))

    return Names(read)


def _split(actor: str) -> str:
    if int(actor) in VALIDATION:
        return "validation"
    return "test" if int(actor) in TEST else "train"


def _heard(path: Path | None) -> dict[str, dict[str, float]]:
    """Return the shares of those who heard the voice alone, by stem; {} without the table of votes."""
    rows = read_table(path, ("", *VOTES, "fileName"), _VOTES_REMEDY) if path else []
    votes: dict[str, dict[str, float]] = {}
    for row in rows:
        if (number(row[""]) or 0) // 100_000 == 1:
            counts = {VOTES[letter]: number(row[letter]) or 0.0 for letter in VOTES}
            total = sum(counts.values())
            votes[row["fileName"]] = {label: count / total for label, count in counts.items() if count}
    return votes


CREMA_D = FolderCorpus(
    name="crema-d",
    language="en",
    licence="ODbL-1.0, contents DbCL-1.0",
    folders=("CREMA-D", "CREMA-D-master", "crema_d", "cremad"),
    reader=reader,
)
