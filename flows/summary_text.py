"""Writes the summary of a run for people: plain lines for a terminal or a log, Markdown for Prefect."""

from collections.abc import Iterator, Sequence

from flows.store_options import size
from flows.summary import RunSummary
from store.digests import short

Row = Sequence[str]

CORPORA = ("corpus", "recordings", "hours", "files read", "known", "alignments made", "kept")
FEATURES = ("feature", "kept", "computed", "rows", "x real time", "written", "of raw")


def lines(summary: RunSummary) -> Iterator[str]:
    """Yield what was left out and what was done; tables follow where anything was done."""
    for row in summary.left_out:
        yield f"left out by {row.stage}: {row.count} of {row.corpus}: {row.reason}"
    if summary.is_new or summary.computed:
        yield from _aligned((CORPORA, *corpus_rows(summary)))
        yield from part_lines(summary)
        if not any(row.aligned is not None for row in summary.corpora):
            yield "not aligned: no feature in use needs it (--set align=true aligns all the same)"
        yield from _aligned((FEATURES, *feature_rows(summary)))
        yield seconds_line(summary)
    yield outcome_line(summary)


def markdown(summary: RunSummary) -> str:
    """Return the same as Markdown, with the JSON below."""
    reasons = [(row.stage, row.corpus, str(row.count), row.reason) for row in summary.left_out]
    parts = [
        outcome_line(summary),
        _table((CORPORA, *corpus_rows(summary))),
        *part_lines(summary),
        _table((FEATURES, *feature_rows(summary))),
        _table((("left out by", "corpus", "recordings", "reason"), *reasons)) if reasons else "",
        seconds_line(summary),
        f"```json\n{summary.to_json()}```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def outcome_line(summary: RunSummary) -> str:
    """Return in one line what the rebuild did."""
    mark = " (SYNTHETIC sample)" if summary.synthetic else ""
    if summary.is_new or summary.computed:
        ratio = f" ({summary.ratio:.2f} of raw)" if summary.ratio else ""
        done = (
            f"computed {summary.computed} row blocks, kept {summary.kept}, dropped {summary.dropped}, "
            f"quarantined {summary.quarantined} recordings, wrote {size(summary.bytes_written)}{ratio}"
        )
    elif summary.failed:
        failed = f"{summary.failed} failed again (see left out)"
        done = f"nothing new: {summary.kept} row blocks are there, {failed}"
    else:
        done = f"nothing to do: all {summary.kept} row blocks are there"
    return f"snapshot {short(summary.snapshot)}{mark}: {done}"


def part_lines(summary: RunSummary) -> Iterator[str]:
    """Yield a line for each corpus of which fewer recordings are there than are published."""
    for row in summary.corpora:
        if row.published is not None:
            yield (
                f"{row.corpus}: a part of the corpus, {row.found} of {row.published} published recordings "
                f"('phonanchor corpora check {row.corpus} DIR' compares)"
            )


def seconds_line(summary: RunSummary) -> str:
    """Return the wall time of each stage, and how fast extracting was over all workers."""
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in summary.seconds.items())
    speed = f"; extract {summary.x_real_time:.0f} x real time" if summary.x_real_time else ""
    return f"seconds: {stages}{speed}"


def corpus_rows(summary: RunSummary) -> list[Row]:
    """Return the columns of `CORPORA` for each corpus."""
    return [
        (
            row.corpus, str(row.recordings), f"{row.hours:.2f}", str(row.files_read), str(row.files_known),
            _or_dash(row.aligned, "d"), _or_dash(row.alignments_kept, "d"),
        )
        for row in summary.corpora
    ]  # fmt: skip


def feature_rows(summary: RunSummary) -> list[Row]:
    """Return the columns of `FEATURES` for each feature."""
    return [
        (
            row.feature, str(row.kept), str(row.computed), str(row.rows), _or_dash(row.x_real_time, ".0f"),
            size(row.bytes_written), _or_dash(row.ratio, ".2f"),
        )
        for row in summary.features
    ]  # fmt: skip


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _aligned(rows: Sequence[Row]) -> Iterator[str]:
    """Yield rows with the first column to the left and numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        yield "  ".join((first.ljust(widths[0]), *cells))


def _table(rows: Sequence[Row]) -> str:
    """Return a Markdown table, whose first row is the header."""
    header, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *body))
