"""The `Corpus` protocol and the registry of all adapters."""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from pipeline.corpora.aesdd import AESDD
from pipeline.corpora.cafe import CAFE
from pipeline.corpora.demos import DEMOS
from pipeline.corpora.emodb import EMODB
from pipeline.corpora.emomatch import EMOMATCH
from pipeline.corpora.emovo import EMOVO
from pipeline.corpora.eyase import EYASE
from pipeline.corpora.nemo import NEMO
from pipeline.corpora.oreau import OREAU
from pipeline.corpora.ravdess import RAVDESS
from pipeline.corpora.reading import CorpusItem
from pipeline.corpora.sample import SAMPLE_CMN, SAMPLE_EN
from pipeline.corpora.savee import SAVEE
from pipeline.corpora.shemo import SHEMO
from pipeline.corpora.tess import TESS
from pipeline.corpora.turev import TUREV
from pipeline.corpora.urdu import URDU
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

    @property
    def labels(self) -> Mapping[str, str] | None:
        """Native -> canonical emotions, None for those of ``labels.toml``."""
        ...

    def folder(self, corpora: Path) -> Path:
        """Return where the corpus lies (or would lie) under the parent folder of all corpora."""
        ...

    def items(self, root: Path) -> Iterator[CorpusItem | Skipped]:
        """Yield each recording in the corpus folder ``root``, and a row with a reason for each that is unfit.

        Rows of the stage `layout.SELECTION` are sound recordings that the corpus's own rules leave out.
        Reads no audio. Raises `CorpusError` where a table that belongs to the corpus is missing or damaged.
        """
        ...


_REGISTRY: tuple[Corpus, ...] = (
    EMODB, EMOVO, RAVDESS, NEMO, TESS, AESDD, CAFE, DEMOS, EMOMATCH, EYASE, OREAU, SHEMO, SAVEE, TUREV, URDU,
    SAMPLE_EN, SAMPLE_CMN,
)  # fmt: skip


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
