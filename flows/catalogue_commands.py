"""The command `store html`: the catalogue of a snapshot as one page."""

from pathlib import Path

import click

from flows.store_options import WORK, LocalPath, opened


@click.command("html")
@click.argument("file", required=False, type=LocalPath())
@click.option("--snapshot", help="Tag or id; the newest by default.")
@WORK
def html_command(file: Path | None, snapshot: str | None, work: Path) -> None:
    """Write one page that shows what a snapshot holds.

    It is FILE, by default catalogue.html in the working folder.
    """
    from store.feature_store import FeatureStore
    from store.pages.catalogue import write_catalogue

    path = file or work / "catalogue.html"
    write_catalogue(FeatureStore.open(opened(work).path, snapshot), path)
    click.echo(f"wrote {path}")
