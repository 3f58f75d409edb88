"""What stops a build before it does harm: a disk too small for its rows, or too many unusable recordings."""

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from flows.store_options import size
from pipeline.ingest import Ingested
from pipeline.plan import BuildPlan, Forecast, forecast
from pipeline.tally import BuildReport
from store.errors import StoreError, TooManyQuarantinedError
from store.objects import ObjectPath
from store.records import Skipped

MARGIN = 0.1
"""Share of the forecast that must be free beside it."""


def check_space(path: Path, plan: BuildPlan) -> None:
    """Print what each feature of a plan will add to the store at ``path``, and what is free there.

    The bytes are those before compression; indexes and receipts are small beside them. An object store has no
    end that could be asked for.

    Raises
    ------
    StoreError
        If the forecast and `MARGIN` do not fit.
    """
    rows = [row for row in forecast(plan) if row.rows]
    if not rows:
        return
    needed = sum(row.bytes for row in rows)
    for row in rows:
        print(_line(row))
    if isinstance(path, ObjectPath):
        print(f"forecast: {size(needed)} in all, in {path}")
        return
    free = free_bytes(path)
    print(f"forecast: {size(needed)} in all, {size(free)} free in {path}")
    if needed * (1 + MARGIN) > free:
        largest = max(rows, key=lambda row: row.bytes)
        raise StoreError(
            f"{size(needed * (1 + MARGIN))} free in {path} for the rows to compute ({MARGIN:.0%} margin)",
            f"{size(free)} free; the most is for {largest.name}, {size(largest.bytes)}",
            "free space, choose another --work, or keep fewer features or encoder layers"
            " (--set layers=6,9 or build.dtype=float16)",
        )


def _line(row: Forecast) -> str:
    return f"forecast: {row.name}: {row.rows} rows, {size(row.bytes)} before compression"


def free_bytes(path: Path) -> int:
    """Return the bytes that this user may still write on the disk of ``path``."""
    return shutil.disk_usage(path).free


def check_quarantined(
    ingested: Mapping[str, Ingested], percent: float, report: BuildReport | None = None
) -> None:
    """Refuse to go on where more than ``percent`` of the recordings of a corpus cannot be used.

    Quarantined are files that ingest could not use and, of a finished build, recordings with rows that could
    not be computed; recordings left out on purpose or without an alignment are not.

    Raises
    ------
    TooManyQuarantinedError
        For the first such corpus, with its most frequent reason.
    """
    for name, corpus in ingested.items():
        failed = [row for row in report.quarantined if row.corpus == name] if report else []
        found = {row.utterance or row.path: row for row in (*failed, *corpus.quarantined)}
        count = len(corpus.utterances) + len(corpus.quarantined)
        if len(found) > percent / 100 * count:
            raise TooManyQuarantinedError(
                f"at most {percent:g} % of the recordings of {name} quarantined",
                f"{len(found)} of {count}, {_most_frequent(found.values())}",
                "mend the files, or allow more with --max-quarantined; nothing was committed",
            )


def _most_frequent(rows: Iterable[Skipped]) -> str:
    """Return the most frequent reason and one file that it holds for."""
    listed = list(rows)
    reason, count = Counter(row.reason for row in listed).most_common(1)[0]
    path = next(row.path for row in listed if row.reason == reason)
    return f"{count} of them as {path}: {reason}"
