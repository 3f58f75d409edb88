"""What to compute: the rows that are wanted minus the rows that are there, in work items; pure."""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from math import prod
from operator import attrgetter

import numpy as np

from features.framing import resampled_length, row_count
from features.segments import kept_rows
from pipeline.items import Limits, Recording, Task, WorkItem, by_length, grouped
from store.catalogue import Placement, WantedRows
from store.errors import ConfigurationError, ExtractionError
from store.records import Alignment, FeatureSpec, PhoneInterval, Skipped, Utterance

Placed = Mapping[tuple[str, str], Mapping[str, Placement]]
"""By (spec digest, corpus): the rows that the store holds, by row key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlan:
    """What a build does: the rows the snapshot will list, the items to compute and what cannot be had.

    ``specs`` stand parents first; ``kept`` counts the wanted row keys that the store holds already.
    """

    specs: tuple[FeatureSpec, ...]
    wanted: tuple[WantedRows, ...]
    items: tuple[WorkItem, ...]
    unavailable: tuple[Skipped, ...]
    kept: int

    @property
    def seconds(self) -> float:
        """Seconds of audio to handle."""
        return sum(item.seconds for item in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What one spec will add to the store, before compression."""

    spec: str
    name: str
    rows: int
    bytes: int


class _Wish:
    """One spec with what is needed often while planning: its digest, row keys and row counts."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec, self.digest = spec, spec.digest
        self.aligned = "alignment" in spec.uses
        self.row_bytes = row_bytes(spec)
        self.row_key = _row_keys(spec)

    def length(self, utterance: Utterance, phones: Sequence[PhoneInterval], parent: int) -> int:
        """Return the number of rows by the frame law; ``parent`` is that of the spec it is derived from."""
        if self.spec.law.kind == "phone-frames":
            return kept_rows(self.spec, phones, parent)
        samples = resampled_length(utterance.n_samples, utterance.sample_rate, self.spec.sample_rate)
        return row_count(self.spec.law, samples, len(phones))


class _Planner:
    """The state of one planning run over utterances in order of their ids."""

    def __init__(self, specs: Sequence[FeatureSpec], alignments: Mapping[str, Alignment], placed: Placed):
        self.wishes = [_Wish(spec) for spec in parents_first(specs)]
        self.aligned = any(wish.aligned for wish in self.wishes)
        self.ranks = {wish.digest: rank for rank, wish in enumerate(self.wishes)}
        self.alignments, self.placed = alignments, placed
        self.wanted: list[WantedRows] = []
        self.unavailable: list[Skipped] = []
        self.recordings: dict[tuple[str, str], Recording] = {}  # by (corpus, audio), in order of ids
        self.planned: set[tuple[str, str]] = set()
        self.kept: set[tuple[str, str]] = set()

    def add(self, utterance: Utterance) -> None:
        """Want every row of one utterance, and plan those that nobody has computed or will compute."""
        alignment = self.alignments.get(utterance.id)
        phones = alignment.phones if alignment else ()
        keys: dict[str, str] = {}
        lengths: dict[str | None, int] = {None: 0}
        if self.aligned and alignment is None:
            self._leave_out(utterance, "not aligned")
        for wish in self.wishes:
            parent = wish.spec.parent
            if (wish.aligned and alignment is None) or (parent is not None and parent not in keys):
                continue
            length = lengths[wish.digest] = wish.length(utterance, phones, lengths[parent])
            if length < 1:
                self._leave_out(utterance, f"{wish.spec.name}: its frame law gives no rows")
                continue
            keys[wish.digest] = key = wish.row_key(utterance, alignment)
            rows = WantedRows(
                spec=wish.digest, corpus=utterance.corpus, utterance=utterance.id, row_key=key, length=length
            )
            self.wanted.append(rows)
            self._seek(wish, utterance, rows, phones, keys.get(parent) if parent else None)

    def _leave_out(self, utterance: Utterance, reason: str) -> None:
        self.unavailable.append(
            Skipped(
                utterance=utterance.id,
                corpus=utterance.corpus,
                path=utterance.path,
                stage="extract",
                reason=reason,
            )
        )

    def _seek(
        self,
        wish: _Wish,
        utterance: Utterance,
        rows: WantedRows,
        phones: tuple[PhoneInterval, ...],
        parent_key: str | None,
    ) -> None:
        """Keep rows that are there; otherwise plan a task for them, once for each key."""
        corpus, key = rows.corpus, rows.row_key
        there = self.placed.get((wish.digest, corpus), {}).get(key)
        if there is not None:
            _check_length(wish.spec, utterance, there, rows.length)
            self.kept.add((corpus, key))
        elif (corpus, key) not in self.planned:
            self.planned.add((corpus, key))
            parents = self.placed.get((wish.spec.parent, corpus), {}) if wish.spec.parent else {}
            task = Task(
                spec=wish.digest,
                row_key=key,
                length=rows.length,
                utterance=utterance.id,
                gender=utterance.gender,
                phones=phones if wish.aligned else (),
                parent_key=parent_key,
                parent=parents.get(parent_key) if parent_key else None,
            )
            audio = (corpus, utterance.audio_sha256)
            self.recordings.setdefault(audio, Recording(utterance)).tasks.append(task)

    def items(self, limits: Limits | None) -> tuple[WorkItem, ...]:
        """Group the recordings into work items: by corpus, in order of ids, each within the limits."""
        by_corpus: dict[str, list[Recording]] = {}
        for recording in self.recordings.values():
            recording.tasks.sort(key=lambda task: self.ranks[task.spec])
            by_corpus.setdefault(recording.utterance.corpus, []).append(recording)
        seconds = sum(recording.utterance.seconds for recording in self.recordings.values())
        bounds = limits or Limits.for_audio(seconds)
        row_bytes = {wish.digest: wish.row_bytes for wish in self.wishes}
        items: list[WorkItem] = []
        for corpus in sorted(by_corpus):
            seconds -= sum(recording.utterance.seconds for recording in by_corpus[corpus])
            items.extend(
                WorkItem(corpus=corpus, recordings=tuple(sorted(group, key=by_length)))
                for group in grouped(by_corpus[corpus], bounds, row_bytes, after=seconds)
            )
        return tuple(items)


def plan(
    utterances: Iterable[Utterance],
    alignments: Mapping[str, Alignment],
    specs: Sequence[FeatureSpec],
    placed: Placed,
    *,
    limits: Limits | None = None,
) -> BuildPlan:
    """Return what a build of ``specs`` over ``utterances`` has to do.

    ``alignments`` are by utterance id; without one, the specs that use an alignment are not wanted and the
    utterance is listed as unavailable. The result does not depend on the order of the utterances. Rows with
    the same key within a corpus are computed once.

    Raises
    ------
    ConfigurationError
        If a spec's parent is not among ``specs``, or an utterance is listed twice.
    ExtractionError
        If stored rows have another length than the frame law gives now.
    """
    planner = _Planner(specs, alignments, placed)
    previous = ""
    with _collector_paused():
        for utterance in sorted(utterances, key=attrgetter("id")):
            if utterance.id == previous:
                raise ConfigurationError("each utterance once", f"{utterance.id} twice", "mend the manifest")
            previous = utterance.id
            planner.add(utterance)
        return BuildPlan(
            specs=tuple(wish.spec for wish in planner.wishes),
            wanted=tuple(planner.wanted),
            items=planner.items(limits),
            unavailable=tuple(planner.unavailable),
            kept=len(planner.kept),
        )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the garbage collector from going through millions of records again and again: none are cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def forecast(plan: BuildPlan) -> tuple[Forecast, ...]:
    """Return the rows and bytes (before compression) that each spec of ``plan`` will add to the store."""
    rows: dict[str, int] = {}
    for item in plan.items:
        for spec, count in item.rows().items():
            rows[spec] = rows.get(spec, 0) + count
    wishes = [_Wish(spec) for spec in plan.specs]
    return tuple(
        Forecast(
            spec=wish.digest,
            name=wish.spec.name,
            rows=rows.get(wish.digest, 0),
            bytes=rows.get(wish.digest, 0) * wish.row_bytes,
        )
        for wish in wishes
    )


def row_bytes(spec: FeatureSpec) -> int:
    """Return the bytes of one row before compression."""
    return prod(spec.dims) * np.dtype(spec.dtype).itemsize


def parents_first(specs: Sequence[FeatureSpec]) -> tuple[FeatureSpec, ...]:
    """Return the distinct specs, by name and digest, each after the one it is derived from."""
    waiting = {spec.digest: spec for spec in sorted(specs, key=lambda spec: (spec.name, spec.digest))}
    ordered: dict[str, FeatureSpec] = {}
    while waiting:
        ready = {key: s for key, s in waiting.items() if s.parent is None or s.parent in ordered}
        if not ready:
            names = ", ".join(spec.name for spec in waiting.values())
            raise ConfigurationError(
                "the parent of each derived feature among the features",
                f"none for {names}",
                "add the feature that it is derived from",
            )
        ordered.update(ready)
        waiting = {key: spec for key, spec in waiting.items() if key not in ready}
    return tuple(ordered.values())


def _row_keys(spec: FeatureSpec) -> Callable[[Utterance, Alignment | None], str]:
    """Return `FeatureSpec.row_key` with the spec's part written once: a plan asks for it 100,000 times."""
    gendered, aligned = "gender" in spec.uses, "alignment" in spec.uses
    last = f'"spec":"{spec.digest}"}}'

    def row_key(utterance: Utterance, alignment: Alignment | None) -> str:
        key = f'"{alignment.key}"' if aligned and alignment else "null"
        gender = f'"{utterance.gender}"' if gendered else "null"
        text = f'{{"alignment":{key},"audio":"{utterance.audio_sha256}","gender":{gender},{last}'
        return sha256(text.encode()).hexdigest()

    return row_key


def _check_length(spec: FeatureSpec, utterance: Utterance, there: Placement, length: int) -> None:
    if there.length != length:
        raise ExtractionError(
            f"{length} rows of {spec.name} for {utterance.id} by its frame law",
            f"{there.length} stored",
            "raise the version of the extractor when its frame law changes",
        )
