"""Alignments made elsewhere: TextGrid, MFA JSON and MFA CSV files, one for each recording."""

import csv
import hashlib
import io
import json
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pipeline.aligners.aligner import Load, Progress, alignment_key, skipped, tiled
from pipeline.aligners.textgrid import Interval, Tier, checked, read_textgrid
from pipeline.phones import SILENT_MARKS, shared_vowel, to_ipa
from store.digests import digest
from store.errors import AlignmentError, AudioError
from store.records import Alignment, PhoneInterval, Skipped, Utterance
from store.vocabulary import COMMON_RATE

SUFFIXES = (".textgrid", ".json", ".csv")
PHONE_TIERS = ("phones", "phone", "mau", "segments", "segment", "phonemes", "phoneme", "ipa", "phons")
"""Names of a phone tier, in lower case, the surest first; MFA writes ``phones`` or ``<speaker> - phones``."""

_REPORT = "alignment_analysis"


class Importer(Protocol):
    """An aligner whose times come from files."""

    name: str
    phone_set: str

    def key(self, utterance: Utterance) -> str:
        """Return the key of the utterance's alignment."""
        ...


class FileAligner(ABC):
    """What aligners share whose times lie in one file for each recording."""

    name: str
    identity: str

    @abstractmethod
    def find(self, utterance: Utterance) -> Path | None:
        """Return the file of an utterance, None if there is none."""

    @abstractmethod
    def _one(self, utterance: Utterance, load: Load) -> Alignment | Skipped:
        """Return what the file of an utterance says; raises AlignmentError or AudioError."""

    def key(self, utterance: Utterance) -> str:
        """Return the alignment's key; it holds the digest of the file the times come from."""
        path = self.find(utterance)
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path else None
        return digest({"alignment": alignment_key(utterance, self.identity), "file": content})

    def align(
        self, utterances: Sequence[Utterance], load: Load, progress: Progress | None = None
    ) -> Iterator[Alignment | Skipped]:
        """Yield the phones of each utterance, or the reason why its file does not serve."""
        for done, utterance in enumerate(utterances, 1):
            try:
                yield self._one(utterance, load)
            except (AlignmentError, AudioError) as error:
                yield skipped(utterance, str(error))
            if progress:
                progress("align", done, len(utterances))


class ImportedAligner(FileAligner):
    """Serves the phone times that lie in a folder; a file is found by its recording's name."""

    name = "textgrid"
    notes: tuple[str, ...] = ()

    def __init__(self, folder: Path, *, phone_set: str | None = None) -> None:
        if not folder.is_dir():
            raise AlignmentError(
                "a folder of alignments", f"no folder {folder}", "pass the folder of TextGrids"
            )
        self._files = _by_stem(folder)
        if not self._files:
            raise AlignmentError("TextGrid, JSON or CSV files", f"none in {folder}", "pass another folder")
        self._folder = folder
        self.phone_set = phone_set or guess_phone_set(self._files)
        self.identity = digest({"aligner": self.name, "version": 1, "phone_set": self.phone_set})

    def find(self, utterance: Utterance) -> Path | None:
        """Return the file of an utterance: of several with its name, the one beside which its path ends."""
        stem = utterance.id.rpartition("/")[2]
        candidates = self._files.get(unicodedata.normalize("NFC", stem), [])
        wanted = [Path(utterance.path).parent.as_posix(), utterance.speaker]
        for folder in wanted:
            for path in candidates:
                if path.parent.relative_to(self._folder).as_posix() == folder:
                    return path
        return candidates[0] if len(candidates) == 1 else None

    def _one(self, utterance: Utterance, load: Load) -> Alignment | Skipped:
        path = self.find(utterance)
        if path is None:
            return skipped(utterance, "no TextGrid (nor JSON nor CSV) of this name")
        tier = phone_tier(read_tiers(path), utterance.speaker)
        if tier is None:
            return skipped(utterance, f"no phone tier in {path.name}")
        return imported_alignment(utterance, tier, len(load(utterance)), self)


