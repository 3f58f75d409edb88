"""Checks, and mends, what lies beside the snapshots: HEAD, log, tags, pointers, models, who was forgotten."""

from collections.abc import Collection, Iterator
from hashlib import sha256
from pathlib import Path

from store.catalogue import Store
from store.documents import read_document, write_document
from store.entries import Problem
from store.errors import StoreError
from store.garbage import remove
from store.layout import is_digest
from store.tombstones import read_tombstones


def verify_history(store: Store) -> tuple[Problem, ...]:
    """Return what is wrong with HEAD, the commits, the removed commits, tags, pointers and models.

    So for tombstones, the receipts of forgettings, and the ledger of exports.
    """
    return tuple(_problems(store))


def repair_history(store: Store) -> tuple[Problem, ...]:
    """Mend what `verify_history` finds, holding the writer's lock; return what it found.

    HEAD goes back to the newest commit that is whole, and damaged commits leave the log. Damaged tags,
    pointers, receipts and ledger entries are dropped: what they said is in no other place. A build of the
    same input commits again, or trains again, what went. Damaged tombstones stay, and keep builds away:
    without them the forgotten would come back.

    Raises
    ------
    StoreError
        If a build runs, a forgetting is unfinished, or files cannot be changed.
    """
    with store.writer():
        found = _mend(store)
        return (*found, *_mend(store)) if found else ()  # a pointer to what went goes in the second round


def _mend(store: Store) -> tuple[Problem, ...]:
    found = verify_history(store)
    for problem in found:
        path = store.layout.root / problem.where
        if path not in (store.layout.head, store.layout.collected, store.layout.tombstones):
            remove(path)
    if any(problem.where == store.layout.collected.name for problem in found):
        _forget_gaps(store)
    if any(problem.where == "HEAD" or problem.where.startswith("commits/") for problem in found):
        _restore_head(store)
    return found


def _problems(store: Store) -> Iterator[Problem]:
    layout = store.layout
    gone: set[int] = set()
    try:
        gone = set(store.log.collected())
    except StoreError as error:
        yield _problem(store, layout.collected, f"removed commits: {error.found}")
    entries = {int(path.stem): path for path in sorted(layout.commit(1).parent.glob("[0-9]*.json"))}
    try:
        head = store.log.head_number()
        store.log.check_head()
    except StoreError as error:
        yield _problem(store, layout.head, f"HEAD: {error.found}")
        head = max(entries, default=0)
    if head > max(entries, default=0):
        yield _problem(store, layout.head, f"HEAD names commit {head}, which is not there")
        head = max(entries, default=0)
    numbers = [number for number in range(1, head + 1) if number not in gone]
    for number in numbers:
        yield from _commit(store, number)
    for path in sorted(layout.tags.glob("[!.]*.json")):
        yield from _tag(store, path, numbers)
    for folder, rest in ((layout.alignment_tables, ".parquet"), (layout.models, ".bin")):
        for path in sorted((folder / "latest").rglob("[!.]*.json")):
            yield from _pointer(store, path, folder, rest)
    for path in sorted(layout.models.glob("[0-9a-f]*.bin")):
        if sha256(path.read_bytes()).hexdigest() != path.stem:
            yield _problem(store, path, "the model has other bytes than its digest says")
    yield from _forgetting(store)


def _forgetting(store: Store) -> Iterator[Problem]:
    layout = store.layout
    if layout.journal.exists():
        yield _problem(
            store, layout.journal, "a forgetting is unfinished: run 'phonanchor store forget' again"
        )
    try:
        read_tombstones(layout)
    except StoreError as error:
        yield _problem(store, layout.tombstones, f"tombstones: {error.found}")
    for folder, what in ((layout.forgotten, "receipt of a forgetting"), (layout.exports, "export")):
        for path in sorted(folder.glob("[!.]*.json")):
            try:
                read_document(path)
            except StoreError as error:
                yield _problem(store, path, f"{what}: {error.found}")


def _commit(store: Store, number: int) -> Iterator[Problem]:
    try:
        store.log.entry(number)
    except StoreError as error:
        yield _problem(store, store.layout.commit(number), f"commit: {error.found}")


def _tag(store: Store, path: Path, numbers: Collection[int]) -> Iterator[Problem]:
    try:
        number = read_document(path).get("number")
    except StoreError as error:
        yield _problem(store, path, f"tag: {error.found}")
        return
    if number not in numbers:
        yield _problem(store, path, f"the tag names commit {number!r:.80}, which is not there")


def _pointer(store: Store, path: Path, folder: Path, rest: str) -> Iterator[Problem]:
    try:
        name = read_document(path).get("latest")
    except StoreError as error:
        yield _problem(store, path, f"pointer: {error.found}")
        return
    if not is_digest(name) or not (folder / f"{name}{rest}").exists():
        yield _problem(store, path, "the pointer names what is not there")


def _problem(store: Store, path: Path, what: str) -> Problem:
    return Problem(what=what, where=path.relative_to(store.layout.root).as_posix(), utterances=())


def _restore_head(store: Store) -> None:
    """Let HEAD name the newest whole commit, and take numbers without one below it out of the log."""
    paths = sorted(store.layout.commit(1).parent.glob("[0-9]*.json"))
    if not paths:
        store.layout.head.unlink(missing_ok=True)
        return
    newest = store.log.entry(int(paths[-1].stem))
    write_document(store.layout.head, {"number": newest.number, "snapshot": newest.snapshot})
    _forget_gaps(store)


def _forget_gaps(store: Store) -> None:
    """Say of each number without a commit, up to the newest, that its commit was removed."""
    known: dict[int, str] = {}
    try:
        known = store.log.collected()
    except StoreError:
        store.layout.collected.unlink()
    there = {int(path.stem) for path in store.layout.commit(1).parent.glob("[0-9]*.json")}
    gaps = {number: "" for number in range(1, max(there, default=0)) if number not in there}
    gone = {**gaps, **known}
    if gone != known:
        write_document(
            store.layout.collected, {"commits": [[number, gone[number]] for number in sorted(gone)]}
        )
