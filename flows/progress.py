"""Shows how far the stages are: bars with rate and time left on a terminal, few plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

Report = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""

SECONDS_BETWEEN_LINES = 10.0
"""How often a stage prints a line where there is no terminal; its start and its end always do."""

LATER = 0.05
"""A stage that has run for long prints only after this share of its time so far: 130 lines in ten hours."""

OF_AUDIO = " (s of audio)"
"""How the name of a stage ends that counts seconds of audio: its rate is the multiple of real time."""
SLOW = 0.1
"""Items a second below which the seconds of one item are shown."""


class _Rate(ProgressColumn):
    """Items a second, or multiples of real time."""

    def render(self, task: Task) -> Text:
        """Return the speed, or nothing before there is one."""
        speed = task.finished_speed or task.speed
        return Text(_rate(task.description, speed) if speed else "", style="progress.data.speed")


class Bars:
    """One bar a stage on a terminal; total, rate and time left are shown."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Move the bar of a stage."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._tasks[stage], completed=done, total=total)


class Lines:
    """Plain lines for logs: the start, the end and ever rarer ones between, with rate and time left."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        self._write, self._clock = write, clock
        self._began: dict[str, tuple[float, int]] = {}
        self._last: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Print a line if it is time for one."""
        now = self._clock()
        began, first = self._began.setdefault(stage, (now, done))
        finished = done >= total
        pause = max(SECONDS_BETWEEN_LINES, LATER * (now - began))
        if not finished and now - self._last.get(stage, -pause) < pause:
            return
        if finished and stage in self._last and self._last[stage] == float("inf"):
            return
        self._last[stage] = float("inf") if finished else now
        self._write(f"{stage}: {done}/{total}{_pace(stage, done - first, total - done, now - began)}")


def _rate(stage: str, speed: float) -> str:
    if stage.endswith(OF_AUDIO):
        return f"{speed:.1f} x real time"
    return f"{speed:.1f}/s" if speed >= SLOW else f"{1 / speed:.0f} s each"


def _pace(stage: str, done: int, left: int, seconds: float) -> str:
    """Return rate and time left, or the time taken, as far as they are known."""
    if done <= 0 or seconds <= 0:
        return ""
    rate = done / seconds
    return f", {_rate(stage, rate)}, " + (
        f"{left / rate:.0f} s left" if left > 0 else f"took {seconds:.0f} s"
    )


@contextmanager
def shown(console: Console) -> Iterator[Report]:
    """Yield what stages report to; the display ends with the block."""
    if not console.is_terminal:
        yield Lines(lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))
        return
    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),  # it gives way where the terminal is narrow
        MofNCompleteColumn(),
        _Rate(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield Bars(progress)
