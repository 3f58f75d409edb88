"""What MSP-Podcast and BIIC-Podcast share: names by broadcast, and tables of consensus and of all votes."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.corpora.reading import LeftOut, Names, Reading, shares
from pipeline.corpora.tables import find_folder, find_table, gender, number, read_table, require_table

CONSENSUS = ("labels_consensus.csv", "labels_concensus.csv")
"""The second is how older releases spell it."""
DETAILED = "labels_detailed.csv"
COLUMNS = ("FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "Split_Set")
SPLITS = {"development": "validation"}
"""Newer releases call the validation set so."""

Rows = Mapping[str, Mapping[str, str]]
LabelOf = Callable[[str], str]


def reader(
    prefix: str,
    columns: Sequence[str],
    label_of: LabelOf,
    without: Mapping[str, str],
    root: Path,
) -> Names:
    """Return how names ``<prefix>_0001_0008`` are read at ``root``.

    ``columns`` are those the consensus table must have, ``label_of`` turns a cell of a label into the native
    label, ``without`` are the native labels that stand for none, and why.

    Raises
    ------
    CorpusError
        The table of consensus labels is missing, or it or the table of all votes is damaged.
    """
    remedy = f"put {CONSENSUS[0]} of the release into Labels/"
    rows = {
        row["FileName"].rsplit(".", 1)[0]: row
        for row in read_table(require_table(root, remedy, *CONSENSUS), columns, remedy)
    }
    name = re.compile(rf"{re.escape(prefix)}_(\d{{4}})_\d{{4}}(?:_\d{{4}})?")
    genders, heard, texts = _genders(rows), _heard(root, label_of, remedy), find_folder(root, "Transcripts")

    def read_stem(stem: str) -> Reading | LeftOut | str:
        match = name.fullmatch(stem)
        if match is None:
            return f"the name is not broadcast and segment as in {prefix}_0001_0008"
        row = rows.get(stem)
        if row is None:
            return f"{CONSENSUS[0]} does not list the file"
        label = label_of(row["EmoClass"])
        if label in without:
            return LeftOut(without[label])
        speaker, sex = _speaker(row, match[1], genders)
        split = row["Split_Set"].lower() or None
        return Reading(
            speaker=speaker, gender=sex, emotion_label=label, text=_text(texts, stem), group=match[1],
            split=SPLITS.get(split, split) if split else None, perceived=heard.get(stem, {}),
            arousal=number(row["EmoAct"]), valence=number(row["EmoVal"]), dominance=number(row["EmoDom"]),
        )  # fmt: skip

    return Names(lambda path: read_stem(path.stem), {stem: row["FileName"] for stem, row in rows.items()})


def _speaker(row: Mapping[str, str], broadcast: str, genders: Mapping[str, str]) -> tuple[str, str]:
    """Return speaker and gender; an unknown speaker is called after the broadcast (and the gender)."""
    speaker = row.get("SpkrID", "")
    if speaker and speaker.casefold() != "unknown":
        return speaker, genders[speaker]
    sex = gender(row.get("Gender", ""))
    return f"broadcast-{broadcast}" + ("" if sex == "unknown" else f"-{sex}"), sex


def _genders(rows: Rows) -> dict[str, str]:
    """Return the most frequent known gender of each speaker: single rows differ."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows.values():
        found[row.get("SpkrID", "")][gender(row.get("Gender", ""))] += 1
    ranked = {speaker: sorted(counts, key=lambda sex: (sex == "unknown", -counts[sex], sex))
              for speaker, counts in found.items()}  # fmt: skip
    return {speaker: order[0] for speaker, order in ranked.items()}


def _heard(root: Path, label_of: LabelOf, remedy: str) -> dict[str, dict[str, float]]:
    """Return the listeners' shares by stem, {} without the table of all votes."""
    path = find_table(root, DETAILED)
    votes: dict[str, list[tuple[str]]] = defaultdict(list)
    for row in read_table(path, ("FileName", "EmoClass_Major"), remedy) if path else ():
        votes[row["FileName"].rsplit(".", 1)[0]].append((label_of(row["EmoClass_Major"]),))
    return {stem: shares(raters) for stem, raters in votes.items()}


def _text(folder: Path | None, stem: str) -> str | None:
    if folder is None:
        return None
    try:
        return (folder / f"{stem}.txt").read_text(encoding="utf-8-sig").strip() or None
    except (OSError, UnicodeDecodeError):
        return None  # without a text the aligner leaves the recording out, and says so
