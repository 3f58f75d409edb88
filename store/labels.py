"""Labels of an utterance in the forms that training asks for, and why an utterance has none."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from store.errors import ConfigurationError
from store.records import EmotionShare, Utterance
from store.vocabulary import EMOTIONS

Labels = Literal["hard", "soft", "perceived", "dimensions", "arousal", "valence", "dominance"]
"""``hard`` is the corpus's emotion, ``soft`` the shares of its listeners, ``perceived`` the emotion that most
of them heard; ``dimensions`` are the mean ratings of arousal, valence and dominance, or one of them alone."""

KINDS: tuple[str, ...] = get_args(Labels)
DIMENSIONS = ("arousal", "valence", "dominance")

Label = str | tuple[EmotionShare, ...] | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class NoLabel:
    """An utterance has no label of the kind asked for; ``reason`` is one line."""

    reason: str


def check_kind(kind: str) -> None:
    """Raise `ConfigurationError` where there are no labels of that kind."""
    if kind not in KINDS:
        raise ConfigurationError(f"labels of {', '.join(KINDS)}", repr(kind), "name one of them")


def label_of(item: Utterance, kind: Labels) -> Label | NoLabel:
    """Return the label of an utterance: an emotion, shares (of emotions once each, by name), or ratings."""
    if kind == "hard":
        return item.emotion
    if kind in ("soft", "perceived"):
        heard = tuple(share for share in item.perceived if share.share > 0)
        if not heard:
            return NoLabel("no shares of listeners")
        return heard if kind == "soft" else _majority(heard)
    wanted = DIMENSIONS if kind == "dimensions" else (kind,)
    ratings = {name: getattr(item, name) for name in wanted}
    absent = [name for name, value in ratings.items() if value is None or np.isnan(value)]
    return NoLabel(f"no rating of {', '.join(absent)}") if absent else tuple(ratings.values())


def _majority(heard: Sequence[EmotionShare]) -> str | NoLabel:
    """Return the emotion of the largest share; listeners in a tie heard no one emotion."""
    most = max(share.share for share in heard)
    first, *others = sorted(share.emotion for share in heard if np.isclose(share.share, most))
    return NoLabel(f"listeners tie: {', '.join([first, *others])}") if others else first


def within(label: Label, kind: Labels, classes: Sequence[str]) -> Label | NoLabel:
    """Return a label as the classes in use see it: of shares, those of the classes, scaled to sum 1."""
    if isinstance(label, str):
        return label if label in classes else NoLabel(f"{label} is not among the classes")
    if kind != "soft":
        return label
    kept = [share for share in label if isinstance(share, EmotionShare) and share.emotion in classes]
    total = sum(share.share for share in kept)
    if not total:
        return NoLabel("no share of the classes")
    return tuple(EmotionShare(emotion=share.emotion, share=share.share / total) for share in kept)


def classes_of(labels: Iterable[Label]) -> tuple[str, ...]:
    """Return the emotions that occur in labels, in the order of the vocabulary; () for ratings."""
    found: set[str] = set()
    for label in labels:
        found |= (
            {label} if isinstance(label, str) else {s.emotion for s in label if isinstance(s, EmotionShare)}
        )
    return (*(name for name in EMOTIONS if name in found), *sorted(found - set(EMOTIONS)))


def target_of(label: Label, classes: Sequence[str]) -> NDArray[Any]:
    """Return a label as training reads it.

    Returns
    -------
    The index of the class, () int64; shares by class, (K,) float32; or ratings, (D,) float32.
    """
    if isinstance(label, str):
        return np.array(classes.index(label), dtype=np.int64)
    if label and isinstance(label[0], EmotionShare):
        shares = np.zeros(len(classes), dtype=np.float32)
        for share in label:
            if isinstance(share, EmotionShare):
                shares[classes.index(share.emotion)] += share.share
        return shares
    return np.array(label, dtype=np.float32)
