"""The commands that look after a store: `store gc` and `store repair`, for people and as JSON."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from flows.store_options import JSON, SNAPSHOT, WORK, counted, opened, print_json, size
from store.digests import short
from store.garbage import Garbage, collect, find_garbage
from store.repair import repair
from store.verify_history import repair_history


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--keep", type=click.IntRange(1), default=1, show_default=True, help="Newest commits to keep.")
@WORK
@JSON
def gc_command(dry_run: bool, keep: int, work: Path, as_json: bool) -> None:
    """Remove what neither a tag nor the newest commits need.

    Older commits without a tag leave the log.
    """
    store = opened(work)
    garbage = find_garbage(store, keep=keep) if dry_run else collect(store, keep=keep)
    if as_json:
        print_json(_as_json(garbage, store.path, dry_run))
        return
    verb = "would remove" if dry_run else "removed"
    for commit in garbage.dropped:
        click.echo(f"{verb} commit {commit.number}, snapshot {short(commit.snapshot)}, {commit.created}")
    for kind, (files, total) in _by_kind(garbage).items():
        click.echo(f"{verb} {files} x {kind}, {size(total)}")
    click.echo(f"{verb} {size(garbage.bytes)} in all; {len(garbage.kept)} commits stay")


@click.command("repair")
@SNAPSHOT
@WORK
@JSON
def repair_command(snapshot: str | None, work: Path, as_json: bool) -> None:
    """Verify a snapshot and drop what is damaged.

    The next build makes just that anew.
    HEAD, the log, tags and pointers are mended first: HEAD goes back to the newest whole commit.
    """
    store = opened(work)
    history = repair_history(store)
    if not as_json:
        for problem in history:
            click.echo(f"damaged    {problem.where}: {problem.what}")
    done = repair(store, snapshot)
    name = short(done.commit.snapshot)
    if as_json:
        ids = {"commit": done.commit.number, "snapshot": done.commit.snapshot}
        print_json({**asdict(done), **ids, "history": [asdict(problem) for problem in history]})
        return
    for problem in done.problems:
        click.echo(f"damaged    {problem.where}: {problem.what} ({counted(problem.utterances)})")
    for path in done.dropped:
        click.echo(f"dropped    {path}")
    for path in done.restored:
        click.echo(f"restored   {path}")
    if not done.remaining:
        click.echo(f"snapshot {name} is whole{' again' if done.problems else ''}")
        return
    if done.lost:
        click.echo(f"lost       rows of {counted(done.lost)}")
    click.echo(f"snapshot {name}: build again with the same input, which computes just what was lost")


def _by_kind(garbage: Garbage) -> dict[str, tuple[int, int]]:
    """Return the number and the bytes of what goes, by kind."""
    counts, sizes = Counter[str](), Counter[str]()
    for item in garbage.removals:
        counts[item.kind] += 1
        sizes[item.kind] += item.bytes
    return {kind: (counts[kind], sizes[kind]) for kind in counts}


def _as_json(garbage: Garbage, root: Path, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "bytes": garbage.bytes,
        "kept": [{"number": item.number, "snapshot": item.snapshot} for item in garbage.kept],
        "dropped": [{"number": item.number, "snapshot": item.snapshot} for item in garbage.dropped],
        "removed": [
            {"kind": item.kind, "path": item.path.relative_to(root).as_posix(), "bytes": item.bytes}
            for item in garbage.removals
        ],
    }
