"""Features, labels and a split joined by utterance id: one view of a snapshot, with what was left out."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from numpy.typing import NDArray

from store.errors import ConfigurationError
from store.labels import (
    DIMENSIONS,
    Label,
    Labels,
    NoLabel,
    check_kind,
    classes_of,
    label_of,
    target_of,
    within,
)
from store.records import FeatureSpec, Skipped, Utterance
from store.splits import Split, official_split, read_split

if TYPE_CHECKING:
    from store.feature_store import FeatureStore

OFFICIAL = "official"
STAGE = "join"

Licence = str | Collection[str] | Callable[[str], bool]
"""A licence, several, or what says yes or no to the name of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedRow:
    """One utterance with its label; ``speaker`` is unique across corpora, ``part`` None without a split."""

    utterance: str
    corpus: str
    speaker: str
    gender: str
    language: str
    licence: str
    label: Label
    part: str | None = None


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Rows by utterance id, each with stored rows of every feature and a label; values are read when asked.

    ``kind`` says what the labels are and ``classes`` which emotions they name, in order; ``layers`` is the
    layer in use of layered features (all where none is given); ``split`` is the digest of the split.
    ``skipped`` says what has no feature, label, part or allowed licence, and why.
    """

    store: "FeatureStore"
    features: tuple[FeatureSpec, ...]
    kind: Labels
    classes: tuple[str, ...]
    rows: tuple[JoinedRow, ...]
    skipped: tuple[Skipped, ...]
    layers: Mapping[str, int] = field(default_factory=dict)
    split: str | None = None
    fold: int | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[JoinedRow]:
        return iter(self.rows)

    @cached_property
    def _by_id(self) -> dict[str, JoinedRow]:
        return {row.utterance: row for row in self.rows}

    def row(self, utterance_id: str) -> JoinedRow:
        """Return the row of an utterance; ConfigurationError if the view has none."""
        if utterance_id not in self._by_id:
            raise ConfigurationError(
                f"an utterance of this view ({len(self)} rows)", repr(utterance_id), "see skipped for why"
            )
        return self._by_id[utterance_id]

    @property
    def counts(self) -> dict[str, int]:
        """How many utterances were left out, by reason."""
        return dict(Counter(item.reason for item in self.skipped).most_common())

    @property
    def licences(self) -> dict[str, int]:
        """How many rows stand under each licence."""
        return dict(sorted(Counter(row.licence for row in self.rows).items()))

    @property
    def parts(self) -> dict[str, int]:
        """How many rows are in each part of the split."""
        return dict(sorted(Counter(row.part for row in self.rows if row.part is not None).items()))

    def part(self, name: str) -> "Joined":
        """Return the rows of one part of the split; ConfigurationError if it has none."""
        if name not in self.parts:
            raise ConfigurationError(
                f"a part of the split: {', '.join(self.parts) or 'there is no split'}", repr(name), "name one"
            )
        return replace(self, rows=tuple(row for row in self.rows if row.part == name))

    def read(self, utterance_id: str) -> dict[str, NDArray[Any]]:
        """Return the values of every feature of an utterance, (rows, *dims) each, by the feature's name."""
        self.row(utterance_id)
        return self.read_many([utterance_id])[utterance_id]

    def read_many(self, ids: Iterable[str]) -> dict[str, dict[str, NDArray[Any]]]:
        """Return the values of many utterances by id, then by feature; neighbours are read together."""
        wanted = list(ids)
        columns = {
            spec.name: self.store.read_many(spec, wanted, layer=self.layers.get(spec.name))
            for spec in self.features
        }
        return {name: {feature: rows[name] for feature, rows in columns.items()} for name in wanted}

    def target(self, utterance_id: str) -> NDArray[Any]:
        """Return the label as training reads it; see `store.labels.target_of`."""
        return target_of(self.row(utterance_id).label, self.classes)

    def table(self) -> pa.Table:
        """Return labels, split and licences as one Arrow table, an utterance a row; values are left out.

        The column ``label`` is a string (hard, perceived) or a list of {emotion, share} (soft); ratings have
        a column each.
        """
        names = ("utterance", "corpus", "speaker", "gender", "language", "licence", "part")
        columns = {name: pa.array([getattr(row, name) for row in self.rows], pa.string()) for name in names}
        labels = [row.label for row in self.rows]
        described = {"snapshot": self.store.snapshot_id, "split": self.split or "", "kind": self.kind}
        return pa.table({**columns, **_label_columns(self.kind, labels)}, metadata=described)


def _label_columns(kind: Labels, labels: Sequence[Any]) -> dict[str, pa.Array]:
    if kind in ("hard", "perceived"):
        return {"label": pa.array(labels, pa.string())}
    if kind == "soft":
        share = pa.struct([("emotion", pa.string()), ("share", pa.float64())])
        plain = [[{"emotion": s.emotion, "share": s.share} for s in label] for label in labels]
        return {"label": pa.array(plain, pa.list_(share))}
    names = DIMENSIONS if kind == "dimensions" else (kind,)
    return {name: pa.array([label[at] for label in labels], pa.float64()) for at, name in enumerate(names)}


