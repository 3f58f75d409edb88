"""EMO-DB's phone labels by hand (`lablaut`) as an aligner of its own, to compare with automatic times."""

import unicodedata
from pathlib import Path

from pipeline.aligners.aligner import Load, skipped
from pipeline.aligners.imported import FileAligner, imported_alignment
from pipeline.aligners.textgrid import Interval, Tier, checked
from store.digests import digest
from store.errors import AlignmentError
from store.records import Alignment, Skipped, Utterance

_END = "."
_VOICE_QUALITY = "+-["
_SLIPS = frozenset({"hoe", "dsap", "gas"})
"""Marks of voice quality and aspiration that were typed without their sign or with letters swapped."""

_STOPS = frozenset("ptkbdg")
_STRAY = ":~_?'\"%"


class HandAligner(FileAligner):
    """Serves the hand labels of a folder of `.lablaut` files named after the recordings (03a01Faxx)."""

    name = "hand"
    phone_set = "sampa"
    notes: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        files = sorted(folder.glob("*.lablaut")) if folder.is_dir() else []
        if not files:
            raise AlignmentError(
                "a folder of .lablaut files", f"none in {folder}", "pass EMO-DB's lablaut folder"
            )
        self._files = {unicodedata.normalize("NFC", path.stem): path for path in files}
        self.identity = digest({"aligner": self.name, "version": 1})

    def find(self, utterance: Utterance) -> Path | None:
        """Return the label file whose name begins with that of the recording, if it is the only one."""
        stem = utterance.id.rpartition("/")[2]
        found = [path for name, path in self._files.items() if name.startswith(stem)]
        return found[0] if len(found) == 1 else None

    def _one(self, utterance: Utterance, load: Load) -> Alignment | Skipped:
        path = self.find(utterance)
        if path is None:
            return skipped(utterance, "no hand labels of this name")
        intervals = read_lablaut(path)
        if not intervals:
            return skipped(utterance, f"{path.name} holds no labels")
        return imported_alignment(utterance, Tier("phones", intervals), len(load(utterance)), self)


def read_lablaut(path: Path) -> tuple[Interval, ...]:
    """Return the labelled segments of one file in SAMPA, "" for silence; () for a file without labels.

    A time is the start of its segment; the final ``.`` is the end of the utterance. Labels that begin with
    ``+``, ``-`` or ``[`` mark voice quality inside the running segment; closure, burst (``!``) and aspiration
    (``asp``) belong to their stop. The corpus does not document this; it was read off the files (Latin-1).
    """
    starts: list[tuple[str, float]] = []
    body = path.read_text(encoding="latin-1").partition("#")[2]
    for line in body.splitlines():
        fields = line.split(None, 2)
        if len(fields) < 3 or not fields[2].strip():
            continue
        label, start = fields[2].split()[0], _seconds(path, fields[0])
        if label == _END:
            stops = [begin for _, begin in starts[1:]] + [start]
            rows = [Interval(begin, stop, name) for (name, begin), stop in zip(starts, stops, strict=True)]
            return checked(path, rows)
        if label[0] not in _VOICE_QUALITY:
            segment = _segment(label, starts[-1][0] if starts else "")
            if segment is not None:
                starts.append((segment, start))
    return ()


def _segment(label: str, previous: str) -> str | None:
    """Return the phone of a label, "" for silence, None for a part of the stop before it."""
    core = label.lstrip("!_").partition("+")[0].partition("-")[0]
    if core in _SLIPS:
        return None
    if label[0] == "(" or core in ("", "?"):
        return ""
    if label[0] == "!" or core.endswith("asp"):
        return None if previous[:1] in _STOPS else core[0]
    return sampa_core(core)


def sampa_core(label: str) -> str:
    """Return a hand label without devoicing, nasality and doubt marks; ``i:6`` (vowel + r) is the vowel.

    Nasalised (``~``) and doubtful (``%``, ``?``) sounds count as the sound itself.
    """
    long = ":" in label
    core = "".join(mark for mark in label if mark not in _STRAY)
    if len(core) > 1 and core.endswith("6"):
        core = core[:-1]
    return f"{core}:" if long and core in ("i", "e", "E", "a", "o", "u", "y", "2") else core


def _seconds(path: Path, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        found = f"{text!r} for a time in {path.name}"
        raise AlignmentError("hand labels as EMO-DB has them", found, "restore the file") from error
