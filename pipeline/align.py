"""Aligns a corpus: reuses what is stored under the same key, computes the rest, accounts for all."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from pipeline.aligners.aligner import Aligner, Load, Progress, skipped
from pipeline.aligners.embedded import SEED_ONLY, EmbeddedAligner
from pipeline.aligners.embedded_training import train_embedded
from pipeline.aligners.hand import HandAligner
from pipeline.aligners.imported import ImportedAligner
from pipeline.aligners.mfa import MfaAligner, MfaModel, train_mfa
from pipeline.aligners.mfa_program import find_mfa
from pipeline.aligners.model import from_bytes
from pipeline.gate import Gate, faults, measure_quality
from store.errors import ConfigurationError
from store.records import Alignment, Skipped, Utterance

ALIGNERS = ("embedded", "mfa", "textgrid", "hand")


class AlignmentStore(Protocol):
    """What aligning needs of `store.catalogue.Store`."""

    def put_model(self, name: str, data: bytes) -> str:
        """Keep a model under a name and return its digest."""
        ...

    def latest_model(self, name: str) -> tuple[str, bytes] | None:
        """Return digest and bytes of the newest model of that name."""
        ...

    def latest_alignments(self, corpus: str, aligner_digest: str) -> tuple[Alignment, ...]:
        """Return the stored alignments of a corpus by one aligner."""
        ...


@dataclass(frozen=True)
class Cost:
    """CPU seconds of this process for making (or training) the aligner and for aligning ``audio`` seconds."""

    prepared: float
    aligned: float
    audio: float


@dataclass(frozen=True)
class AlignedCorpus:
    """The alignments of one corpus, and a row with the reason for each utterance that has none."""

    corpus: str
    aligner: str
    identity: str
    alignments: tuple[Alignment, ...]
    unaligned: tuple[Skipped, ...]
    reused: int
    computed: int
    notes: tuple[str, ...] = ()
    cost: Cost | None = field(default=None, compare=False)


def align(
    store: AlignmentStore, corpus: str, utterances: Sequence[Utterance], load: Load, *,
    aligner: str = "embedded", retrain: bool = False, textgrids: Path | None = None, tier: str | None = None,
    mfa_model: MfaModel | None = None, workers: int = 0, gate: Gate | None = None,
    progress: Progress | None = None,
) -> AlignedCorpus:  # fmt: skip
    """Return phones with times for every utterance of a corpus that can be aligned.

    Parameters
    ----------
    store, corpus
        The store holds the aligner's model and earlier alignments; an alignment whose key (audio, text,
        language, speaker, aligner with its model) is there already is not computed again.
    utterances, load
        The manifest's rows, and what gives their samples (mono float32 at COMMON_RATE).
    aligner
        One of `ALIGNERS`.
    retrain
        Train the model anew although there is one; this replaces all alignments of the corpus.
    textgrids
        The folder of the files for ``aligner="textgrid"``, or of the `.lablaut` files for ``"hand"``
        (see `hand_labels`).
    tier
        Name of the phone tier for ``aligner="textgrid"``; None finds it.
    mfa_model
        A pretrained model with its dictionary for ``aligner="mfa"``; None trains one on the corpus.
    workers, progress
        Parallel jobs (threads); a callable that is told (stage, done, total).
    gate
        Thresholds of the quality gate; what it rejects is a row with the reason. None lets everything pass.

    Raises
    ------
    AlignmentError
        If the aligner cannot serve this corpus (language, program, model); nothing has been stored then.
    ConfigurationError
        If there is no such aligner.
    """
    check_aligner(aligner)
    order = _Order(
        store, corpus, utterances, load, retrain, textgrids, tier, mfa_model, workers, gate, progress
    )
    started = time.process_time()
    chosen = {"embedded": _embedded, "mfa": _mfa, "textgrid": _textgrid, "hand": _hand}[aligner](order)
    return _run(chosen, order, time.process_time() - started)


def seed_only(store: AlignmentStore, corpus: str) -> bool:
    """Return whether the newest embedded model of a corpus is the seed alone: its times are less certain."""
    model = store.latest_model(f"embedded-{corpus}")
    return model is not None and not from_bytes(model[1]).trained_s


def check_aligner(name: str) -> None:
    """Raise `ConfigurationError` if there is no such aligner."""
    if name not in ALIGNERS:
        raise ConfigurationError(f"an aligner ({', '.join(ALIGNERS)})", repr(name), "name one of them")


def hand_labels(root: Path) -> Path:
    """Return the folder of the hand labels that come with a corpus, as EMO-DB's do."""
    return root / "lablaut"


