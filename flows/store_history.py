"""The commands `store log`, `diff`, `tag`, `untag` and `stats`, for people and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from flows.store_options import JSON, SNAPSHOT, WORK, opened, print_json, size, some
from store.catalogue import Commit, Store
from store.diff import Difference, SpecDiff, diff
from store.digests import short
from store.stats import Amount, stats


@click.command("log")
@WORK
@JSON
def log_command(work: Path, as_json: bool) -> None:
    """Show the commits, newest first, with what each was built from."""
    store = opened(work)
    rows = [_entry(store, commit) for commit in reversed(store.commits())]
    removed = len(store.log.collected())
    if as_json:
        print_json({"commits": rows, "removed": removed})
        return
    if not rows:
        click.echo("no snapshot yet; 'phonanchor features' makes one")
    for row in rows:
        tags = f"  [{', '.join(row['tags'])}]" if row["tags"] else ""
        click.echo(f"commit {row['number']}  snapshot {short(row['snapshot'])}  {row['created']}{tags}")
        click.echo(f"    manifest {short(row['manifest'])}, alignments {_shorts(row['alignments'])}")
        for spec in row["specs"]:
            click.echo(f"    {spec['name']} v{spec['version']} {short(spec['digest'])}")
    if removed:
        click.echo(f"{removed} older commits were removed by 'phonanchor store gc'")


@click.command("diff")
@click.argument("before")
@click.argument("after", required=False)
@WORK
@JSON
def diff_command(before: str, after: str | None, work: Path, as_json: bool) -> None:
    """Name the utterances and features in which two snapshots differ.

    AFTER is the newest by default.
    """
    found = diff(opened(work), before, after)
    if as_json:
        print_json({
            **asdict(found),
            "before": {"number": found.before.number, "snapshot": found.before.snapshot},
            "after": {"number": found.after.number, "snapshot": found.after.snapshot},
            "differs": found.differs,
        })  # fmt: skip
        return
    for line in _difference(found):
        click.echo(line)


@click.command("tag")
@click.argument("name")
@SNAPSHOT
@WORK
@JSON
def tag_command(name: str, snapshot: str | None, work: Path, as_json: bool) -> None:
    """Name a snapshot, by default the newest.

    A tag that exists moves. What has a tag, gc leaves alone.
    """
    store = opened(work)
    store.tag(name, snapshot)
    commit = store.resolve(name)
    if as_json:
        print_json({"tag": name, "number": commit.number, "snapshot": commit.snapshot})
    else:
        click.echo(f"{name} is commit {commit.number}, snapshot {short(commit.snapshot)}")


@click.command("untag")
@click.argument("name")
@WORK
@JSON
def untag_command(name: str, work: Path, as_json: bool) -> None:
    """Remove a tag.

    The snapshot stays until gc finds that nothing needs it.
    """
    opened(work).untag(name)
    if as_json:
        print_json({"untagged": name})
    else:
        click.echo(f"removed the tag {name}")


@click.command("stats")
@SNAPSHOT
@WORK
@JSON
def stats_command(snapshot: str | None, work: Path, as_json: bool) -> None:
    """Give rows, hours and bytes of a snapshot, by feature and corpus.

    Bytes are given as they are stored and before compression.
    """
    found = stats(opened(work), snapshot)
    groups = {"cells": found.cells, "by_feature": found.by_feature, "by_corpus": found.by_corpus}
    if as_json:
        lists = {name: [_amount(row) for row in rows] for name, rows in groups.items()}
        print_json({"snapshot": found.commit.snapshot, **lists, "total": _amount(found.total)})
        return
    click.echo(f"snapshot {short(found.commit.snapshot)}")
    heads = ("feature", "corpus", "utterances", "rows", "hours", "raw", "stored", "ratio")
    rows = [heads, *(_line(row) for rows in groups.values() for row in rows), _line(found.total)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for row in rows:
        texts = [text.ljust(width) for text, width in zip(row[:2], widths[:2], strict=True)]
        numbers = [text.rjust(width) for text, width in zip(row[2:], widths[2:], strict=True)]
        click.echo("  ".join([*texts, *numbers]))


def _entry(store: Store, commit: Commit) -> dict[str, Any]:
    specs = [store.spec(digest) for digest in commit.specs]
    return {
        "number": commit.number,
        "snapshot": commit.snapshot,
        "created": commit.created,
        "tags": list(store.log.tags_of(commit)),
        "manifest": commit.manifest,
        "alignments": list(commit.alignments),
        "specs": [{"name": spec.name, "version": spec.version, "digest": spec.digest} for spec in specs],
        "lineage": dict(commit.lineage),
    }


def _shorts(digests: list[str]) -> str:
    return ", ".join(short(item) for item in digests) or "none"


def _difference(found: Difference) -> Iterator[str]:
    """Yield the lines of a difference."""
    ends = [f"commit {item.number}, snapshot {short(item.snapshot)}" for item in (found.before, found.after)]
    yield f"from {ends[0]} to {ends[1]}"
    if not found.differs:
        yield "no difference"
    yield from _names("utterances added", found.added)
    yield from _names("utterances removed", found.removed)
    for change in found.changed:
        yield f"utterance changed: {change.utterance} ({', '.join(change.fields)})"
    for spec in found.specs:
        if spec.differs:
            yield _headline(spec)
            for what in ("added", "removed", "changed"):
                yield from _names(f"    rows {what}", getattr(spec, what))


def _headline(spec: SpecDiff) -> str:
    if spec.before is None:
        how = f"new, {short(spec.after or '')}"
    elif spec.after is None:
        how = f"gone, was {short(spec.before)}"
    elif spec.before != spec.after:
        how = f"{short(spec.before)} became {short(spec.after)}"
    else:
        how = short(spec.before)
    return f"feature {spec.name} ({how}): rows of {spec.same} utterances are the same"


def _names(what: str, names: tuple[str, ...]) -> Iterator[str]:
    if names:
        yield f"{what}: {len(names)}: {some(names)}"


def _amount(row: Amount) -> dict[str, Any]:
    return {**asdict(row), "ratio": row.ratio}


def _line(row: Amount) -> tuple[str, ...]:
    return (
        row.feature or "all",
        row.corpus or "all",
        str(row.utterances),
        str(row.rows),
        f"{row.hours:.3f}",
        size(row.raw_bytes),
        size(row.stored_bytes),
        "-" if row.ratio is None else f"{row.ratio:.2f}",
    )
