"""The options of the commands that build and train, and the configuration that they give."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from flows.configuration import Configuration

F = TypeVar("F", bound=Callable[..., Any])
FOLDER = click.Path(path_type=Path)


def _options(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return one decorator for several options, in their order."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


BUILD = _options(
    click.option("--source", help="Corpus whose labels train the models."),
    click.option("--target", help="Corpus of the other language."),
    click.option("--corpora", type=FOLDER, help="Folder that holds the corpus folders."),
    click.option(
        "--encoder", help="'logmel' (built in), a short name, a hub id or a folder of transformers."
    ),
    click.option("--aligner", help="embedded, mfa, textgrid or hand."),
    click.option("--workers", type=click.IntRange(0), help="Worker processes; 0 runs in this process."),
    click.option("--scheduler", help="Address of a running Dask scheduler."),
    click.option("--rehash", is_flag=True, help="Read every audio file again."),
    click.option("--retrain", is_flag=True, help="Train the aligners anew; replaces all alignments."),
    click.option(
        "--max-quarantined",
        type=click.FloatRange(0, 100),
        metavar="PERCENT",
        help="Most recordings of a corpus that may be unusable (5); more end with code 3 and no commit.",
    ),
    click.option("--config", type=FOLDER, help="A TOML or YAML file with [build] and [experiment]."),
    click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any setting; repeatable."),
    click.option("--work", type=FOLDER, help="Working folder (work)."),
    click.option("--store", help="Folder or s3://bucket/prefix of the store (in the working folder)."),
)
SUMMARY = click.option("--summary", type=FOLDER, help="Write what the run did to a JSON file.")
TRAIN = _options(
    click.option("--preset", help="quick or paper."),
    click.option("--mode", help="strict or paper."),
    click.option("--anchor-labels", help="pseudo, oracle_val or none; several with commas."),
    click.option("--seeds", type=click.IntRange(1), help="Number of seeds."),
)


def configuration_of(options: dict[str, Any]) -> "Configuration":
    """Return the configuration of a command's options; those left out leave the file's or default value."""
    from flows.configuration import load

    given = {name: value for name, value in options.items() if value is not None and value is not False}
    assignments = given.pop("assignments", ())
    workers = given.pop("workers", None)
    parallel = {} if workers is None else {"workers": workers}
    if "seeds" in given:
        given["seeds"] = list(range(given["seeds"]))
    if "anchor_labels" in given:
        given["anchor_labels"] = given["anchor_labels"].split(",")
    build: dict[str, object] = {
        key: given[key]
        for key in ("encoder", "aligner", "scheduler", "rehash", "retrain", "max_quarantined")
        if key in given
    }
    if given.get("names"):
        build["names"] = list(given["names"])
    experiment: dict[str, object] = {
        key: given[key]
        for key in ("source", "target", "preset", "mode", "anchor_labels", "seeds")
        if key in given
    }
    return load(
        given.get("config"),
        top={key: given[key] for key in ("work", "store", "corpora") if key in given},
        overrides={"build": {**build, **parallel}, "experiment": {**experiment, **parallel}},
        assignments=assignments,
    )
