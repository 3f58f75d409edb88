"""What is published of each corpus, by `published.toml`: where to get it, how it lies on disk, its counts."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from store.errors import ConfigurationError

TABLE = Path(__file__).with_name("published.toml")
_COUNT = re.compile(r"(\d+)(?:-(\d+))?(\??)")


@dataclass(frozen=True)
class Count:
    """A published number, or the range of contradicting sources; ``doubtful`` where it may be wrong."""

    low: int
    high: int
    doubtful: bool = False

    def __str__(self) -> str:
        """Return the count as the table writes it: 604, 604?, 500-605?."""
        span = str(self.low) if self.low == self.high else f"{self.low}-{self.high}"
        return f"{span}{'?' if self.doubtful else ''}"

    def __contains__(self, number: int) -> bool:
        """Tell whether ``number`` is one that some source gives."""
        return self.low <= number <= self.high


@dataclass(frozen=True, kw_only=True)
class Published:
    """One corpus of the table; what the sources do not say is None or empty.

    ``usable`` is what the corpus's own rules leave of ``recordings``; ``classes`` are native labels of usable
    recordings; ``same_audio`` and ``unreadable`` are known faults, by stem.
    """

    title: str
    obtain: str
    layout: str
    source: str
    recordings: Count
    usable: Count | None = None
    speakers: Count | None = None
    women: Count | None = None
    men: Count | None = None
    classes: Mapping[str, Count] = field(default_factory=dict)
    same_audio: tuple[frozenset[str], ...] = ()
    unreadable: frozenset[str] = frozenset()
    doubts: tuple[str, ...] = ()


@cache
def published() -> Mapping[str, Published]:
    """Return the table, by corpus; raises `ConfigurationError` where an entry of it cannot be read."""
    found = {}
    for name, entry in tomllib.loads(TABLE.read_text(encoding="utf-8")).items():
        try:
            found[name] = _published(entry)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"an entry of {TABLE.name} as its head describes it", f"[{name}]: {error}", "correct it"
            ) from error
    return found


def _published(entry: Mapping[str, Any]) -> Published:
    counts = {key: count(entry[key]) for key in _COUNTS if key in entry}
    women, men = counts.get("women"), counts.get("men")
    if "speakers" not in counts and women and men:
        doubtful = women.doubtful or men.doubtful
        counts["speakers"] = Count(women.low + men.low, women.high + men.high, doubtful)
    converted: dict[str, Any] = {
        "classes": {label: count(number) for label, number in entry.get("classes", {}).items()},
        "same_audio": tuple(frozenset(stems) for stems in entry.get("same_audio", ())),
        "unreadable": frozenset(entry.get("unreadable", ())),
        "doubts": tuple(entry.get("doubts", ())),
    }
    return Published(**{**entry, **counts, **converted})


_COUNTS = ("recordings", "usable", "speakers", "women", "men")


def count(value: int | str) -> Count:
    """Return the count of a cell: 604, "604?" or "500-605?"; raises `ValueError` for anything else."""
    match = _COUNT.fullmatch(str(value))
    if match is None:
        raise ValueError(f"no count: {value!r}")
    low = int(match[1])
    return Count(low, int(match[2] or low), bool(match[3]))
