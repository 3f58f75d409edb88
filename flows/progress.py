"""Shows how far the stages are: bars with rate and time left on a terminal, plain lines elsewhere."""

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
from rich.text import Text

Report = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""

SECONDS_BETWEEN_LINES = 10.0
"""How often a stage prints a line where there is no terminal; its start and its end always do."""


class _Rate(ProgressColumn):
    """Items a second."""

    def render(self, task: Task) -> Text:
        """Return the speed, or nothing before there is one."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="progress.data.speed")


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
    """Plain lines for logs: the start, the end and one every few seconds, with rate and time left."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        self._write, self._clock = write, clock
        self._began: dict[str, tuple[float, int]] = {}
        self._last: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Print a line if it is time for one."""
        now = self._clock()
        began, first = self._began.setdefault(stage, (now, done))
        finished = done >= total
        if not finished and now - self._last.get(stage, -SECONDS_BETWEEN_LINES) < SECONDS_BETWEEN_LINES:
            return
        if finished and stage in self._last and self._last[stage] == float("inf"):
            return
        self._last[stage] = float("inf") if finished else now
        self._write(f"{stage}: {done}/{total}{_pace(done - first, total - done, now - began)}")


def _pace(done: int, left: int, seconds: float) -> str:
    """Return rate and time left, or the time taken, as far as they are known."""
    if done <= 0 or seconds <= 0:
        return ""
    rate = done / seconds
    return f", {rate:.1f}/s, " + (f"{left / rate:.0f} s left" if left > 0 else f"took {seconds:.0f} s")


@contextmanager
def shown(console: Console) -> Iterator[Report]:
    """Yield what stages report to; the display ends with the block."""
    if not console.is_terminal:
        yield Lines(lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))
        return
    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield Bars(progress)
