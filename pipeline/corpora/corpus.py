"""The `Corpus` protocol and the registry of all adapters."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from pipeline.corpora.emodb import EMODB
from pipeline.corpora.emovo import EMOVO
from pipeline.corpora.layout import CorpusItem
from pipeline.corpora.nemo import NEMO
from pipeline.corpora.ravdess import RAVDESS
from pipeline.corpora.sample import SAMPLE_CMN, SAMPLE_EN
from store.errors import ConfigurationError
from store.records import Skipped

__all__ = ["Corpus", "CorpusItem", "corpus_by_name", "registered"]


class Corpus(Protocol):
    """One published corpus as it lies on disk: who says what with which emotion, by names and tables.

    ``language`` is an ISO 639 code, ``licence`` an SPDX name or a short phrase; ``synthetic`` marks speech
    that no person spoke.
    """

    @property
    def name(self) -> str:
        """Name in the registry, in utterance ids and in ``labels.toml``."""
        ...

    @property
    def language(self) -> str:
        """Language code of all recordings."""
        ...

    @property
    def licence(self) -> str:
        """Licence of the recordings."""
        ...

    @property
    def synthetic(self) -> bool:
        """Whether the recordings were made by a machine."""
        ...

    def folder(self, corpora: Path) -> Path:
        """Return where the corpus lies (or would lie) under the parent folder of all corpora."""
        ...

    def items(self, root: Path) -> Iterator[CorpusItem | Skipped]:
        """Yield each recording in the corpus folder ``root``, and a row with a reason for each that is unfit.

        Reads no audio. Raises `CorpusError` where a table that belongs to the corpus is missing or damaged.
        """
        ...


_REGISTRY: tuple[Corpus, ...] = (EMODB, EMOVO, RAVDESS, NEMO, SAMPLE_EN, SAMPLE_CMN)


def registered() -> tuple[Corpus, ...]:
    """Return all corpora, in the order of the documentation."""
    return _REGISTRY


def corpus_by_name(name: str) -> Corpus:
    """Return the adapter called ``name``.

    Raises
    ------
    ConfigurationError
        There is none; the message gives the nearest name.
    """
    by_name = {corpus.name: corpus for corpus in _REGISTRY}
    if name in by_name:
        return by_name[name]
    near = difflib.get_close_matches(name.lower(), by_name, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else "write an adapter in pipeline/corpora and register it"
    raise ConfigurationError(f"a corpus of {', '.join(by_name)}", ascii(name), hint)
