"""The result table on the terminal."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from training.guards import Floors
from training.reports import text
from training.reports.paper import PAPER_NOTE
from training.reports.summary import Summary

SYNTHETIC_WARNING = "SYNTHETIC SPEECH: these scores test the machinery; they say nothing about people."
SUPERVISED_NOTE = "† reads target labels outside evaluation: not unsupervised."
TRANSDUCTIVE_NOTE = (
    "‡ transductive: z-scores use all unlabelled recordings of a speaker, scored ones included."
)


def result_table(
    summaries: Sequence[Summary], floors: Floors, *, title: str, synthetic: bool = False, usage: str = "usual"
) -> Group:
    """Return the result table with its floors and footnotes, to be printed by a rich console."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    table.add_column("system")
    for name in ("UAR %", "95 % CI", "vs CL", "vs RA-CL", "WA %", "macro-F1 %", "paper"):
        table.add_column(name, justify="right")
    for row in summaries:
        table.add_row(
            row.system.label + ("" if row.unsupervised else " †") + (" ‡" if row.transductive else ""),
            text.spread(row.uar),
            text.interval(row.interval),
            text.comparison(row.against("CL"), usage),
            text.comparison(row.against("RA-CL"), usage),
            text.spread(row.wa),
            text.spread(row.macro_f1),
            " / ".join(value.text for value in row.paper) or text.MISSING,
        )
    warning = [Text(SYNTHETIC_WARNING, style="bold yellow")] if synthetic else []
    return Group(*warning, table, *(Text(line, style="dim") for line in footnotes(summaries, floors)))


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
    if not all(row.unsupervised for row in summaries):
        lines.append(SUPERVISED_NOTE)
    if any(row.transductive for row in summaries):
        lines.append(TRANSDUCTIVE_NOTE)
    if any(row.paper for row in summaries):
        lines.append(PAPER_NOTE)
    return tuple(lines)
