"""nEMO: Polish, nine actors, six emotions, texts in a table.

Christop (2024), "nEMO: Dataset of Emotional Speech in Polish", LREC-COLING.
Layout: ``samples/{speaker}_{emotion}_{sentence}.wav`` and ``data.tsv`` with file_id, emotion, raw_text,
normalized_text, speaker_id, gender, age. The published WAV files have 24 kHz and one channel; the column
speaker_id has leading blanks. The sentence number is the text id.
"""

import re
import unicodedata
from pathlib import Path

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import Names, Reading
from pipeline.corpora.tables import gender, read_table

_NAME = re.compile(r"([A-Z]{2}\d)_([a-z]+)_(\d+)")
_COLUMNS = ("file_id", "emotion", "raw_text", "speaker_id", "gender")


def reader(root: Path) -> Names:
    """Return how names are read in the corpus at ``root``; `CorpusError` without a sound ``data.tsv``."""
    rows = read_table(root / "data.tsv", _COLUMNS, "unpack nEMO with data.tsv beside samples/")
    rows_by_stem = {unicodedata.normalize("NFC", row["file_id"].rsplit(".", 1)[0]): row for row in rows}

    def read_stem(stem: str) -> Reading | str:
        match = _NAME.fullmatch(stem)
        if match is None:
            return "the name is not speaker, emotion and sentence as in EB0_anger_1"
        row = rows_by_stem.get(stem)
        if row is None:
            return "data.tsv does not list the file"
        if (row["speaker_id"], row["emotion"]) != match.groups()[:2]:
            return f"data.tsv gives speaker {row['speaker_id']} and emotion {row['emotion']}, the name others"
        return Reading(
            speaker=row["speaker_id"], gender=gender(row["gender"]), emotion_label=row["emotion"],
            text=row["raw_text"] or None, text_id=match[3],
        )  # fmt: skip

    listed = {stem: f"samples/{row['file_id']}" for stem, row in rows_by_stem.items()}
    return Names(lambda path: read_stem(path.stem), listed)


NEMO = FolderCorpus(
    name="nemo", language="pl", licence="CC-BY-NC-SA-4.0", folders=("nEMO", "nEMO-main"), reader=reader
)