def join(
    store: "FeatureStore",
    features: Sequence[str | FeatureSpec],
    *,
    labels: Labels = "hard",
    split: Split | str | Path | None = None,
    fold: int | None = None,
    classes: Sequence[str] | None = None,
    licence: Licence | None = None,
    corpora: Collection[str] | None = None,
    languages: Collection[str] | None = None,
    layers: Mapping[str, int] | None = None,
) -> Joined:
    """Join by utterance id; see `FeatureStore.dataset`, which calls this."""
    check_kind(labels)
    for what, names in (("feature", features), ("class", classes)):
        _check_list(what, names or ())
    specs = tuple(store.spec(item if isinstance(item, str) else item.digest) for item in features)
    _check_names([spec.name for spec in specs], layers or {})
    chosen = _selected(store.utterances, corpora=corpora, languages=languages)
    divided = _split(store, split, chosen)
    parts = divided.parts(fold) if divided is not None else None
    allowed = _allowed(chosen, licence)
    found = {item.id: label_of(item, labels) for item in chosen}
    present = classes_of(label for label in found.values() if not isinstance(label, NoLabel))
    names = tuple(classes) if classes is not None and present else present
    rows: list[JoinedRow] = []
    skipped: list[Skipped] = []
    for item in chosen:
        label = found[item.id]
        label = label if isinstance(label, NoLabel) else within(label, labels, names)
        reason = _reason(store, item, specs, allowed, parts)
        if reason or isinstance(label, NoLabel):
            skipped.append(_skip(item, reason or getattr(label, "reason", "")))
        else:
            rows.append(_row(item, label, parts))
    if parts is not None:
        skipped += _not_here(parts, store.utterances)
    return Joined(
        store=store, features=specs, kind=labels, classes=names, rows=tuple(rows), skipped=tuple(skipped),
        layers=dict(layers or {}), split=divided.digest if divided is not None else None,
        fold=None if divided is None else fold or 0,
    )  # fmt: skip


def _selected(
    utterances: Sequence[Utterance], *, corpora: Collection[str] | None, languages: Collection[str] | None
) -> list[Utterance]:
    """Return the utterances of the corpora and languages asked for; names that do not occur are an error."""
    for what, names, known in (
        ("corpus", corpora, {item.corpus for item in utterances}),
        ("language", languages, {item.language for item in utterances}),
    ):
        check_known(what, names or (), known)
    return [
        item
        for item in utterances
        if (corpora is None or item.corpus in corpora) and (languages is None or item.language in languages)
    ]


def _check_names(features: Sequence[str], layers: Collection[str]) -> None:
    """Raise `ConfigurationError` for two features of one name, or layers of a feature that is not joined."""
    twice = sorted(name for name, count in Counter(features).items() if count > 1)
    if twice:
        raise ConfigurationError("each feature name once", f"twice: {', '.join(twice)}", "join one of them")
    strange = sorted(set(layers) - set(features))
    if strange:
        there = ", ".join(features) or "none"
        raise ConfigurationError(
            f"layers of joined features: {there}", ", ".join(strange), "name one of these"
        )


def _check_list(what: str, names: Collection[Any]) -> None:
    if isinstance(names, str):
        raise ConfigurationError(f"a list of names of each {what}", repr(names), "write [...] around it")


def check_known(what: str, names: Collection[str], known: Collection[str]) -> None:
    """Raise `ConfigurationError` for names of a ``what`` that the snapshot does not have."""
    _check_list(what, names)
    unknown = sorted(set(names) - set(known))
    if unknown:
        there = ", ".join(sorted(known)) or "none"
        raise ConfigurationError(
            f"a {what} of the snapshot: {there}", ", ".join(unknown), "name one of these"
        )


def _allowed(utterances: Sequence[Utterance], licence: Licence | None) -> Callable[[str], bool]:
    if licence is None:
        return lambda _: True
    if callable(licence):
        return licence
    names = frozenset([licence] if isinstance(licence, str) else licence)
    check_known("licence", names, {item.licence for item in utterances})
    return names.__contains__


def _split(
    store: "FeatureStore", split: Split | str | Path | None, utterances: Sequence[Utterance]
) -> Split | None:
    if split is None or isinstance(split, Split):
        return split
    if split == OFFICIAL:
        where = {"snapshot": store.snapshot_id, "manifest": store.commit.manifest}
        return official_split(OFFICIAL, utterances, **where)
    return read_split(Path(split))


def _reason(
    store: "FeatureStore",
    item: Utterance,
    specs: Sequence[FeatureSpec],
    allowed: Callable[[str], bool],
    parts: Mapping[str, str] | None,
) -> str:
    """Return why an utterance is left out, apart from its label; "" where it is not."""
    if not allowed(item.licence):
        return f"licence {item.licence} was not asked for"
    if parts is not None and item.id not in parts:
        return "in no part of the split"
    missing = [spec.name for spec in specs if not store.has(spec, item.id)]
    return f"no stored rows of {', '.join(missing)}" if missing else ""


def _row(item: Utterance, label: Label, parts: Mapping[str, str] | None) -> JoinedRow:
    return JoinedRow(
        utterance=item.id,
        corpus=item.corpus,
        speaker=item.speaker_key,
        gender=item.gender,
        language=item.language,
        licence=item.licence,
        label=label,
        part=None if parts is None else parts[item.id],
    )


def _skip(item: Utterance, reason: str) -> Skipped:
    return Skipped(utterance=item.id, corpus=item.corpus, path=item.path, stage=STAGE, reason=reason)


def _not_here(parts: Mapping[str, str], utterances: Iterable[Utterance]) -> Iterator[Skipped]:
    for name in sorted(parts.keys() - {item.id for item in utterances}):
        yield Skipped(
            utterance=name, corpus=name.split("/", 1)[0], path="", stage=STAGE,
            reason="named by the split, not in the snapshot",
        )  # fmt: skip