def imported_alignment(
    utterance: Utterance, tier: Tier, n_samples: int, aligner: Importer
) -> Alignment | Skipped:
    """Return the intervals of a tier in IPA and samples; an unknown word (``spn``) counts as silence."""
    intervals = []
    for item in tier.intervals:
        phone = to_ipa(item.label, aligner.phone_set)
        if phone:
            intervals.append(PhoneInterval(
                phone=phone, vowel=shared_vowel(phone, utterance.language), score=0.0,
                start=round(item.start * COMMON_RATE), stop=round(item.stop * COMMON_RATE),
            ))  # fmt: skip
    if not intervals:
        return skipped(utterance, "no phone in its phone tier")
    if intervals[-1].start >= n_samples:
        return skipped(utterance, f"phones at {tier.intervals[-1].start:g} s, after the end of the recording")
    return Alignment(
        utterance=utterance.id, key=aligner.key(utterance), aligner=aligner.name, score=0.0,
        intervals=tiled(intervals, n_samples),
    )  # fmt: skip


def read_tiers(path: Path) -> tuple[Tier, ...]:
    """Return the interval tiers of a TextGrid, or of MFA's JSON or CSV, by the file's ending."""
    suffix = path.suffix.lower()
    if suffix == ".textgrid":
        return read_textgrid(path)
    try:
        return _read_json(path) if suffix == ".json" else _read_csv(path)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        found = f"{type(error).__name__} ({error}) in {path.name}"
        raise AlignmentError("an alignment as MFA writes it", found, "write it again") from error


def phone_tier(tiers: Sequence[Tier], speaker: str = "") -> Tier | None:
    """Return the tier of phones: the speaker's own where each has one, else the first by `PHONE_TIERS`."""
    names = {tier.name.lower().strip(): tier for tier in reversed(tiers)}
    for wanted in PHONE_TIERS:
        own = names.get(f"{speaker.lower()} - {wanted}") or names.get(wanted)
        if own:
            return own
        others = [tier for name, tier in names.items() if name.endswith(f" - {wanted}")]
        if len(others) == 1:
            return others[0]
    return None


def guess_phone_set(files: dict[str, list[Path]]) -> str:
    """Return ``arpabet`` if every label of the first readable files is ARPABET, else ``mfa`` (IPA)."""
    labels: set[str] = set()
    for path in [path for paths in files.values() for path in paths][:20]:
        try:
            tier = phone_tier(read_tiers(path))
        except AlignmentError:
            continue  # `align` reports it
        labels |= (
            {item.label for item in tier.intervals if item.label.lower() not in SILENT_MARKS}
            if tier
            else set()
        )
    try:
        return "arpabet" if labels and all(to_ipa(label, "arpabet") for label in labels) else "mfa"
    except AlignmentError:
        return "mfa"


def _read_json(path: Path) -> tuple[Tier, ...]:
    tiers = json.loads(path.read_text(encoding="utf-8"))["tiers"]
    return tuple(
        Tier(
            name, checked(path, [Interval(float(a), float(b), str(label)) for a, b, label in tier["entries"]])
        )
        for name, tier in tiers.items()
    )


def _read_csv(path: Path) -> tuple[Tier, ...]:
    rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    speakers = sorted({row["Speaker"] for row in rows})
    tiers: dict[str, list[Interval]] = {}
    for row in rows:
        name = row["Type"] if len(speakers) == 1 else f"{row['Speaker']} - {row['Type']}"
        tiers.setdefault(name, []).append(Interval(float(row["Begin"]), float(row["End"]), row["Label"]))
    return tuple(Tier(name, checked(path, intervals)) for name, intervals in tiers.items())


def _by_stem(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.stem != _REPORT and path.is_file():
            found.setdefault(unicodedata.normalize("NFC", path.stem), []).append(path)
    return found
