"""Guards around a result: split overlaps, the ledger of label accesses, floors and arithmetic checks."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from store.errors import SplitError, TrainingError
from store.records import Utterance
from store.splits import shared, text_key
from training.metrics import uar, wa
from training.records import LabelAccess
from training.splits import Fold

EVALUATION = "evaluation"
ROLES = ("source", "target")
HIDDEN = -1
"""What stands for a label that is not handed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitReport:
    """What two sides of a split share: speakers, audio digests and texts, each sorted."""

    split: str
    n_first: int
    n_second: int
    speakers: tuple[str, ...]
    audio: tuple[str, ...]
    texts: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether no speaker and no recording lies on both sides (shared texts do not count)."""
        return not self.speakers and not self.audio


def check_split(
    first: Iterable[Utterance], second: Iterable[Utterance], *, split: str = "train/test", strict: bool = True
) -> SplitReport:
    """Return what ``first`` and ``second`` share.

    Texts are compared by their words where known, else by corpus and text id. Shared texts are reported only:
    corpora of fixed sentences share them across speakers by design.

    Raises
    ------
    SplitError
        In ``strict`` mode, if a speaker or the same audio lies on both sides, or one side is empty.
    """
    one, other = tuple(first), tuple(second)
    report = SplitReport(
        split=split,
        n_first=len(one),
        n_second=len(other),
        **shared(one, other),
    )
    if strict and not (one and other):
        raise SplitError(
            f"utterances on both sides of {split}", f"{len(one)} and {len(other)}", "mend the split"
        )
    if strict and not report.clean:
        both = [f"{len(report.speakers)} speakers"] * bool(report.speakers)
        both += [f"{len(report.audio)} recordings"] * bool(report.audio)
        examples = ", ".join((*report.speakers[:3], *report.audio[:1]))
        raise SplitError(
            f"no speaker and no recording on both sides of {split}",
            f"{' and '.join(both)} shared ({examples})",
            "split by speaker and drop duplicate recordings",
        )
    return report


@dataclass(slots=True)
class Ledger:
    """Which labels each stage of each system touched; a repeated access is noted once."""

    _entries: dict[LabelAccess, None] = field(default_factory=dict)

    def note(self, system: str, stage: str, corpus_role: str, split: str, purpose: str) -> None:
        """Record that ``stage`` of ``system`` read the labels of ``split`` of the source or target corpus.

        Use the stage `EVALUATION` for scoring only: any other stage that reads target labels makes the system
        supervised in `unsupervised`. A role other than ``source`` and ``target`` raises TrainingError.
        """
        if corpus_role not in ROLES:
            raise TrainingError(f"a role of {', '.join(ROLES)}", corpus_role, "name the corpus by its role")
        access = LabelAccess(
            system=system, stage=stage, corpus_role=corpus_role, split=split, purpose=purpose
        )
        self._entries[access] = None

    def extend(self, entries: Iterable[LabelAccess]) -> None:
        """Add the entries of another ledger."""
        self._entries.update(dict.fromkeys(entries))

    @property
    def entries(self) -> tuple[LabelAccess, ...]:
        """All accesses in the order in which they were first noted."""
        return tuple(self._entries)

    def of(self, system: str) -> tuple[LabelAccess, ...]:
        """Return the accesses of one system."""
        return tuple(entry for entry in self._entries if entry.system == system)

    def unsupervised(self, system: str) -> bool:
        """Return whether the system read no target label outside evaluation."""
        return all(e.corpus_role != "target" or e.stage == EVALUATION for e in self.of(system))

    def summary(self, system: str) -> str:
        """Return one line such as ``source: train (cross-entropy); target: test (evaluation)``."""
        parts: dict[str, list[str]] = defaultdict(list)
        for entry in self.of(system):
            text = f"{entry.split} ({entry.stage})"
            if text not in parts[entry.corpus_role]:
                parts[entry.corpus_role].append(text)
        return "; ".join(f"{role}: {', '.join(parts[role])}" for role in ROLES if role in parts)


class LockedLabels:
    """The labels of one corpus; every reading of them is noted in the ledger at the moment of handing over.

    Hold target labels in one of these and pass nothing else on: what the ledger then says is what was read.
    """

    def __init__(self, labels: NDArray[np.int64], corpus_role: str, ledger: Ledger) -> None:
        self._labels, self._role, self._ledger = labels, corpus_role, ledger

    def hand_over(
        self, items: NDArray[np.int64], *, system: str, stage: str, split: str, purpose: str
    ) -> NDArray[np.int64]:
        """Return all labels (n,), those outside ``items`` (positions) as -1, and note who read them."""
        self._ledger.note(system, stage, self._role, split, purpose)
        shown = np.full_like(self._labels, HIDDEN)
        shown[items] = self._labels[items]
        return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """Scores that need no audio, as fractions: a result near them has learnt nothing from speech."""

    chance_uar: float
    majority_wa: float
    text_uar: float
    text_wa: float


def floors(target: Iterable[Utterance], protocol: Iterable[Fold], classes: Sequence[str]) -> Floors:
    """Return the floors of a target corpus; the text-only floor is learnt on each fold's training speakers.

    ``chance_uar`` is 1/K over the classes that occur. The text floor reads target labels, as evaluation does.
    """
    items = tuple(target)
    true: list[str] = []
    named: list[str] = []
    for fold in protocol:
        train, test = fold.divide(items)
        true += [item.emotion for item in test]
        named += text_only_predictions(train, test)
    return Floors(
        chance_uar=1 / len(set(true) or {""}),
        majority_wa=majority_floor(true),
        text_uar=uar(true, named, classes),
        text_wa=wa(true, named, classes),
    )


def majority_floor(emotions: Sequence[str]) -> float:
    """Return the accuracy of always naming the most frequent class of ``emotions``."""
    if not emotions:
        raise TrainingError("at least one label", "none", "give the labels of the test utterances")
    return max(Counter(emotions).values()) / len(emotions)


def text_only_predictions(train: Iterable[Utterance], test: Iterable[Utterance]) -> tuple[str, ...]:
    """Return for each test item the majority label of its text id among ``train`` (for a new text, overall).

    Ties go to the alphabetically first label. ``train`` must hold other speakers than ``test``.
    """
    by_text: dict[str, Counter[str]] = defaultdict(Counter)
    overall: Counter[str] = Counter()
    for item in train:
        overall[item.emotion] += 1
        by_text[text_key(item)][item.emotion] += 1
    if not overall:
        raise TrainingError("training utterances", "none", "give the utterances of the other speakers")
    return tuple(_most(by_text.get(text_key(item)) or overall) for item in test)


def _most(counts: Counter[str]) -> str:
    return min(counts, key=lambda name: (-counts[name], name))


def grim(value: float, n: int, decimals: int = 2) -> tuple[int, ...]:
    """Return the counts k for which 100 k / n is printed as ``value`` percent with ``decimals`` decimals.

    An empty tuple means that ``value`` cannot be the accuracy of one run on ``n`` items. Rounding half up,
    half even and binary representation are all allowed for.
    """
    half = 0.5 * 10.0**-decimals
    slack = half + 1e-9
    low, high = (value - slack) * n / 100, (value + slack) * n / 100
    return tuple(range(max(0, ceil(low)), min(n, floor(high)) + 1))


def f1_is_possible(macro_f1: float, uar: float, tolerance: float = 1e-9) -> bool:
    """Return whether macro F1 <= 2 UA / (1 + UA): F_i <= 2 R_i / (1 + R_i), which is concave in R_i."""
    return macro_f1 <= 2 * uar / (1 + uar) + tolerance
