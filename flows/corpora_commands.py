"""The commands `phonanchor corpora`: the list of all corpora, and the check of one folder."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.store_options import JSON, ONLY_WORK, print_json
from store.errors import CorpusDiffersError

if TYPE_CHECKING:
    from pipeline.corpora.corpus import Corpus
    from pipeline.corpus_check import Checked

FOLDER = click.Path(path_type=Path)
MOST_LINES = 20
"""Findings of one kind that are printed for people; --json has all."""


@click.group("corpora", invoke_without_command=True)
@JSON
@click.pass_context
def corpora_group(context: click.Context, as_json: bool) -> None:
    """List the corpora that can be read, or check one.

    The list gives counts, licence, source and layout.
    """
    if context.invoked_subcommand is not None:
        return
    rows = _listed()
    if as_json:
        print_json(rows)
    else:
        click.echo("\n".join(line for row in rows for line in _described(row)))
        click.echo(
            "any other: a folder with a manifest.csv is a corpus of the folder's name (docs/corpora.md)"
        )
        click.echo(
            "counts with ? are doubtful or contradicted; 'phonanchor corpora check NAME PATH' compares"
        )


@corpora_group.command("check")
@click.argument("name")
@click.argument("path", type=FOLDER)
@JSON
@click.option("--rehash", is_flag=True, help="Read every audio file again.")
@ONLY_WORK
def check_command(name: str, path: Path, as_json: bool, rehash: bool, work: Path) -> None:
    """Compare a corpus folder with what is published of it.

    Reported is what is missing, surplus, twice or unusable in PATH against the counts of NAME. PATH is the
    folder of the corpus, or the one that holds it. Exit code 0: as published (known faults aside); 1: it
    differs; 2: it cannot be checked.
    """
    from pipeline.corpora.published import published
    from pipeline.corpus_check import check
    from pipeline.ingest import ingest

    corpus, root = _located(name, path)
    checked = check(ingest(corpus, root, work / "cache", rehash=rehash), published().get(name))
    if as_json:
        print_json(_plain(checked, root))
    else:
        click.echo("\n".join(_report(checked, root)))
    if not checked.sound:
        count = sum(finding.kind != "note" for finding in checked.findings)
        raise CorpusDiffersError(
            f"{name} as it is published",
            f"{count} difference{'s' if count > 1 else ''}",
            "complete the folder, or know that results are those of a part of the corpus",
        )


def _listed() -> list[dict[str, Any]]:
    """Return what is known of every corpus, as plain values."""
    from pipeline.corpora.corpus import registered
    from pipeline.corpora.published import published

    table = published()
    rows: list[dict[str, Any]] = []
    for corpus in registered():
        row: dict[str, Any] = {
            "name": corpus.name, "language": corpus.language, "licence": corpus.licence,
            "synthetic": corpus.synthetic,
        }  # fmt: skip
        if entry := table.get(corpus.name):
            counts = ("recordings", "usable", "speakers", "women", "men")
            row |= {key: str(value) for key in counts if (value := getattr(entry, key)) is not None}
            row |= {
                "classes": {label: str(number) for label, number in entry.classes.items()},
                "title": entry.title, "obtain": entry.obtain, "layout": entry.layout,
                "source": entry.source, "doubts": list(entry.doubts),
            }  # fmt: skip
        rows.append(row)
    return rows


def _described(row: dict[str, Any]) -> Iterator[str]:
    """Yield the lines for people of one corpus."""
    mark = "  SYNTHETIC" if row["synthetic"] else ""
    yield f"{row['name']:<12} {row['language']:<4} {row.get('title', '')}{mark}".rstrip()
    if "recordings" in row:
        usable = f" ({row['usable']} usable)" if "usable" in row else ""
        sexes = f" ({row['women']} f, {row['men']} m)" if "women" in row else ""
        speakers = f", {row['speakers']} speakers{sexes}" if "speakers" in row else ""
        yield f"    {row['recordings']} recordings{usable}{speakers}"
    yield f"    licence  {row['licence']}"
    if "obtain" in row:
        yield f"    get it   {row['obtain']}"
        yield f"    folder   {row['layout']}"


def _located(name: str, path: Path) -> "tuple[Corpus, Path]":
    """Return the adapter and the corpus folder: ``path``, or the corpus's folder in it."""
    from pipeline.corpora.corpus import corpus_by_name

    absolute = path.resolve()
    own = corpus_by_name(name, absolute.parent if absolute.name == name else absolute)
    inside = own.folder(absolute)
    is_parent = inside.is_dir() and own.folder(absolute.parent) != absolute
    return own, inside if is_parent else absolute


def _plain(checked: "Checked", root: Path) -> dict[str, Any]:
    return {
        **asdict(checked),
        "folder": str(root),
        "sound": checked.sound,
        "classes": {f"{label} {emotion}": count for (label, emotion), count in checked.classes.items()},
        "formats": {f"{rate} Hz, {channels} channels": n for (rate, channels), n in checked.formats.items()},
    }


def _report(checked: "Checked", root: Path) -> Iterator[str]:
    """Yield the lines for people."""
    sexes = ", ".join(f"{count} {sex}" for sex, count in sorted(checked.speakers.items()))
    yield f"{checked.corpus} in {root}"
    yield (
        f"  {checked.recordings} recordings, {checked.seconds / 3600:.2f} h, "
        f"{sum(checked.speakers.values())} speakers ({sexes})"
    )
    classes = sorted(checked.classes.items(), key=lambda entry: -entry[1])
    yield "  " + ", ".join(f"{label} = {emotion} {count}" for (label, emotion), count in classes)
    formats = sorted(checked.formats.items(), key=lambda entry: -entry[1])
    yield "  " + ", ".join(f"{count} of {rate} Hz, {_channels(n)}" for (rate, n), count in formats)
    for reason, count in sorted(checked.left_out.items(), key=lambda entry: -entry[1]):
        yield f"  {count} left out: {reason}"
    shown: Counter[str] = Counter()
    for finding in checked.findings:
        shown[finding.kind] += 1
        if shown[finding.kind] <= MOST_LINES:
            yield f"{finding.kind:<10} {finding.what}: {finding.found}"
    for kind, count in shown.items():
        if count > MOST_LINES:
            yield f"{kind:<10} and {count - MOST_LINES} more (--json has all)"
    if checked.sound:
        yield f"{checked.corpus} is sound: nothing missing, surplus, twice or unusable beyond the notes"


def _channels(number: int) -> str:
    return {1: "mono", 2: "stereo"}.get(number, f"{number} channels")
