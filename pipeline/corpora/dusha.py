"""Dusha: Russian, read requests to an assistant (crowd), four emotions by crowd workers.

Kondratenko, Sokolov, Karpov, Kutuzov, Savushkin, Minkin (2022), "Large raw emotional dataset with aggregation
mechanism", arXiv 2212.12266. Layout: ``crowd_train/wavs/<hash>.wav`` and ``crowd_train/raw_crowd_train.tsv``
(or .jsonl), one row a vote; the same for crowd_test. Votes are aggregated by Dawid-Skene, threshold 0.9, as
the authors do; where their ``aggregated_dataset/crowd_train.jsonl`` is there, its labels hold. Control items
(golden_emo) and the label other are left out. The podcast half is distributed without sound. Speaker is the
source id; sexes are not given.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pipeline.corpora.dawid_skene import dawid_skene
from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import LeftOut, Names, Reading, shares
from pipeline.corpora.tables import find_folder, find_table, read_jsonl, read_table
from store.errors import CorpusError

THRESHOLD = 0.9
PARTS = {"crowd_train": "train", "crowd_test": "test"}
COLUMNS = ("hash_id", "annotator_emo", "golden_emo", "speaker_text", "source_id", "annotator_id")
_REMEDY = "unpack crowd.tar with crowd_train/raw_crowd_train.tsv and crowd_test/raw_crowd_test.tsv"
_UNSET = ("", "nan", "none")


@dataclass
class _Clip:
    """What the rows of one recording say: its votes, and text, source and part of the corpus."""

    split: str
    text: str | None
    source: str
    control: bool
    votes: list[tuple[str, str]] = field(default_factory=list)


def reader(root: Path) -> Names:
    """Return how names are read at ``root``; `CorpusError` without one of the two tables of votes."""
    clips: dict[str, _Clip] = {}
    labels: dict[str, str] = {}
    for part, split in PARTS.items():
        rows = _rows(root, f"raw_{part}", COLUMNS)
        if rows is not None:
            own = _clips(rows, split)
            clips.update(own)
            labels.update(_published(root, part) or aggregated(own))
    if not clips:
        raise CorpusError("raw_crowd_train or raw_crowd_test (.tsv, .jsonl)", f"none in {root}", _REMEDY)

    def read(path: PurePosixPath) -> Reading | LeftOut | str:
        clip = clips.get(path.stem)
        if clip is None:
            return "the name is not a hash that raw_crowd_train or raw_crowd_test lists"
        if clip.control:
            return LeftOut("a control item for the annotators (golden_emo)")
        label = labels.get(path.stem)
        if label is None:
            return LeftOut(f"no emotion reaches a probability of {THRESHOLD:g}")
        if label == "other":
            return LeftOut("label other")
        return Reading(
            speaker=clip.source, gender="unknown", emotion_label=label, text=clip.text, split=clip.split,
            perceived=shares((emotion,) for _, emotion in clip.votes),
        )  # fmt: skip

    return Names(read, {name: f"crowd_{clip.split}/wavs/{name}.wav" for name, clip in clips.items()})


def aggregated(clips: Mapping[str, _Clip]) -> dict[str, str]:
    """Return the label of each recording whose most probable label reaches `THRESHOLD` (Dawid-Skene)."""
    votes = [(name, *vote) for name, clip in clips.items() for vote in clip.votes]
    if not votes:
        return {}
    names, items = np.unique([name for name, _, _ in votes], return_inverse=True)
    _, raters = np.unique([rater for _, rater, _ in votes], return_inverse=True)
    emotions, said = np.unique([emotion for _, _, emotion in votes], return_inverse=True)
    probability = dawid_skene(items, raters, said, len(emotions))
    best = probability.argmax(axis=1)
    return {
        str(names[item]): str(emotions[best[item]])
        for item in np.flatnonzero(probability.max(axis=1) >= THRESHOLD)
    }


def _clips(rows: Iterable[Mapping[str, Any]], split: str) -> dict[str, _Clip]:
    clips: dict[str, _Clip] = {}
    for row in rows:
        name = str(row["hash_id"])
        if name not in clips:
            source = _value(row["source_id"]) or f"unknown-{name}"
            clips[name] = _Clip(split, _value(row["speaker_text"]), source, control=False)
        clip = clips[name]
        clip.control |= _value(row["golden_emo"]) is not None
        if emotion := _value(row["annotator_emo"]):
            clip.votes.append((str(row["annotator_id"]), emotion))
    return clips


def _published(root: Path, part: str) -> dict[str, str] | None:
    """Return the labels that the authors aggregated, None where their files are not there."""
    folder = find_folder(root, "aggregated_dataset")
    rows = None if folder is None else _rows(folder, part, ("hash_id", "emotion"))
    if rows is None:
        return None
    return {str(row["hash_id"]): str(row["emotion"]) for row in rows}


def _rows(root: Path, name: str, columns: tuple[str, ...]) -> list[dict[str, Any]] | None:
    path = find_table(root, f"{name}.tsv", f"{name}.jsonl")
    if path is None:
        return None
    return (read_jsonl if path.suffix.lower() == ".jsonl" else read_table)(path, columns, _REMEDY)


def _value(cell: object) -> str | None:
    text = "" if cell is None else str(cell).strip()
    return None if text.casefold() in _UNSET else text


DUSHA = FolderCorpus(
    name="dusha",
    language="ru",
    licence="SberDevices licence of Golos (attribution, share alike)",
    folders=("Dusha", "crowd"),
    reader=reader,
)
