"""What differs between two snapshots: utterances, what is known of them, and their rows, by feature."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from store.catalogue import Store
from store.entries import Commit
from store.records import FeatureSpec, Utterance
from store.snapshots import read_index, read_parts
from store.specs import load_spec

Rows = Mapping[str, tuple[str, int]]
"""Row key and number of rows by utterance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceChange:
    """An utterance that both manifests list with other values of some fields."""

    utterance: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecDiff:
    """The rows of one feature by utterance id; ``before`` and ``after`` are spec digests, None where absent.

    A feature of another version or with other parameters has another digest: all its rows changed.
    """

    name: str
    before: str | None
    after: str | None
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    same: int

    @property
    def differs(self) -> bool:
        """Whether anything is different."""
        return self.before != self.after or bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What the snapshot ``after`` has more, less or otherwise than ``before``."""

    before: Commit
    after: Commit
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[UtteranceChange, ...]
    specs: tuple[SpecDiff, ...]

    @property
    def differs(self) -> bool:
        """Whether anything is different."""
        return bool(self.added or self.removed or self.changed) or any(spec.differs for spec in self.specs)


def diff(store: Store, before: str | None, after: str | None) -> Difference:
    """Compare two snapshots, each named as for `Store.resolve`; no values are read.

    Raises
    ------
    StoreError
        If there is no such snapshot, or its manifest or an index is damaged.
    """
    old, new = store.resolve(before), store.resolve(after)
    first = {item.id: item for item in store.manifest(old.manifest)}
    second = {item.id: item for item in store.manifest(new.manifest)}
    return Difference(
        before=old,
        after=new,
        added=tuple(sorted(second.keys() - first.keys())),
        removed=tuple(sorted(first.keys() - second.keys())),
        changed=tuple(_changes(first, second)),
        specs=tuple(_spec_diffs(store, old, new)),
    )


def _changes(first: Mapping[str, Utterance], second: Mapping[str, Utterance]) -> Iterator[UtteranceChange]:
    for name in sorted(first.keys() & second.keys()):
        old, new = first[name], second[name]
        if old != new:
            names = (item.name for item in fields(Utterance))
            other = tuple(field for field in names if getattr(old, field) != getattr(new, field))
            yield UtteranceChange(utterance=name, fields=other)


def _spec_diffs(store: Store, old: Commit, new: Commit) -> Iterator[SpecDiff]:
    first, second = _rows(store, old), _rows(store, new)
    for before, after in _pairs(_specs(store, old), _specs(store, new)):
        name = before.name if before else after.name if after else ""
        old_rows = first.get(before.digest, {}) if before else {}
        new_rows = second.get(after.digest, {}) if after else {}
        both = old_rows.keys() & new_rows.keys()
        changed = tuple(sorted(item for item in both if old_rows[item] != new_rows[item]))
        yield SpecDiff(
            name=name,
            before=before.digest if before else None,
            after=after.digest if after else None,
            added=tuple(sorted(new_rows.keys() - old_rows.keys())),
            removed=tuple(sorted(old_rows.keys() - new_rows.keys())),
            changed=changed,
            same=len(both) - len(changed),
        )


def _specs(store: Store, commit: Commit) -> dict[str, FeatureSpec]:
    return {digest: load_spec(store.layout, digest) for digest in commit.specs}


def _rows(store: Store, commit: Commit) -> dict[str, dict[str, tuple[str, int]]]:
    """Return row key and length by spec digest and utterance."""
    rows: dict[str, dict[str, tuple[str, int]]] = {digest: {} for digest in commit.specs}
    for part in read_parts(store.layout, commit.snapshot):
        index = read_index(store.layout, commit.snapshot, part)
        rows[part.spec].update({row.utterance: (row.row_key, row.length) for row in index})
    return rows


def _pairs(
    first: Mapping[str, FeatureSpec], second: Mapping[str, FeatureSpec]
) -> list[tuple[FeatureSpec | None, FeatureSpec | None]]:
    """Return specs beside each other: the same digest, or else the only one of a name that changed."""
    pairs: list[tuple[FeatureSpec | None, FeatureSpec | None]] = [
        (first[digest], second[digest]) for digest in first.keys() & second.keys()
    ]
    left = [spec for digest, spec in first.items() if digest not in second]
    right = [spec for digest, spec in second.items() if digest not in first]
    for spec in left:
        same_name = [item for item in right if item.name == spec.name]
        alone = len(same_name) == 1 and sum(item.name == spec.name for item in left) == 1
        pairs.append((spec, same_name[0] if alone else None))
    matched = {after.digest for _, after in pairs if after}
    pairs += [(None, spec) for spec in right if spec.digest not in matched]
    return sorted(pairs, key=_order)


def _order(pair: tuple[FeatureSpec | None, FeatureSpec | None]) -> tuple[str, str]:
    spec = pair[0] or pair[1]
    return (spec.name, spec.digest) if spec else ("", "")
