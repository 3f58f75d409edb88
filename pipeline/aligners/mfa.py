"""The Montreal Forced Aligner as an aligner: staged corpus, private run, audited output."""

import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.aligners.aligner import Load, Progress, alignment_key, skipped
from pipeline.aligners.imported import imported_alignment, phone_set_of_labels, phone_tier
from pipeline.aligners.mfa_corpus import Lexicon, StagedCorpus, missing_reason, stage
from pipeline.aligners.mfa_program import MfaProgram, find_mfa
from pipeline.aligners.pronunciation import require_languages
from pipeline.aligners.textgrid import read_textgrid
from pipeline.phones import SILENT_MARKS
from store.digests import digest
from store.errors import AlignmentError
from store.records import Alignment, Skipped, Utterance

VERSION = 1
_UNKNOWN = "spn"
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class MfaModel:
    """An acoustic model (zip) and, for a pretrained one, the dictionary that goes with it.

    Without a dictionary the pronunciations are espeak-ng's, which is what `train_mfa` used.
    """

    acoustic: bytes
    dictionary: bytes | None = None


def given_model(acoustic: Path, dictionary: Path) -> MfaModel:
    """Return a pretrained model and its dictionary.

    Raises
    ------
    AlignmentError
        If a file cannot be read, the model is no zip, or the dictionary holds no pronunciation (MFA itself
        ends well with an empty one).
    """
    contents = []
    for path in (acoustic, dictionary):
        try:
            contents.append(path.read_bytes())
        except OSError as error:
            raise AlignmentError(
                f"the file {path}", error.strerror or "none", "name a model and its dictionary"
            ) from error
    if not contents[0].startswith(_ZIP):
        raise AlignmentError("an acoustic model of MFA (zip)", f"{acoustic}", "name the .zip file")
    if not _pronounced(contents[1]):
        raise AlignmentError(
            "a dictionary of words and phones", f"none in {dictionary}", "name the dictionary of the model"
        )
    return MfaModel(*contents)


def phone_set_of(dictionary: bytes | None) -> str:
    """Return the phone set of a dictionary: ``arpabet`` if all its phones are, else ``mfa`` (IPA)."""
    phones = {phone for phone in _pronounced(dictionary or b"") if phone.lower() not in SILENT_MARKS}
    return (phone_set_of_labels(phones) if phones else None) or "mfa"


def _pronounced(dictionary: bytes) -> set[str]:
    """Return the phones of a dictionary: what follows the word and, if there are any, its probabilities."""
    entries = (line.split() for line in dictionary.decode("utf-8-sig", errors="replace").splitlines())
    return {part for entry in entries for part in entry[1:] if not part.replace(".", "", 1).isdigit()}


