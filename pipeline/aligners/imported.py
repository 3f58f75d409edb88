"""Alignments made elsewhere: TextGrid, MFA JSON and CSV, Sphinx phseg; one file for each recording."""

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

SUFFIXES = (".textgrid", ".json", ".csv", ".phseg")
PHONE_TIERS = ("phones", "phone", "mau", "segments", "segment", "phonemes", "phoneme", "ipa", "phons")
"""Names of a phone tier, in lower case, the surest first; MFA writes ``phones`` or ``<speaker> - phones``."""

LONGEST_PHONE = 4
"""Letters and marks of the longest phone; longer labels of IPA letters are words."""

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
        try:
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path else None
        except OSError:
            content = None  # reading it says what is wrong with it
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
            except OSError as error:
                yield skipped(utterance, f"its file of phone times cannot be read ({error.strerror})")
            if progress:
                progress("align", done, len(utterances))


class ImportedAligner(FileAligner):
    """Serves the phone times that lie in a folder; a file is found by its recording's name."""

    name = "textgrid"
    notes: tuple[str, ...] = ()

    def __init__(self, folder: Path, *, phone_set: str | None = None, tier: str | None = None) -> None:
        if not folder.is_dir():
            raise AlignmentError(
                "a folder of alignments", f"no folder {folder}", "pass the folder of TextGrids"
            )
        self._files = _by_stem(folder)
        if not self._files:
            raise AlignmentError(
                "TextGrid, JSON, CSV or phseg files", f"none in {folder}", "pass another folder"
            )
        self._folder, self._tier = folder, tier
        self.phone_set = phone_set or guess_phone_set(self._files, tier)
        named = {"tier": tier} if tier else {}
        self.identity = digest({"aligner": self.name, "version": 1, "phone_set": self.phone_set, **named})

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
            return skipped(utterance, "no TextGrid (nor JSON, CSV or phseg) of this name")
        tiers = read_tiers(path)
        tier = phone_tier(tiers, utterance.speaker, self._tier)
        if tier is None:
            wanted = f"tier {self._tier}" if self._tier else "phone tier"
            there = ", ".join(tier.name for tier in tiers)[:80] or "none"
            return skipped(utterance, f"no {wanted} in {path.name} (tiers: {there})")
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
        if suffix == ".phseg":
            return (Tier("phones", checked(path, list(sphinx_intervals(path.read_text("utf-8"))))),)
        return _read_json(path) if suffix == ".json" else _read_csv(path)
    except (ValueError, KeyError, TypeError, AttributeError, OSError, csv.Error) as error:
        found = f"{type(error).__name__} ({error}) in {path.name}"
        raise AlignmentError("an alignment as MFA or Sphinx writes it", found, "write it again") from error


def sphinx_intervals(text: str) -> Iterator[Interval]:
    """Yield the phones of a Sphinx ``phseg`` file, as IEMOCAP's ForcedAlignment folders hold them.

    A line is first frame, last frame (inclusive, 10 ms each), score and phone, the latter with its neighbours
    and its place in the word behind it; heading and total are no such lines.
    """
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 4 and fields[0].isdigit() and fields[1].isdigit():
            label = "" if fields[3].startswith("+") else fields[3]
            yield Interval(int(fields[0]) / 100, (int(fields[1]) + 1) / 100, label)


def phone_tier(tiers: Sequence[Tier], speaker: str = "", name: str | None = None) -> Tier | None:
    """Return the tier of phones: the speaker's own where each has one, else the first by `PHONE_TIERS`.

    With ``name``, it is the tier called so; where no name tells, it is the only one whose labels are all
    phones (single IPA or ARPABET symbols).
    """
    return _named_tier(tiers, speaker, (name.lower(),) if name else PHONE_TIERS) or (
        None if name else _tier_by_labels(tiers)
    )


def _tier_by_labels(tiers: Sequence[Tier]) -> Tier | None:
    found = [tier for tier in tiers if _labels(tier) and phone_set_of_labels(_labels(tier)) is not None]
    return found[0] if len(found) == 1 else None


def _labels(tier: Tier) -> set[str]:
    return {item.label for item in tier.intervals if item.label.strip().lower() not in SILENT_MARKS}


def phone_set_of_labels(labels: set[str]) -> str | None:
    """Return the first of ``arpabet`` and ``mfa`` that has all the labels, None where neither has."""
    for phone_set in ("arpabet", "mfa"):
        try:
            if all(len(to_ipa(label, phone_set)) <= LONGEST_PHONE for label in labels):
                return phone_set
        except AlignmentError:
            continue
    return None


def _named_tier(tiers: Sequence[Tier], speaker: str, wanted_names: Sequence[str]) -> Tier | None:
    names = {tier.name.lower().strip(): tier for tier in reversed(tiers)}
    for wanted in wanted_names:
        own = names.get(f"{speaker.lower()} - {wanted}") or names.get(wanted)
        if own:
            return own
        others = [tier for name, tier in names.items() if name.endswith(f" - {wanted}")]
        if len(others) == 1:
            return others[0]
    return None


def guess_phone_set(files: dict[str, list[Path]], tier: str | None = None) -> str:
    """Return ``arpabet`` if every label of the first readable files is ARPABET, else ``mfa`` (IPA)."""
    labels: set[str] = set()
    for path in [path for paths in files.values() for path in paths][:20]:
        try:
            found = phone_tier(read_tiers(path), name=tier)
        except AlignmentError:
            continue  # `align` reports it
        labels |= _labels(found) if found else set()
    return (phone_set_of_labels(labels) if labels else None) or "mfa"


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
