"""Turns the emotion labels of each corpus into canonical names, by the table `labels.toml`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from store.errors import ConfigurationError, CorpusError
from store.vocabulary import EMOTIONS

TABLE = Path(__file__).with_name("labels.toml")


@cache
def label_table() -> Mapping[str, Mapping[str, str]]:
    """Return native -> canonical labels by corpus.

    Raises
    ------
    ConfigurationError
        The table names an emotion that is not canonical.
    """
    table: dict[str, dict[str, str]] = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    for corpus, labels in table.items():
        for native, emotion in labels.items():
            if emotion not in EMOTIONS:
                raise ConfigurationError(
                    f"a canonical emotion for label {native} of {corpus} in {TABLE.name}",
                    emotion,
                    f"use one of {', '.join(EMOTIONS)}",
                )
    return table


def canonical(corpus: str, native: str, labels: Mapping[str, str] | None = None) -> str:
    """Return the canonical emotion of ``native``, a label of ``corpus``.

    ``labels`` are those that a corpus brings itself; without them the table's hold.

    Raises
    ------
    CorpusError
        The table does not list the corpus or the label; guessing would put wrong classes into every result.
    """
    place = TABLE.name if labels is None else "its adapter"
    known = label_table().get(corpus, {}) if labels is None else labels
    if native in known:
        return known[native]
    listed = ", ".join(known) if known else "no label at all"
    raise CorpusError(
        f"an emotion label of {corpus} that {place} lists ({listed})",
        f"{native!a}",
        f"correct the file's label, or add {native!a} under [{corpus}] in pipeline/{TABLE.name}"
        if labels is None
        else f"correct the file's label, or add {native!a} to the labels of {corpus}",
    )
