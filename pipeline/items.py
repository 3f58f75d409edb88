"""Work items: recordings of one corpus and the rows that each of them lacks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from store.catalogue import Placement
from store.records import PhoneInterval, Utterance

LEAST_SECONDS, TAPER = 60.0, 8
"""Seconds of audio below which no item is cut, and the share of what is left that one may hold: the last
items are the smallest, so that workers end together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest work item: seconds of audio, recordings, and bytes of rows held by a worker at once."""

    seconds: float
    recordings: int = 512
    bytes: int = 256 * 2**20

    @classmethod
    def for_audio(cls, seconds: float) -> "Limits":
        """Return limits that give some 32 items, of one to ten minutes, and the short last ones."""
        return cls(seconds=min(max(seconds / 32, LEAST_SECONDS), 600.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The rows of one spec for one recording; ``parent`` is set where the parent's rows are stored already.

    ``length`` is the number of rows by the frame law; ``parent_key`` is the row key of the parent's rows.
    """

    spec: str
    row_key: str
    length: int
    utterance: str
    gender: str
    phones: tuple[PhoneInterval, ...]
    parent_key: str | None = None
    parent: Placement | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """One file to read once, and every task on it, parents before what is derived from them.

    Utterances of a corpus with the same decoded audio share one recording: the first by id names the file.
    """

    utterance: Utterance
    tasks: list[Task] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """Recordings of one corpus that one worker handles together, shortest first (for encoder batches)."""

    corpus: str
    recordings: tuple[Recording, ...]

    @property
    def seconds(self) -> float:
        """Seconds of audio."""
        return sum(recording.utterance.seconds for recording in self.recordings)

    @property
    def tasks(self) -> Iterator[Task]:
        """All tasks of the item."""
        return (task for recording in self.recordings for task in recording.tasks)

    def rows(self) -> dict[str, int]:
        """Return the number of rows the item adds, by spec digest."""
        rows: dict[str, int] = {}
        for task in self.tasks:
            rows[task.spec] = rows.get(task.spec, 0) + task.length
        return rows


def by_length(recording: Recording) -> tuple[float, str]:
    """Return what sorts recordings by length, then by id."""
    return recording.utterance.seconds, recording.utterance.id


def grouped(
    recordings: Sequence[Recording], limits: Limits, row_bytes: Mapping[str, int], after: float = 0.0
) -> Iterator[list[Recording]]:
    """Yield runs of ``recordings`` within the limits, one recording at least; ``row_bytes`` is by spec.

    The last runs get shorter and shorter, down to `LEAST_SECONDS`, but for the ``after`` seconds that follow.
    """
    group: list[Recording] = []
    seconds, held = 0.0, 0
    left = after + sum(recording.utterance.seconds for recording in recordings)
    most = _most_seconds(left, limits)
    for recording in recordings:
        more = recording.utterance.seconds
        size = sum(task.length * row_bytes[task.spec] for task in recording.tasks)
        full = len(group) == limits.recordings or seconds + more > most or held + size > limits.bytes
        if group and full:
            yield group
            left -= seconds
            group, seconds, held, most = [], 0.0, 0, _most_seconds(left, limits)
        group.append(recording)
        seconds, held = seconds + more, held + size
    if group:
        yield group


def _most_seconds(left: float, limits: Limits) -> float:
    """Return the seconds of the next run, where ``left`` seconds are to be shared out."""
    return min(limits.seconds, max(left / TAPER, LEAST_SECONDS))
