"""Safe names for files, archive members and fields, whatever utterances and features are called."""

import re
from collections.abc import Callable, Sequence
from urllib.parse import quote

from store.digests import digest, short
from store.exports.selection import Column

LONGEST = 120


def sample_key(utterance_id: str) -> str:
    """Return an utterance id as a path: one component for each of its own, other characters as %XX.

    There is no dot, so that a WebDataset key ends where the field begins, no ``..`` and no empty component;
    a longer component is cut and ends with a digest. Different ids have different keys.
    """
    return "/".join(_component(part) for part in utterance_id.split("/"))


def field_name(feature: str) -> str:
    """Return a feature's name as one path component without a dot, in lower case as webdataset reads it."""
    return _component(feature).lower()


def attribute_name(feature: str) -> str:
    """Return a feature's name as a Python identifier."""
    plain = re.sub(r"\W", "_", feature, flags=re.ASCII)
    return plain if plain[:1].isalpha() else f"f_{plain}"


def distinct(columns: Sequence[Column], how: Callable[[str], str]) -> dict[str, str]:
    """Return the name that ``how`` gives each column; those that several have end with the spec's digest."""
    plain = [how(column.name) for column in columns]
    return {
        column.name: name if plain.count(name) == 1 else f"{name}_{short(column.spec.digest)}"
        for column, name in zip(columns, plain, strict=True)
    }


def _component(name: str) -> str:
    plain = quote(name, safe="").replace(".", "%2E").replace("~", "%7E") or "%"
    if len(plain) <= LONGEST:
        return plain
    return f"{plain[: LONGEST - 13]}-{short(digest(name))}"
