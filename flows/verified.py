"""Verifies a snapshot once, and again whenever that did not end well: a small mark per commit says it did."""

from functools import partial
from pathlib import Path

from flows.progress import Report
from store.atomic import unwritable, write_text
from store.catalogue import Commit, Store
from store.digests import short
from store.errors import StoreError
from store.verify import Problem, verify


def verify_once(
    work: Path, store: Store, snapshot: str, progress: Report | None = None, *, changed: bool = True
) -> bool:
    """Read a snapshot back and check it, unless it was found whole and nothing ``changed`` since.

    Returns whether it was read.

    Raises
    ------
    StoreError
        Naming the first of its problems; it will be verified again the next time.
    """
    mark = mark_of(work, store.resolve(snapshot))
    if mark.exists() and not changed:
        return False
    _withdraw(mark)
    verify_snapshot(store, snapshot, progress)
    write_text(mark, "")
    return True


def mark_of(work: Path, commit: Commit) -> Path:
    """Return the empty file that says that a commit was verified."""
    return work / "cache" / "verified" / f"{short(commit.snapshot)}-{commit.number}"


def verify_snapshot(store: Store, snapshot: str | None, progress: Report | None = None) -> None:
    """Read a snapshot back and check it; raises `StoreError` naming the first of its problems."""
    report = partial(progress, "verify") if progress is not None else None
    problems = verify(store, snapshot, report)
    if problems:
        raise StoreError(
            "a snapshot whose rows are all there and unchanged",
            f"{len(problems)} problems, the first: {describe(problems[0])}",
            "run 'phonanchor store repair', then build again",
        )


def describe(problem: Problem) -> str:
    """Return a problem of the store on one line."""
    some = ", ".join(problem.utterances[:3]) + (", ..." if len(problem.utterances) > 3 else "")
    return f"{problem.what} in {problem.where}" + (f" ({len(problem.utterances)}: {some})" if some else "")


def _withdraw(mark: Path) -> None:
    try:
        mark.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(mark, error) from error
