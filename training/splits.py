"""Speaker-disjoint splits: the folds of a target corpus and the validation speakers of a source corpus."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from store.errors import SplitError
from store.records import Utterance
from store.splits import Split, read_split

PROTOCOLS = Path(__file__).with_name("protocols.toml")
DEFAULT_FOLDS = 5
ATTEMPTS = 200
"""How many seeded draws of validation speakers are tried before a missing class is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One fold of a target corpus, numbered from 0; speakers are `Utterance.speaker` names, sorted."""

    number: int
    test_speakers: tuple[str, ...]
    train_speakers: tuple[str, ...]

    def divide(self, utterances: Iterable[Utterance]) -> tuple[tuple[Utterance, ...], tuple[Utterance, ...]]:
        """Return (training utterances, test utterances) of this fold, in the given order."""
        items = tuple(utterances)
        train = tuple(item for item in items if item.speaker in self.train_speakers)
        return train, tuple(item for item in items if item.speaker in self.test_speakers)


@cache
def _published() -> Mapping[str, tuple[tuple[str, ...], ...]]:
    return {name: tuple(tuple(fold) for fold in table["folds"]) for name, table in _protocols().items()}


def _protocols() -> Mapping[str, Any]:
    return tomllib.loads(PROTOCOLS.read_text(encoding="utf-8"))


def published_source(corpus: str) -> str | None:
    """Return where the published folds of a corpus come from, or None where `folds` makes them."""
    source = _protocols().get(corpus, {}).get("source")
    return None if source is None else str(source)


def folds_as_asked(
    utterances: Iterable[Utterance], n_folds: int | None = None, split_file: str | None = None
) -> tuple[Fold, ...]:
    """Return the folds of one corpus from a split file where one is named, else as `folds` gives them.

    Raises
    ------
    SplitError
        As `folds` and `folds_of`, or if the file is no split.
    """
    if split_file is None:
        return folds(utterances, n_folds)
    return folds_of(read_split(Path(split_file)), tuple(utterances))


def folds_of(split: Split, utterances: Sequence[Utterance]) -> tuple[Fold, ...]:
    """Return the folds of a split: its parts ``train`` and ``test``, as speakers.

    Raises
    ------
    SplitError
        If a speaker's utterances are in several parts, or the folds do not test every speaker once.
    """
    sides = [_speakers_by_part(split, number, utterances) for number in range(len(split.folds))]
    tested = sorted(name for side in sides for name in side.get("test", ()))
    everyone = sorted({item.speaker for item in utterances})
    _require(
        tested == everyone,
        f"a split that tests each of {len(everyone)} speakers once in {split.name}",
        f"{len(set(tested))} of them tested {len(tested)} times",
        "make one with 'phonanchor split make'",
    )
    return tuple(
        Fold(number=number, test_speakers=side.get("test", ()), train_speakers=side.get("train", ()))
        for number, side in enumerate(sides)
    )


def _speakers_by_part(
    split: Split, number: int, utterances: Sequence[Utterance]
) -> dict[str, tuple[str, ...]]:
    parts = split.parts(number)
    of_speaker: dict[str, set[str]] = {}
    for item in utterances:
        of_speaker.setdefault(item.speaker, set()).add(parts.get(item.id, ""))
    torn = sorted(name for name, some in of_speaker.items() if len(some) > 1)
    _require(
        not torn, f"whole speakers in each part of {split.name}", f"{', '.join(torn[:3])} in several",
        "split by speaker",
    )  # fmt: skip
    sides: dict[str, list[str]] = {}
    for name, some in sorted(of_speaker.items()):
        sides.setdefault(min(some), []).append(name)
    return {part: tuple(names) for part, names in sides.items()}


def folds(utterances: Iterable[Utterance], n_folds: int | None = None) -> tuple[Fold, ...]:
    """Return the folds of one corpus; every speaker is tested exactly once.

    Corpora with published folds (``protocols.toml``) use them, restricted to the speakers present; others,
    and any corpus when ``n_folds`` is given, get a speaker k-fold balanced by gender that depends on the set
    of speakers only (not on order, seed or labels).

    Raises
    ------
    SplitError
        For utterances of several corpora, fewer than two speakers, more folds than speakers, a speaker whom
        the published folds do not list, or a speaker of two genders.
    """
    items = tuple(utterances)
    genders = _genders(items)
    published = _published().get(items[0].corpus)
    groups = _restrict(published, genders) if published and n_folds is None else _deal(genders, n_folds)
    return tuple(
        Fold(
            number=number,
            test_speakers=tuple(sorted(group)),
            train_speakers=tuple(sorted(genders.keys() - set(group))),
        )
        for number, group in enumerate(groups)
    )


def source_split(
    utterances: Iterable[Utterance], seed: int, share: float = 0.2
) -> tuple[frozenset[str], frozenset[str]]:
    """Return (training ids, validation ids) of a source corpus: speaker-disjoint, every class on both sides.

    About ``share`` of the speakers validate (at least one, never all), as balanced by gender as the numbers
    allow; which ones is drawn with ``seed``.

    Raises
    ------
    SplitError
        If there are fewer than two speakers, ``share`` is not inside (0, 1), or no draw of speakers leaves
        every emotion on both sides.
    """
    items = tuple(utterances)
    genders = _genders(items)
    _require(0 < share < 1, "a validation share between 0 and 1", str(share), "set it to 0.2")
    emotions = {item.emotion for item in items}
    rng = np.random.default_rng(seed)
    for _ in range(ATTEMPTS):
        chosen = _draw(genders, share, rng)
        sides = [[item for item in items if (item.speaker in chosen) is side] for side in (False, True)]
        if all({item.emotion for item in side} == emotions for side in sides):
            return frozenset(item.id for item in sides[0]), frozenset(item.id for item in sides[1])
    raise SplitError(
        "validation speakers that leave every emotion in training and validation",
        f"none in {ATTEMPTS} draws from {len(genders)} speakers and {', '.join(sorted(emotions))}",
        "add speakers, raise the validation share or drop the rare emotion",
    )


def _draw(genders: Mapping[str, str], share: float, rng: np.random.Generator) -> frozenset[str]:
    """Draw validation speakers: shuffle, then interleave the genders so that any prefix is balanced."""
    count = min(len(genders) - 1, max(1, round(share * len(genders))))
    pools = _by_gender(genders)
    shuffled = [[pool[i] for i in rng.permutation(len(pool))] for pool in pools]
    order = [shuffled[i] for i in rng.permutation(len(shuffled))]
    ranked = sorted(
        (place / len(pool), i, name) for i, pool in enumerate(order) for place, name in enumerate(pool)
    )
    return frozenset(name for _, _, name in ranked[:count])


def _deal(genders: Mapping[str, str], n_folds: int | None) -> list[list[str]]:
    """Deal the speakers of each gender in turn to the folds, so that sizes differ by one at most."""
    count = min(DEFAULT_FOLDS, len(genders)) if n_folds is None else n_folds
    _require(
        2 <= count <= len(genders), f"2 to {len(genders)} folds", str(count), "set the number of folds so"
    )
    groups: list[list[str]] = [[] for _ in range(count)]
    for place, name in enumerate(chain.from_iterable(_by_gender(genders))):
        groups[place % count].append(name)
    return groups


def _restrict(published: Sequence[Sequence[str]], genders: Mapping[str, str]) -> list[list[str]]:
    unknown = sorted(genders.keys() - set(chain.from_iterable(published)))
    _require(
        not unknown,
        "speakers of the published folds",
        f"also {', '.join(unknown)}",
        "set the number of folds",
    )
    groups = [[name for name in group if name in genders] for group in published]
    kept = [group for group in groups if group]
    _require(len(kept) >= 2, "speakers of two folds", f"{len(kept)} fold", "include more speakers")
    return kept


def _by_gender(genders: Mapping[str, str]) -> list[list[str]]:
    return [sorted(n for n, g in genders.items() if g == gender) for gender in sorted(set(genders.values()))]


def _genders(utterances: Sequence[Utterance]) -> dict[str, str]:
    """Return the gender of each speaker of one corpus."""
    corpora = sorted({item.corpus for item in utterances})
    _require(
        len(corpora) == 1, "utterances of one corpus", ", ".join(corpora) or "none", "split each corpus alone"
    )
    found: dict[str, str] = {}
    for item in utterances:
        known = found.setdefault(item.speaker, item.gender)
        _require(
            known == item.gender, f"one gender of {item.speaker}", f"{known} and {item.gender}", "mend it"
        )
    _require(len(found) >= 2, "two speakers or more", f"{len(found)}", "include more speakers")
    return found


def _require(condition: bool, expected: str, found: str, remedy: str) -> None:
    if not condition:
        raise SplitError(expected, found, remedy)
