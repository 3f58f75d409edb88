"""What one corpus gives to training, read once: labels, speakers, phone segments and cropped frames."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.segments import segment_bounds
from store.errors import TrainingError
from store.records import Alignment, FeatureSpec, Skipped, Utterance
from store.vocabulary import SHARED_VOWELS
from training.experiment import Experiment

if TYPE_CHECKING:
    from store.feature_store import FeatureStore

NO_VOWEL = -1


@dataclass(frozen=True, slots=True)
class Ragged:
    """Rows of many items in one array; item i holds rows ``starts[i]`` to ``starts[i + 1]``."""

    values: NDArray[np.float32]
    starts: NDArray[np.int64]

    @classmethod
    def join(cls, items: Sequence[NDArray[np.float32]]) -> "Ragged":
        """Concatenate items of shape (rows, d)."""
        lengths = [len(item) for item in items]
        return cls(np.concatenate(items).astype(np.float32, copy=False), np.cumsum([0, *lengths]))

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        return self.values[self.starts[index] : self.starts[index + 1]]

    def rows_of(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of several items, in their order."""
        return np.concatenate([np.arange(self.starts[i], self.starts[i + 1]) for i in items])


@dataclass(frozen=True, slots=True)
class CorpusData:
    """One corpus in memory, N utterances in the order of ``ids``.

    ``labels`` (N,) are indices into the experiment's classes; ``segments`` rows are phones (P, d); ``vowels``
    (all phones,) are indices into SHARED_VOWELS or -1, aligned with the rows of ``segments``; ``frames`` rows
    are stored frames (T, d) cropped to those that some phone segment needs, None where no model reads them;
    ``windows`` (all phones, 2) are the frames [first, last) of each phone within its item's crop.
    """

    ids: tuple[str, ...]
    speakers: tuple[str, ...]
    labels: NDArray[np.int64]
    segments: Ragged
    vowels: NDArray[np.int64]
    frames: Ragged | None
    windows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def positions(self, ids: Collection[str]) -> NDArray[np.int64]:
        """Return the positions of the utterances among ``ids``."""
        wanted = frozenset(ids)
        return np.array([i for i, name in enumerate(self.ids) if name in wanted], dtype=np.int64)

    def vowels_of(self, index: int) -> NDArray[np.int64]:
        """Return the vowel of each phone of one utterance."""
        return self.vowels[self.segments.starts[index] : self.segments.starts[index + 1]]

    def windows_of(self, index: int) -> NDArray[np.int64]:
        """Return the frames of each phone of one utterance."""
        return self.windows[self.segments.starts[index] : self.segments.starts[index + 1]]

    @property
    def inventory(self) -> set[str]:
        """The shared vowels that occur."""
        return {SHARED_VOWELS[vowel] for vowel in np.unique(self.vowels) if vowel != NO_VOWEL}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A corpus as loaded: its data, the utterances behind it in the same order, and what was left out."""

    data: CorpusData
    utterances: tuple[Utterance, ...]
    skipped: tuple[Skipped, ...]


def load_corpus(store: "FeatureStore", corpus: str, experiment: Experiment, *, frames: bool) -> Loaded:
    """Read one corpus of the store's snapshot.

    Utterances without phones or without stored rows are left out with a reason, and so are phones after
    ``max_phones``. Raises TrainingError where nothing is left or only one class is.
    """
    kept, skipped = usable(store, corpus, experiment, frames=frames)
    _check_classes(corpus, [item for item, _ in kept], experiment)
    return Loaded(_read(store, kept, experiment, frames), tuple(item for item, _ in kept), skipped)


def usable(
    store: "FeatureStore", corpus: str, experiment: Experiment, *, frames: bool
) -> tuple[tuple[tuple[Utterance, Alignment], ...], tuple[Skipped, ...]]:
    """Return the utterances of a corpus that training can use, and what it leaves out; reads no rows.

    The emotion of each is the class that it counts as.
    """
    wanted = [
        replace(u, emotion=experiment.class_of(u.emotion))
        for u in store.utterances
        if u.corpus == corpus and u.emotion in experiment.emotions
    ]
    needed = [store.spec(name) for name in (experiment.segments, *[experiment.frames] * frames)]
    kept: list[tuple[Utterance, Alignment]] = []
    skipped: list[Skipped] = []
    for item in wanted:
        alignment = store.alignment(item.id)
        phones = len(alignment.phones) if alignment is not None else 0
        if alignment is None or not phones:
            skipped.append(_skip(item, "no phones: not aligned"))
            continue
        missing = [spec.name for spec in needed if not store.has(spec, item.id)]
        if missing:
            skipped.append(_skip(item, f"no stored rows of {', '.join(missing)}"))
            continue
        if phones > experiment.max_phones:
            skipped.append(_skip(item, f"only the first {experiment.max_phones} of {phones} phones are used"))
        kept.append((item, alignment))
    return tuple(kept), tuple(skipped)


def _skip(item: Utterance, reason: str) -> Skipped:
    return Skipped(utterance=item.id, corpus=item.corpus, path=item.path, stage="train", reason=reason)


def _check_classes(corpus: str, utterances: Sequence[Utterance], experiment: Experiment) -> None:
    found = {item.emotion for item in utterances}
    if len(found) < 2:
        raise TrainingError(
            f"aligned utterances of two or more of {', '.join(experiment.classes)} in {corpus}",
            ", ".join(sorted(found)) or "none",
            "choose other classes or another corpus",
        )


def _read(
    store: "FeatureStore", kept: Sequence[tuple[Utterance, Alignment]], experiment: Experiment, frames: bool
) -> CorpusData:
    limit = experiment.max_phones
    utterances = [item for item, _ in kept]
    segments = [rows[:limit] for rows in _rows(store, experiment.segments, utterances, experiment)]
    phones = [alignment.phones[:limit] for _, alignment in kept]
    for item, rows, intervals in zip(utterances, segments, phones, strict=True):
        if len(rows) != len(intervals):
            raise TrainingError(
                f"one segment for each of {len(intervals)} phones of {item.id}",
                f"{len(rows)}",
                "rebuild the segments",
            )
    crops, windows = None, [np.zeros((len(intervals), 2), dtype=np.int64) for intervals in phones]
    if frames:
        spec = store.spec(experiment.frames)
        stored = _rows(store, experiment.frames, utterances, experiment)
        pairs = [
            _crop(rows, alignment, spec, experiment)
            for rows, (_, alignment) in zip(stored, kept, strict=True)
        ]
        crops, windows = Ragged.join([rows for rows, _ in pairs]), [bounds for _, bounds in pairs]
    vowels = [[_vowel(phone.vowel) for phone in intervals] for intervals in phones]
    return CorpusData(
        ids=tuple(item.id for item in utterances),
        speakers=tuple(item.speaker for item in utterances),
        labels=np.array([experiment.classes.index(item.emotion) for item in utterances], dtype=np.int64),
        segments=Ragged.join(segments),
        vowels=np.concatenate([np.array(row, dtype=np.int64) for row in vowels]),
        frames=crops,
        windows=np.concatenate(windows),
    )


def _vowel(vowel: str | None) -> int:
    return NO_VOWEL if vowel is None else SHARED_VOWELS.index(vowel)


def _crop(
    rows: NDArray[np.float32], alignment: Alignment, spec: FeatureSpec, experiment: Experiment
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Cut frames to the span that the segments cover; returns (T, d) and the windows (P, 2) within it."""
    stride = experiment.frame_stride
    strided = rows[::stride]
    phones = alignment.phones[: experiment.max_phones]
    bounds = segment_bounds(phones, len(strided), hop=spec.law.hop * stride, rate=spec.sample_rate)
    first, last = int(bounds[:, 0].min()), int(bounds[:, 1].max())
    return strided[first:last], bounds - first


def _rows(
    store: "FeatureStore", name: str, utterances: Sequence[Utterance], experiment: Experiment
) -> list[NDArray[np.float32]]:
    """Return (rows, d) of each utterance; of a layered spec one layer, of others the rows as they are."""
    spec = store.spec(name)
    layer = None
    if len(spec.dims) == 2:
        layer = spec.dims[0] - 1 if experiment.layer == "last" else experiment.layer
    many = store.read_many(spec, [item.id for item in utterances], layer=layer)
    return [defined(np.asarray(many[item.id], dtype=np.float32), name, item) for item in utterances]


def defined(rows: NDArray[np.float32], name: str, item: Utterance) -> NDArray[np.float32]:
    """Return ``rows``; raises TrainingError where a number is undefined, as F0 is in frames without voice."""
    if not np.isfinite(rows).all():
        raise TrainingError(
            f"numbers in all rows of {name}", f"undefined ones (NaN) in {item.id}",
            "set experiment.frames to frames that are defined everywhere, e.g. mfcc13",
        )  # fmt: skip
    return rows
