"""The group of store commands, with `store ls`, `store show` and `store verify`, for people and as JSON."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from flows.catalogue_commands import html_command
from flows.export_commands import export_command, exports_command
from flows.forget_command import forget_command
from flows.store_care import gc_command, repair_command
from flows.store_history import diff_command, log_command, stats_command, tag_command, untag_command
from flows.store_options import JSON, SNAPSHOT, WORK, counted, opened, print_json
from store.catalogue import Commit, Store
from store.digests import short
from store.errors import StoreError
from store.verify import verify
from store.verify_history import verify_history

__all__ = ["store_group"]


@click.group("store")
def store_group() -> None:
    """Look into the feature store, and look after it."""


for _command in (
    log_command, diff_command, tag_command, untag_command, stats_command, gc_command, repair_command,
    export_command, exports_command, html_command, forget_command,
):  # fmt: skip
    store_group.add_command(_command)


@store_group.command("ls")
@WORK
@JSON
def list_snapshots(work: Path, as_json: bool) -> None:
    """List the snapshots, newest last."""
    store = opened(work)
    rows = [_row(store, commit) for commit in store.commits()]
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("no snapshot yet; 'phonanchor features' makes one")
    for row in rows:
        tags = f"  [{', '.join(row['tags'])}]" if row["tags"] else ""
        features = ", ".join(row["features"])
        click.echo(f"{row['number']:>4}  {short(row['snapshot'])}  {row['created']}  {features}{tags}")


@store_group.command("show")
@SNAPSHOT
@WORK
@JSON
def show_snapshot(snapshot: str | None, work: Path, as_json: bool) -> None:
    """Show one snapshot, by default the newest.

    SNAPSHOT is an id, its beginning, or a tag.
    """
    store = opened(work)
    row = _details(store, store.resolve(snapshot))
    if as_json:
        print_json(row)
        return
    for name in ("snapshot", "created", "number", "manifest"):
        click.echo(f"{name:<10} {row[name]}")
    for corpus in row["corpora"]:
        mark = "  SYNTHETIC" if corpus["synthetic"] else ""
        click.echo(
            f"corpus     {corpus['corpus']}: {corpus['utterances']} utterances, "
            f"{corpus['speakers']} speakers, {corpus['minutes']:.1f} min, left out {corpus['left_out']}, "
            f"{'/'.join(corpus['languages'])}, {', '.join(corpus['licences'])}{mark}"
        )
    for spec in row["specs"]:
        shape = f"{spec['dims']} {spec['dtype']}"
        click.echo(f"feature    {spec['name']} v{spec['version']} {shape} {short(spec['digest'])}")


@store_group.command("verify")
@SNAPSHOT
@WORK
@JSON
def verify_command(snapshot: str | None, work: Path, as_json: bool) -> None:
    """Read a snapshot back and check all of it.

    Presence, lengths and checksums; exit code 2 if anything is wrong.
    """
    store = opened(work)
    problems = verify_history(store)
    try:
        name = store.resolve(snapshot).snapshot
        problems += verify(store, name)
    except StoreError:
        if not problems:
            raise
        name = ""  # the history is too damaged to say which one it would be
    if as_json:
        print_json({"snapshot": name, "problems": [asdict(problem) for problem in problems]})
    else:
        for problem in problems:
            click.echo(f"{problem.where}: {problem.what} ({counted(problem.utterances)})")
    if problems:
        raise StoreError(
            f"snapshot {short(name)} whole" if name else "a whole history of snapshots",
            f"{len(problems)} problems",
            "run 'phonanchor store repair', then build again",
        )
    if not as_json:
        click.echo(f"snapshot {short(name)} is whole")


def _row(store: Store, commit: Commit) -> dict[str, Any]:
    return {
        "number": commit.number,
        "snapshot": commit.snapshot,
        "created": commit.created,
        "manifest": commit.manifest,
        "alignments": list(commit.alignments),
        "features": [store.spec(digest).name for digest in commit.specs],
        "tags": list(store.log.tags_of(commit)),
    }


def _details(store: Store, commit: Commit) -> dict[str, Any]:
    utterances, skipped = store.manifest(commit.manifest), store.skipped(commit.manifest)
    corpora = []
    for corpus in sorted({item.corpus for item in utterances}):
        own = [item for item in utterances if item.corpus == corpus]
        corpora.append({
            "corpus": corpus,
            "languages": sorted({item.language for item in own}),
            "licences": sorted({item.licence for item in own}),
            "synthetic": any(item.synthetic for item in own),
            "utterances": len(own),
            "speakers": len({item.speaker for item in own}),
            "minutes": sum(item.seconds for item in own) / 60,
            "left_out": sum(item.corpus == corpus for item in skipped),
        })  # fmt: skip
    specs = [{**store.spec(digest).canonical(), "digest": digest} for digest in commit.specs]
    return {**_row(store, commit), "lineage": dict(commit.lineage), "corpora": corpora, "specs": specs}
