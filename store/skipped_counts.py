"""Counts what was left out: by stage, corpus and reason."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from store.records import Skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedCount:
    """How many utterances of one corpus one stage left out for one reason."""

    stage: str
    corpus: str
    reason: str
    n: int
    example: str


def count_skipped(skipped: Sequence[Skipped]) -> tuple[SkippedCount, ...]:
    """Return the left-out utterances by stage, corpus and reason, most frequent first in each stage."""
    groups = Counter((item.stage, item.corpus, item.reason) for item in skipped)
    examples = {
        (item.stage, item.corpus, item.reason): item.utterance or item.path for item in reversed(skipped)
    }
    order = list(dict.fromkeys(item.stage for item in skipped))
    ranked = sorted(groups.items(), key=lambda group: (order.index(group[0][0]), -group[1], group[0]))
    return tuple(
        SkippedCount(stage=key[0], corpus=key[1], reason=key[2], n=n, example=examples[key])
        for key, n in ranked
    )
