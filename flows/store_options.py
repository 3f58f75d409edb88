"""What the store commands share: their options, opening the store, and printing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from store.catalogue import Store
from store.errors import ConfigurationError
from store.wording import size

__all__ = [
    "JSON", "NAMED", "SNAPSHOT", "WORK", "LocalPath", "counted", "opened", "print_json", "size", "some",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])

ONLY_WORK = click.option(
    "--work", type=click.Path(path_type=Path), default=Path("work"), show_default=True, help="Working folder."
)
_STORE = click.option(
    "--store",
    metavar="FOLDER|s3://BUCKET/PREFIX",
    expose_value=False,
    callback=lambda context, _, value: context.meta.update({_NAMED_STORE: value}),
    help="A store that lies elsewhere than in the working folder.",
)
_NAMED_STORE = "store"


def WORK(function: F) -> F:  # noqa: N802 (an option, like those beside it)
    """Add --work and --store: a command takes ``work`` and hands it to `opened`."""
    return ONLY_WORK(_STORE(function))


class LocalPath(click.Path):
    """A file or folder to be written on this machine; an address elsewhere would become a local folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Return the path; ConfigurationError for an address."""
        if "://" in str(value):
            raise ConfigurationError(
                "a place on this machine", str(value), "write it here, then copy it there"
            )
        return super().convert(value, parameter, context)


JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
SNAPSHOT = click.argument("snapshot", required=False)
NAMED = 10
"""How many utterances are named for people; JSON names all."""


def opened(work: Path) -> Store:
    """Return the store that --store names, else that of the working folder; StoreError if there is none."""
    named = click.get_current_context().meta.get(_NAMED_STORE)
    return Store.open(named or work / "store")


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def some(names: tuple[str, ...]) -> str:
    """Return the first names of a list, and how many more there are."""
    more = f", and {len(names) - NAMED} more (--json names all)" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def counted(names: tuple[str, ...]) -> str:
    """Return how many utterances there are, and the first of their names."""
    return f"{len(names)} utterances" + (f": {some(names)}" if names else "")
