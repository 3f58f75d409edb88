"""The commands that copy a snapshot out of the store, and list earlier copies: `store exports`."""

from dataclasses import asdict
from pathlib import Path

import click

from flows.store_options import JSON, WORK, opened, print_json, size
from store.digests import short
from store.export_log import Export, listed


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
