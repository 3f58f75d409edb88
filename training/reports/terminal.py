"""The result table on the terminal."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from training.guards import Floors
from training.reports import text
from training.reports.notes import (
    SYNTHETIC_WARNING,
    access_notes,
    adaptation_notes,
    choice_notes,
    mark_notes,
    marks,
)
from training.reports.summary import Summary


def result_table(
    summaries: Sequence[Summary],
    floors: Floors,
    *,
    title: str,
    synthetic: bool = False,
    warning: str = "",
    usage: str = "usual",
) -> Group:
    """Return the result table with its floors and footnotes, to be printed by a rich console.

    ``warning`` stands above it; where it is empty and ``synthetic`` holds, a general one does.
    """
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    table.add_column("system")
    for name in ("UAR %", "95 % CI", "vs CL", "vs RA-CL", "WA %", "macro-F1 %", "paper"):
        table.add_column(name, justify="right")
    for row in summaries:
        table.add_row(
            row.system.shown + marks(row),
            text.spread(row.uar),
            text.interval(row.interval),
            text.comparison(row.against("CL"), usage),
            text.comparison(row.against("RA-CL"), usage),
            text.spread(row.wa),
            text.spread(row.macro_f1),
            " / ".join(value.text for value in row.paper) or text.MISSING,
        )
    shown = warning or (SYNTHETIC_WARNING if synthetic else "")
    above = [Text(shown, style="bold yellow")] if shown else []
    return Group(*above, table, *(Text(line, style="dim") for line in footnotes(summaries, floors)))


def footnotes(summaries: Sequence[Summary], floors: Floors) -> tuple[str, ...]:
    """Return the lines below the table, as far as they apply."""
    lines = [text.floor_line(floors)]
    if summaries:
        first = summaries[0]
        lines.append(
            f"Mean ± SD over {first.n_seeds} seeds, {first.n} utterances of {first.interval.n_speakers} "
            f"held-out speakers pooled over folds; CI: {first.interval.draws} bootstrap draws of speakers; "
            "differences in points, two-sided paired t-test over seeds (uncorrected; Holm in the report)."
        )
    lines += mark_notes(summaries)
    lines += adaptation_notes(summaries)
    return (*lines, *access_notes(summaries), *choice_notes(summaries))
