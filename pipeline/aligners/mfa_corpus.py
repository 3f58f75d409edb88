"""Stages a corpus for the Montreal Forced Aligner, and audits what came back."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.aligners.aligner import Load
from pipeline.aligners.graph import STATES
from pipeline.aligners.hearing import why_unheard
from pipeline.aligners.pronunciation import pronounce, reduced_forms, unit_of, unusable
from pipeline.audio import write_wav
from store.errors import AudioError
from store.records import Utterance
from store.vocabulary import COMMON_RATE

SHORTEST_S = 0.1


@dataclass(frozen=True)
class StagedCorpus:
    """A corpus folder with one folder a speaker: where each utterance lies, and why others are not there."""

    folder: Path
    places: Mapping[str, tuple[str, str]]
    """Utterance id to (speaker folder, file stem), both plain ASCII."""
    reasons: Mapping[str, str]


class Lexicon:
    """Pronunciations as a dictionary of words of our own making, one for each sequence of phones.

    The words of the text are never shown to MFA: its tokeniser would lower-case, split or drop some of them,
    and a word outside the dictionary becomes `spn` without an error.
    """

    def __init__(self) -> None:
        self._words: dict[tuple[str, ...], str] = {}

    def label(self, utterance: Utterance) -> str:
        """Return the text of the utterance's `.lab` file."""
        words = pronounce(utterance.text or "", utterance.language)
        return " ".join(self._words.setdefault(word, f"w{len(self._words)}") for word in words)

    def dictionary(self) -> str:
        """Return the dictionary: word, TAB, phones; a second line where a reduced vowel may be left out."""
        lines = []
        for word, name in self._words.items():
            for form in (word, *reduced_forms(word)):
                lines.append(f"{name}\t{' '.join(unit_of(phone) for phone in form)}\n")
        return "".join(lines)

    def topology(self) -> str:
        """Return the topology file: as many states for every phone, so that none collapses to 10 ms."""
        units = sorted({unit_of(phone) for word in self._words for phone in word})
        return "".join(f"'{unit}':\n  min_states: {STATES}\n  max_states: {STATES}\n" for unit in units)


def stage(utterances: Sequence[Utterance], load: Load, lexicon: Lexicon | None, folder: Path) -> StagedCorpus:
    """Write 16 kHz WAV and `.lab` files; audio that would stop or fool MFA is left out with its reason.

    One unreadable file makes MFA abort the whole run, and silence or 50 ms of sound give no output and no
    message. With ``lexicon`` None the labels are the texts themselves (for a given dictionary).
    """
    speakers = {name: f"s{place}" for place, name in enumerate(sorted({u.speaker for u in utterances}))}
    places: dict[str, tuple[str, str]] = {}
    reasons: dict[str, str] = {}
    for place, utterance in enumerate(utterances):
        samples = _screened(utterance, load)
        if isinstance(samples, str):
            reasons[utterance.id] = samples
            continue
        speaker, stem = speakers[utterance.speaker], f"u{place}"
        (folder / speaker).mkdir(parents=True, exist_ok=True)
        write_wav(folder / speaker / f"{stem}.wav", samples, COMMON_RATE)
        label = lexicon.label(utterance) if lexicon else " ".join((utterance.text or "").split())
        (folder / speaker / f"{stem}.lab").write_text(label + "\n", encoding="utf-8")
        places[utterance.id] = (speaker, stem)
    return StagedCorpus(folder, places, reasons)


def missing_reason(staged: StagedCorpus, utterance: Utterance, output: Path) -> str:
    """Return why there is no TextGrid for a staged utterance, as far as MFA's own table tells."""
    table = output / "alignment_analysis.csv"
    stem = staged.places[utterance.id][1]
    rows = _rows(table) if table.is_file() else []
    for row in rows:
        if row.get("file") == stem and not (row.get("overall_log_likelihood") or "").strip():
            return "MFA found no path through this text within its beam (wrong text, or too much of it)"
    return "MFA wrote no TextGrid and no message for it"


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _screened(utterance: Utterance, load: Load) -> "np.typing.NDArray[np.float32] | str":
    reason = unusable(utterance)
    if reason:
        return reason
    try:
        samples = load(utterance)
    except AudioError as error:
        return str(error)
    if len(samples) < SHORTEST_S * COMMON_RATE:
        return f"too short to align: {len(samples)} samples"
    return why_unheard(samples) or samples
