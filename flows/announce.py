"""Says on standard error why a scheduled rebuild failed: Prefect's own log is silent here."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime


@contextmanager
def failures_announced() -> Iterator[None]:
    """Print an error of the block on one line with the time, and let it go on, so that Prefect marks it."""
    try:
        yield
    except Exception as error:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"{now} rebuild-features failed: {line}", file=sys.stderr, flush=True)
        raise
