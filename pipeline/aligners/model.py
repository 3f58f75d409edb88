"""The trained model of the embedded aligner and its byte form (npz without pickle)."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from pipeline.aligners.contexts import Context, contexts_of
from pipeline.aligners.graph import STATES, Slot
from pipeline.aligners.hmm import Array, Labels, Mixtures
from pipeline.phones import articulatory_class
from store.errors import AlignmentError
from store.vocabulary import SILENCE

FORMATS = (1, 2)
"""Formats that can be read; 2 has contexts, which a reader of 1 would pass over."""


@dataclass(frozen=True)
class Model:
    """Units, their mixtures and transitions, and the cepstral mean of each speaker heard in training.

    ``log_stay`` and ``log_leave`` are (P,) with P = STATES x units + contexts: first the states of each unit
    after any neighbour, then those of ``contexts``. ``trained_s`` is the seconds of the
    user's speech it was trained on, 0 for the seed alone; ``corpus_size`` the utterances that could be
    aligned in the corpus it was trained for (0 where a model of an earlier version does not say).
    ``asked_contexts`` is false for a model of a version that knew none; a later one may have found none.
    """

    units: tuple[str, ...]
    mixtures: Mixtures
    log_stay: Array
    log_leave: Array
    speakers: Mapping[str, Array]
    trained_s: float
    corpus_size: int = 0
    contexts: tuple[Context, ...] = ()
    asked_contexts: bool = True

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of each unit."""
        return {unit: place for place, unit in enumerate(self.units)}

    def index_of(self, unit: str) -> int:
        """Return the position of a unit, or of the nearest one where the model never heard it."""
        if unit not in self.index:
            self.index[unit] = self.index[nearest_unit(unit, self.units)]
        return self.index[unit]

    @cached_property
    def _of_context(self) -> dict[Context, int]:
        return {context: STATES * len(self.units) + k for k, context in enumerate(self.contexts)}

    def own_units(self, slots: Sequence[Slot]) -> list[str]:
        """Return the unit of each slot, the nearest one where the model never heard it."""
        return [self.units[self.index_of(slot.unit)] for slot in slots]

    def states(self, slots: Sequence[Slot]) -> Labels:
        """Return the mixture of each state of each slot, (slots, STATES): its context's if there is one."""
        units = self.own_units(slots)
        owners = np.array([self.index[unit] for unit in units], dtype=np.int64)
        found = STATES * owners[:, None] + np.arange(STATES)
        for place, context in contexts_of(slots, units):
            found[place, context.state] = self._of_context.get(context, found[place, context.state])
        return found

    def with_contexts(self, contexts: Sequence[Context]) -> "Model":
        """Return the model with states for ``contexts``, as yet copies of those after any neighbour."""
        copied = [STATES * self.index_of(context.unit) + context.state for context in contexts]
        chosen = np.array([*range(STATES * len(self.units)), *copied], dtype=np.int64)
        return replace(
            self, mixtures=self.mixtures.of_states(chosen), log_stay=self.log_stay[chosen],
            log_leave=self.log_leave[chosen], contexts=tuple(contexts),
        )  # fmt: skip

    @classmethod
    def empty(cls) -> "Model":
        """Return the model of a corpus without texts: it knows no unit."""
        none = np.zeros(0, dtype=np.float32)
        table = np.zeros((0, 0), dtype=np.float32)
        return cls((), Mixtures(none, table, table, np.zeros(1, dtype=np.int64)), none, none, {}, 0.0)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all but the speakers' means, so that it stays when one speaker is forgotten."""
        return sha256(replace(self, speakers={}).to_bytes()).hexdigest()

    def mean_digest(self, speaker: str) -> str | None:
        """Return the SHA-256 of a speaker's mean, or None where there is none."""
        mean = self.speakers.get(speaker)
        return None if mean is None else sha256(mean.tobytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """Return the model as npz bytes; equal models give equal bytes."""
        names = sorted(self.speakers)
        header = {
            "format": FORMATS[bool(self.contexts)], "states": STATES, "units": self.units,
            "speakers": names, "corpus_size": self.corpus_size,
            **({"contexts": self.contexts} if self.asked_contexts else {}),
        }  # fmt: skip
        means = np.array([self.speakers[name] for name in names], dtype=np.float32)
        buffer = io.BytesIO()
        np.savez(
            buffer, allow_pickle=False, header=np.frombuffer(json.dumps(header).encode(), np.uint8),
            log_weights=self.mixtures.log_weights, means=self.mixtures.means,
            variances=self.mixtures.variances, first=self.mixtures.first, log_stay=self.log_stay,
            log_leave=self.log_leave, speaker_means=means, trained_s=np.float64(self.trained_s),
        )  # fmt: skip
        return buffer.getvalue()


def from_bytes(data: bytes) -> Model:
    """Read a model; anything else than what `Model.to_bytes` writes raises AlignmentError."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            header = json.loads(bytes(file["header"]).decode())
            parts = {name: file[name] for name in file.files if name != "header"}
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(str(error)) from error
    if header.get("format") not in FORMATS or header.get("states") != STATES:
        raise _unreadable(f"format {header.get('format')} with {header.get('states')} states")
    mixtures = Mixtures(parts["log_weights"], parts["means"], parts["variances"], parts["first"])
    speakers = dict(zip(header["speakers"], parts["speaker_means"], strict=True))
    return Model(
        tuple(header["units"]), mixtures, parts["log_stay"], parts["log_leave"], speakers,
        float(parts["trained_s"]), int(header.get("corpus_size", 0)),
        tuple(Context(*context) for context in header.get("contexts", ())), "contexts" in header,
    )  # fmt: skip


def without_speakers(data: bytes, drop: Callable[[str], bool]) -> bytes:
    """Return the bytes of a model without the speakers (keys) to ``drop``; any other bytes as they are."""
    try:
        model = from_bytes(data)
    except AlignmentError:
        return data  # of another aligner, which keeps no speakers
    left = {name: mean for name, mean in model.speakers.items() if not drop(name)}
    return data if len(left) == len(model.speakers) else replace(model, speakers=left).to_bytes()


def nearest_unit(unit: str, known: tuple[str, ...]) -> str:
    """Return the known unit most like an unheard one: same class, then the most shared letters."""

    def likeness(other: str) -> tuple[bool, float, bool]:
        same_class = articulatory_class(other) == articulatory_class(unit)
        shared = len(set(other) & set(unit)) / len(set(other) | set(unit))
        return same_class, shared, other < unit

    candidates = [name for name in known if name != SILENCE]
    if not candidates:
        raise _unreadable("no unit but silence")
    return max(sorted(candidates), key=likeness)


def transitions(stays: NDArray[np.int64], leaves: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return log P(stay) and log P(leave) of each state from counts, kept within [0.05, 0.95]."""
    share = np.clip((stays + 1) / (stays + leaves + 2), 0.05, 0.95)
    return np.log(share).astype(np.float32), np.log1p(-share).astype(np.float32)


def _unreadable(found: str) -> AlignmentError:
    return AlignmentError(
        f"a model of the embedded aligner, format {' or '.join(map(str, FORMATS))}",
        found,
        "train a new one with --retrain",
    )
