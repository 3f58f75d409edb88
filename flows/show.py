"""The command `show`: one utterance, or the recordings of a corpus, as the store holds them, drawn."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from features.clip import Clip
from flows import stages
from flows.configuration import load
from flows.store_options import opened
from pipeline.corpora.corpus import corpus_by_name
from store.atomic import write_text
from store.errors import ConfigurationError, PhonanchorError, StoreError
from store.feature_store import FeatureStore
from store.records import Utterance
from store.vocabulary import COMMON_RATE

if TYPE_CHECKING:
    from training.reports.figures import Drawing

STEP = 160 / COMMON_RATE
"""Seconds between the rows of log-mel and formants."""


@dataclass(frozen=True, kw_only=True)
class ShowRequest:
    """The options of the command."""

    utterance: str | None
    corpus: str | None
    corpora: Path | None
    snapshot: str | None
    to: Path | None
    work: Path


def show(request: ShowRequest) -> None:
    """Draw what was asked for into an SVG file, and print where it lies and what it shows.

    Raises
    ------
    ConfigurationError
        If not exactly one of utterance and corpus is named, or the file does not end in .svg.
    StoreError
        If there is no such snapshot, utterance or corpus in the store, or the file cannot be written.
    """
    if (request.utterance is None) == (request.corpus is None):
        raise ConfigurationError(
            "an utterance or --corpus NAME", "both or none", "phonanchor show emodb/03a01Fa"
        )
    if request.to is not None and request.to.suffix != ".svg":
        raise ConfigurationError("a file that ends in .svg", str(request.to), "name the picture so")
    if request.utterance is not None and "/" not in request.utterance:
        raise ConfigurationError(
            "an utterance as CORPUS/STEM",
            repr(request.utterance),
            f"add the corpus, or pass --corpus {request.utterance} to draw all of one",
        )
    whole = opened(request.work)
    store = FeatureStore(whole, whole.resolve(request.snapshot), checked=True)
    name = request.utterance or request.corpus or ""
    lines: tuple[str, ...] = ()
    if request.utterance is None:
        drawing = _corpus(store, name)
    else:
        utterance = store.utterance(name)
        samples = _samples(utterance, request)
        drawing = _utterance(store, utterance, samples)
        lines = () if samples is not None else (f"without the waveform: {_where(utterance)} to see it",)
    path = request.to or request.work / "shown" / f"{name.replace('/', '_')}.svg"
    write_text(path, drawing.svg)
    for line in (drawing.caption, *lines, f"picture {path}"):
        Console().print(line, markup=False, highlight=False, soft_wrap=True)


def _utterance(store: FeatureStore, utterance: Utterance, samples: NDArray[np.float32] | None) -> "Drawing":
    alignment = store.alignment(utterance.id)
    from training.reports.shown import draw_features  # Matplotlib takes seconds to load

    return draw_features(
        utterance,
        samples,
        _rows(store, "logmel80", utterance, samples),
        _rows(store, "formants", utterance, samples),
        alignment.intervals if alignment else (),
        step=STEP,
    )


def _samples(utterance: Utterance, request: ShowRequest) -> NDArray[np.float32] | None:
    """Return the recording, None where its corpus is not named or not at hand: the store holds no audio."""
    places = {"work": request.work, "corpora": request.corpora}
    configuration = load(top={key: place for key, place in places.items() if place is not None})
    try:
        root = stages.corpus_folder(configuration, corpus_by_name(utterance.corpus, request.corpora))
    except PhonanchorError:
        if request.corpora is not None:
            raise
        return None
    if (root / utterance.path).is_file():
        return stages.loader(root)(utterance)
    if request.corpora is not None:
        raise ConfigurationError(
            f"the recording of {utterance.id}", f"no file {root / utterance.path}", _where(utterance)
        )
    return None


def _where(utterance: Utterance) -> str:
    """Return in words which option names the recording: the store knows its path below the corpora only."""
    return f"pass --corpora DIR, where DIR/{utterance.corpus}/{utterance.path} is the recording"


def _rows(
    store: FeatureStore, feature: str, utterance: Utterance, samples: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Return the stored rows of a feature; what the snapshot lacks is computed for the picture."""
    if any(spec.name == feature for spec in store.specs) and store.has(feature, utterance.id):
        return np.asarray(store.read(feature, utterance.id), dtype=np.float32)
    if samples is None:
        raise StoreError(
            f"{feature} of {utterance.id} in the snapshot, or the recording itself",
            "neither",
            _where(utterance),
        )
    from features.extractor import build_extractors  # brings SciPy and Praat

    (extractor,) = build_extractors((feature,), encoder=None)
    (rows,) = extractor.extract_many([Clip(samples, COMMON_RATE, gender=utterance.gender)])
    return np.asarray(rows, dtype=np.float32)


def _corpus(store: FeatureStore, name: str) -> "Drawing":
    mine = [item for item in store.utterances if item.corpus == name]
    if not mine:
        there = ", ".join(sorted({item.corpus for item in store.utterances})) or "none"
        raise StoreError(f"utterances of {name} in the snapshot", f"corpora: {there}", "name one of these")
    from training.reports.shown import draw_corpus  # see _utterance

    return draw_corpus(name, mine)