@dataclass(frozen=True)
class _Order:
    """The arguments of `align`, for the steps behind it."""

    store: AlignmentStore
    corpus: str
    utterances: Sequence[Utterance]
    load: Load
    retrain: bool
    textgrids: Path | None
    tier: str | None
    mfa_model: MfaModel | None
    workers: int
    gate: Gate | None
    progress: Progress | None


def _run(chosen: Aligner, order: _Order, prepared: float) -> AlignedCorpus:
    """Align what is not stored yet and put the rows in the order of the utterances."""
    stored = {item.key: item for item in order.store.latest_alignments(order.corpus, chosen.identity)}
    keys = {u.id: chosen.key(u) for u in order.utterances}
    missing = [u for u in order.utterances if keys[u.id] not in stored]
    started = time.process_time()
    outcome = {item.utterance: item for item in chosen.align(missing, order.load, order.progress)}
    cost = Cost(prepared, time.process_time() - started, sum(u.seconds for u in missing))
    rows = [outcome[u.id] if u.id in outcome else replace(stored[keys[u.id]], utterance=u.id)
            for u in order.utterances]  # fmt: skip
    rows, flags = _judged(rows, chosen, order)
    return AlignedCorpus(
        order.corpus, chosen.name, chosen.identity, tuple(row for row in rows if isinstance(row, Alignment)),
        tuple(row for row in rows if isinstance(row, Skipped)), len(order.utterances) - len(missing),
        sum(isinstance(row, Alignment) for row in outcome.values()), (*chosen.notes, *flags), cost,
    )  # fmt: skip


def _judged(
    rows: Sequence[Alignment | Skipped], chosen: Aligner, order: _Order
) -> tuple[list[Alignment | Skipped], tuple[str, ...]]:
    """Return the rows with a reason in place of each alignment the gate rejects, and what it flags."""
    alignments = [row for row in rows if isinstance(row, Alignment)]
    if order.gate is None or not alignments:
        return list(rows), ()
    quality = measure_quality(alignments)
    certain = SEED_ONLY not in chosen.notes
    found = faults(quality, order.gate, scored=chosen.name == EmbeddedAligner.name, certain=certain)
    reasons = {row.utterance: why for row, why in zip(alignments, found, strict=True) if why is not None}
    judged: list[Alignment | Skipped] = [
        skipped(utterance, reasons[utterance.id]) if utterance.id in reasons else row
        for utterance, row in zip(order.utterances, rows, strict=True)
    ]
    flags = [f"{quality.at_floor.sum()} of {quality.phones.sum()} phones last no longer than 30 ms"]
    flags += [f"{len(reasons)} of {len(alignments)} alignments rejected by the gate"] if reasons else []
    return judged, tuple(flags)


def _embedded(order: _Order) -> Aligner:
    """Return the aligner with the corpus's model, trained now if there is none."""
    name = f"embedded-{order.corpus}"
    model = None if order.retrain else order.store.latest_model(name)
    if model is not None:
        return EmbeddedAligner(model[1], workers=order.workers, corpus=order.utterances)
    data = train_embedded(order.utterances, order.load, progress=order.progress)
    order.store.put_model(name, data)
    return EmbeddedAligner(data, workers=order.workers)


def _mfa(order: _Order) -> Aligner:
    """Return MFA with the given model, or the corpus's, trained now by `mfa train` if there is none."""
    program = find_mfa()
    if order.mfa_model is not None:
        return MfaAligner(order.mfa_model, order.utterances, program=program, workers=order.workers)
    name = f"mfa-{order.corpus}"
    model = None if order.retrain else order.store.latest_model(name)
    if model is not None:
        data = model[1]
    else:
        data = train_mfa(order.utterances, order.load, program=program)
        order.store.put_model(name, data)
    return MfaAligner(MfaModel(data), order.utterances, program=program, workers=order.workers)


def _textgrid(order: _Order) -> Aligner:
    return ImportedAligner(_folder(order, "textgrid"), tier=order.tier)


def _hand(order: _Order) -> Aligner:
    return HandAligner(_folder(order, "hand"))


def _folder(order: _Order, aligner: str) -> Path:
    if order.textgrids is None:
        raise ConfigurationError(
            f"a folder of alignments for the aligner {aligner!r}",
            "none",
            "pass --textgrids FOLDER, or name it under alignments in [build]",
        )
    return order.textgrids