class MfaAligner:
    """Aligns with `mfa align`, a whole speaker at a time: one new file aligns all files of its speaker."""

    name = "mfa"

    def __init__(
        self, model: MfaModel, utterances: Sequence[Utterance], *, program: MfaProgram | None = None,
        workers: int = 0,
    ) -> None:  # fmt: skip
        self._program = program or find_mfa()
        self._model, self._workers = model, workers
        self.phone_set = phone_set_of(model.dictionary)
        self._unknown: set[str] = set()
        self.identity = digest({
            "aligner": self.name, "version": VERSION, "mfa": self._program.version,
            "model": hashlib.sha256(model.acoustic).hexdigest(),
            "dictionary": hashlib.sha256(model.dictionary or b"espeak").hexdigest(),
        })  # fmt: skip
        self._by_speaker: dict[str, list[Utterance]] = defaultdict(list)
        for utterance in sorted(utterances, key=lambda u: u.id):
            self._by_speaker[utterance.speaker_key].append(utterance)

    @property
    def notes(self) -> tuple[str, ...]:
        """How many utterances hold words that the given dictionary lacks: their phones count as silence."""
        count = len(self._unknown)
        return (f"words that the dictionary lacks (spn) in {count} utterances, as silence",) if count else ()

    def key(self, utterance: Utterance) -> str:
        """Return the alignment's key; it holds all recordings of the speaker, since MFA adapts to them."""
        everything = sorted(alignment_key(u, self.identity) for u in self._by_speaker[utterance.speaker_key])
        return digest({"alignment": alignment_key(utterance, self.identity), "speaker": everything})

    def align(
        self, utterances: Sequence[Utterance], load: Load, progress: Progress | None = None
    ) -> Iterator[Alignment | Skipped]:
        """Yield an alignment or a reason for each utterance; one run serves all speakers concerned."""
        if not utterances:
            return
        speakers = sorted({u.speaker_key for u in utterances})
        whole = [u for speaker in speakers for u in self._by_speaker[speaker]]
        with tempfile.TemporaryDirectory(prefix="mfa-") as name:
            scratch = Path(name).resolve()
            staged = self._run(whole, load, scratch)
            for done, utterance in enumerate(utterances, 1):
                yield self._read(utterance, staged, scratch / "output", load)
                if progress:
                    progress("align", done, len(utterances))

    def _run(self, utterances: Sequence[Utterance], load: Load, scratch: Path) -> StagedCorpus:
        lexicon = None if self._model.dictionary else Lexicon()
        staged = stage(utterances, load, lexicon, scratch / "corpus")
        if not staged.places:
            return staged
        dictionary, model = scratch / "dictionary.txt", scratch / "model.zip"
        text = lexicon.dictionary().encode() if lexicon else self._model.dictionary or b""
        dictionary.write_bytes(text)
        model.write_bytes(self._model.acoustic)
        self._program.run(
            ["align", str(staged.folder), str(dictionary), str(model), str(scratch / "output"),
             "--output_format", "long_textgrid"],
            scratch, jobs=self._workers,
        )  # fmt: skip
        return staged

    def _read(
        self, utterance: Utterance, staged: StagedCorpus, output: Path, load: Load
    ) -> Alignment | Skipped:
        """Return what MFA wrote for one utterance; nothing at all is MFA's way of reporting a failure."""
        if utterance.id not in staged.places:
            return skipped(utterance, staged.reasons[utterance.id])
        speaker, stem = staged.places[utterance.id]
        path = output / speaker / f"{stem}.TextGrid"
        if not path.is_file():
            return skipped(utterance, missing_reason(staged, utterance, output))
        try:
            tier = phone_tier(read_textgrid(path), speaker)
        except AlignmentError as error:
            return skipped(utterance, str(error))
        if tier is None:
            return skipped(utterance, "no phone tier in MFA's TextGrid")
        if any(item.label == _UNKNOWN for item in tier.intervals):
            if not self._model.dictionary:
                return skipped(
                    utterance, "a phone that the trained MFA model does not know: train with --retrain"
                )
            self._unknown.add(utterance.id)
        return imported_alignment(utterance, tier, len(load(utterance)), self)


def train_mfa(utterances: Sequence[Utterance], load: Load, *, program: MfaProgram | None = None) -> bytes:
    """Return an acoustic model (zip) trained by `mfa train` on espeak-ng's pronunciations.

    One job and a fixed hash seed, so that the same corpus gives the same model; three states for every phone
    (with MFA's own topology phones of a small corpus collapse to 10 ms).

    Raises
    ------
    AlignmentError
        If `mfa` is missing or fails, a language is unknown to espeak-ng, or nothing can be staged.
    """
    program = program or find_mfa()
    require_languages(utterances)
    with tempfile.TemporaryDirectory(prefix="mfa-") as name:
        scratch = Path(name).resolve()
        lexicon = Lexicon()
        staged = stage(sorted(utterances, key=lambda u: u.id), load, lexicon, scratch / "corpus")
        if not staged.places:
            reasons = "; ".join(sorted(set(staged.reasons.values()))[:3]) or "no utterances"
            raise AlignmentError("recordings with texts to train mfa on", reasons, "bring texts or TextGrids")
        dictionary, topology = scratch / "dictionary.txt", scratch / "topology.yaml"
        dictionary.write_text(lexicon.dictionary(), encoding="utf-8")
        topology.write_text(lexicon.topology(), encoding="utf-8")
        model = scratch / "model.zip"
        program.run(
            ["train", str(staged.folder), str(dictionary), str(model), "--topology_path", str(topology)],
            scratch, jobs=1,
        )  # fmt: skip
        if not model.is_file():
            raise AlignmentError("an acoustic model from mfa train", "none", "use --aligner embedded")
        return model.read_bytes()
