"""The commands `store export` and `store exports`: copy a snapshot out of the store, and list the copies."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from flows.store_options import JSON, WORK, LocalPath, opened, print_json, size
from store.digests import short
from store.export_log import FORMATS, Export, Format, listed


@click.command("export")
@click.argument("kind", metavar="FORMAT", type=click.Choice(FORMATS))
@click.argument("folder", type=LocalPath())
@click.option("--snapshot", help="Tag or id; the newest by default.")
@click.option("--features", multiple=True, help="A feature to export; repeatable, all by default.")
@click.option("--corpora", multiple=True, help="A corpus to export; repeatable, all by default.")
@click.option("--licence", "licences", multiple=True, help="Only data under this licence; repeatable.")
@click.option("--layers", type=int, multiple=True, help="Encoder layer from 0, -1 is the last; repeatable.")
@WORK
@JSON
def export_command(
    kind: Format, folder: Path, snapshot: str | None, work: Path, as_json: bool, **wanted: Any
) -> None:
    """Copy a snapshot to a new FOLDER as parquet, lhotse or webdataset."""
    from store.exports.selection import Wanted
    from store.exports.writing import export
    from store.feature_store import FeatureStore

    reader = FeatureStore.open(opened(work).path, snapshot)
    done = export(reader, kind, folder, Wanted(**wanted))
    if as_json:
        print_json({**asdict(done.entry), "registered": not done.unregistered})
    else:
        click.echo(_line(done.entry))
    if done.unregistered:
        click.echo(f"phonanchor: the export is not in the store's ledger: {done.unregistered}", err=True)


@click.command("exports")
@WORK
@JSON
def exports_command(work: Path, as_json: bool) -> None:
    """List the exports that were made from this store, oldest first."""
    found = listed(opened(work).layout)
    if as_json:
        print_json([asdict(item) for item in found])
        return
    if not found:
        click.echo("no export was registered")
    for item in found:
        click.echo(_line(item))


def _line(item: Export) -> str:
    what = f"{', '.join(item.features)} of {', '.join(item.corpora)}"
    amount = f"{item.utterances} utterances, {size(item.bytes)}"
    return (
        f"{item.created}  {item.format}  {item.host}:{item.destination}"
        f"  snapshot {short(item.snapshot)}: {what} ({amount})"
    )
