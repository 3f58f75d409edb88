"""The `Corpus` protocol and the registry of all adapters."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from pipeline.corpora.aesdd import AESDD
from pipeline.corpora.biic_podcast import BIIC_PODCAST
from pipeline.corpora.cafe import CAFE
from pipeline.corpora.crema_d import CREMA_D
from pipeline.corpora.demos import DEMOS
from pipeline.corpora.dusha import DUSHA
from pipeline.corpora.emodb import EMODB
from pipeline.corpora.emomatch import EMOMATCH
from pipeline.corpora.emovo import EMOVO
from pipeline.corpora.esd import ESD_EN, ESD_ZH
from pipeline.corpora.eyase import EYASE
from pipeline.corpora.iemocap import IEMOCAP
from pipeline.corpora.manifest import TABLE, manifest_corpus
from pipeline.corpora.msp_podcast import MSP_PODCAST
from pipeline.corpora.nemo import NEMO
from pipeline.corpora.oreau import OREAU
from pipeline.corpora.ravdess import RAVDESS
from pipeline.corpora.reading import CorpusItem
from pipeline.corpora.sample import SAMPLE_CMN, SAMPLE_EN
from pipeline.corpora.savee import SAVEE
from pipeline.corpora.shemo import SHEMO
from pipeline.corpora.tess import TESS
from pipeline.corpora.thai_ser import THAI_SER
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
        """Language code of all recordings; ``mul`` where each says its own."""
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

        Rows of the stage `layout.SELECTION` take nothing away: left out by the corpus's own rules, or copies.
        Reads no audio. Raises `CorpusError` where a table that belongs to the corpus is missing or damaged.
        """
        ...


ENTRY_POINTS = "phonanchor.corpora"
"""Group of the entry points through which other packages add a corpus (or a tuple of some)."""

_REGISTRY: tuple[Corpus, ...] = (
    ESD_EN, ESD_ZH, THAI_SER, MSP_PODCAST, BIIC_PODCAST, DUSHA, TESS, EMODB, AESDD, CAFE, DEMOS, EMOMATCH,
    EMOVO, EYASE, OREAU, SHEMO, RAVDESS, CREMA_D, SAVEE, NEMO, TUREV, URDU, IEMOCAP, SAMPLE_EN, SAMPLE_CMN,
)  # fmt: skip
_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def registered() -> tuple[Corpus, ...]:
    """Return all corpora, in the order of the documentation; those of other packages come last.

    Raises
    ------
    ConfigurationError
        Another package's corpus cannot be loaded, or has a name that is taken.
    """
    return (*_REGISTRY, *_from_other_packages())


def corpus_by_name(name: str, corpora: Path | None = None) -> Corpus:
    """Return the adapter called ``name``, or the generic one where ``corpora/name`` has a manifest.

    Raises
    ------
    ConfigurationError
        There is none; the message gives the nearest name.
    """
    by_name = {corpus.name: corpus for corpus in registered()}
    if name in by_name:
        return by_name[name]
    if corpora is not None and _FOLDER_NAME.fullmatch(name) and os.path.isfile(corpora / name / TABLE):
        return manifest_corpus(name)
    near = difflib.get_close_matches(name.lower(), by_name, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ConfigurationError(
        f"a known corpus, or one of your own in --corpora DIR (a folder of that name with a {TABLE})",
        ascii(name),
        f"{hint}'phonanchor corpora' lists the known ones",
    )


@cache
def _from_other_packages() -> tuple[Corpus, ...]:
    """Load the entry points of the group `ENTRY_POINTS`."""
    found: list[Corpus] = []
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            loaded = entry.load()
        except Exception as error:  # whatever another package raises on import must not end in a traceback
            raise ConfigurationError(
                f"a corpus at the entry point {entry.name} = {entry.value}",
                f"{type(error).__name__}: {error}",
                "mend or uninstall the package that declares it",
            ) from error
        found += loaded if isinstance(loaded, tuple) else (loaded,)
    names = [corpus.name for corpus in (*_REGISTRY, *found)]
    if taken := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(
            f"corpora of other packages ({ENTRY_POINTS}) under new names",
            f"{', '.join(taken)} twice",
            "rename the corpus there",
        )
    return tuple(found)
