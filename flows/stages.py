"""What stands before extraction, as plain functions: checks, folders, ingesting, aligning."""

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flows.configuration import Configuration
from flows.guards import check_quarantined
from flows.progress import Report
from pipeline import audio
from pipeline.align import AlignedCorpus, align, check_aligner, hand_labels
from pipeline.aligners.aligner import Load
from pipeline.aligners.mfa import MfaModel, given_model
from pipeline.corpora.corpus import Corpus, corpus_by_name
from pipeline.ingest import Ingested, ingest
from pipeline.synthesis import ensure_sample
from store.catalogue import Store
from store.errors import ConfigurationError, CorpusError, StoreError
from store.layout import Layout
from store.records import Utterance
from store.settings import variable
from store.tombstones import Tombstones, read_tombstones
from store.vocabulary import COMMON_RATE
from training.anchors import check_common_vowels
from training.experiment import Experiment

if TYPE_CHECKING:
    from features.contract import Extractor

PARTS_OF_WORK = ("store", "cache", "cache/training", "cache/verified", "sample", "runs", "prefect")
"""The folders that a working folder may hold; each must be one that can be written."""
WITHOUT_ANCHORS = {"linear", "CL"}
"""The models that need no vowel in common."""


def corpus_folder(configuration: Configuration, corpus: Corpus, progress: Report | None = None) -> Path:
    """Return the folder of one corpus; the embedded sample is made first if it is not there.

    Raises
    ------
    ConfigurationError
        For a published corpus without ``corpora``.
    StoreError
        If the sample cannot be written.
    """
    if configuration.corpora is not None:
        folder = corpus.folder(configuration.corpora)
        if folder.is_dir() or not corpus.synthetic:
            return folder
    if not corpus.synthetic:
        raise ConfigurationError(
            f"the folder that holds the corpus {corpus.name}",
            "none",
            "pass --corpora DIR (CORPORA=DIR with make); the corpus lies in a folder of its name there",
        )
    sample = configuration.work / "sample"
    ensure_sample(sample, progress)
    return corpus.folder(sample)


def check(configuration: Configuration) -> None:
    """Raise for a corpus, folder, aligner, feature or encoder that is not there.

    Commands call it before they import torch, matplotlib or Prefect: a misspelt name is said at once.
    """
    for name in configuration.corpus_names:
        check_corpus(configuration, corpus_by_name(name, configuration.corpora))
    check_aligners(configuration)
    extractors_of(configuration)


def check_corpus(configuration: Configuration, corpus: Corpus) -> None:
    """Raise where a published corpus has no folder; nothing is read."""
    if corpus.synthetic and (
        configuration.corpora is None or not corpus.folder(configuration.corpora).is_dir()
    ):
        return
    folder = corpus_folder(configuration, corpus)
    if not folder.is_dir():
        named = folder.parent.resolve()
        itself = named.is_dir() and corpus.folder(named.parent) == named  # one folder too deep
        parent = named.parent if itself else "with the folder that holds the corpus folders"
        raise CorpusError(
            f"a folder with recordings of {corpus.name}",
            f"no folder {folder}",
            f"pass --corpora {parent}",
        )


def check_store(configuration: Configuration) -> None:
    """Raise `StoreError` where a store is there and cannot be used, before anything is read."""
    path = configuration.place
    if path.is_dir() and any(path.iterdir()):
        Store.open(path)


def check_writable(work: Path) -> None:
    """Make the working folder; raises `StoreError` where that, or writing into its parts, is impossible."""
    try:
        work.mkdir(parents=True, exist_ok=True)
        for folder in (work, *(work / part for part in PARTS_OF_WORK)):
            if folder.exists():
                with tempfile.TemporaryFile(dir=folder):
                    pass
    except OSError as error:
        raise StoreError(
            "a working folder that can be written",
            f"{error.filename or work} ({error.strerror or error})",
            "make it writable or name another with --work",
        ) from error


def extractors_of(
    configuration: Configuration, names: Sequence[str] | None = None
) -> "tuple[Extractor, ...]":
    """Return the extractors of ``names``, by default those of the build; no weights are loaded."""
    from features.extractor import build_extractors  # brings SciPy and Praat, which not every command needs

    build = configuration.build
    return build_extractors(
        build.features if names is None else names,
        encoder=build.encoder,
        layers=build.layers,
        dtype=build.dtype,
        padding=build.padding,
        mirror=model_mirror(build.mirror),
    )


def model_mirror(named: str | None) -> Path | None:
    """Return the folder of models that the settings or PHONANCHOR_MODELS name, None where neither does."""
    folder = named or variable("PHONANCHOR_MODELS")
    return Path(folder) if folder else None


def ingest_corpus(configuration: Configuration, name: str, progress: Report | None = None) -> Ingested:
    """Read one corpus; only the classes in use are read.

    Raises
    ------
    TooManyQuarantinedError
        If more of it cannot be used than the configuration allows.
    """
    corpus = corpus_by_name(name, configuration.corpora)
    ingested = ingest(
        corpus,
        corpus_folder(configuration, corpus, progress),
        configuration.work / "cache",
        classes=configuration.emotions,
        rehash=configuration.build.rehash,
        forgotten=tombstones_of(configuration),
        progress=_named(progress, f"ingest {name}"),
    )
    check_quarantined({name: ingested}, configuration.build.max_quarantined)
    return ingested


def tombstones_of(configuration: Configuration) -> Tombstones:
    """Return what the store must not take in; nothing where there is no store yet."""
    return read_tombstones(Layout(configuration.place))


def check_classes(ingested: Ingested, experiment: Experiment) -> None:
    """Raise `CorpusError` where a corpus has fewer than two of the classes; no encoding was done yet."""
    present = sorted({experiment.class_of(utterance.emotion) for utterance in ingested.utterances})
    if len(present) < 2:
        raise CorpusError(
            f"at least two of the classes {', '.join(experiment.classes)} in {ingested.corpus}",
            f"only {', '.join(present) or 'none'}",
            "use a corpus with more emotions, or choose other classes",
        )


def open_store(configuration: Configuration) -> Store:
    """Open the store of the working folder, or make it."""
    return Store.create(configuration.place)


def align_corpus(
    configuration: Configuration, store: Store, ingested: Ingested, progress: Report | None = None
) -> AlignedCorpus:
    """Align one corpus; what is aligned already is read from the store."""
    corpus, build = corpus_by_name(ingested.corpus, configuration.corpora), configuration.build
    root = corpus_folder(configuration, corpus)
    aligner = build.aligners.get(corpus.name, build.aligner)
    return align(
        store,
        ingested.corpus,
        ingested.utterances,
        loader(root),
        aligner=aligner,
        retrain=build.retrain,
        textgrids=alignment_folder(configuration, corpus, aligner),
        tier=build.tier,
        mfa_model=given_mfa(configuration, corpus.name),
        workers=build.workers,
        gate=build.thresholds(),
        progress=_named(progress, f"align {ingested.corpus}"),
    )


def needs_alignment(configuration: Configuration, *, for_training: bool) -> bool:
    """Return whether a build aligns: where training, a feature or the settings ask for it."""
    if for_training or configuration.build.align:
        return True
    return any("alignment" in extractor.spec.uses for extractor in extractors_of(configuration))


def alignment_folder(configuration: Configuration, corpus: Corpus, aligner: str) -> Path | None:
    """Return where the alignments made elsewhere lie: as the settings say, else in the corpus (hand only)."""
    named = configuration.build.alignments.get(corpus.name)
    if named is not None:
        return Path(named)
    return hand_labels(corpus_folder(configuration, corpus)) if aligner == "hand" else None


def given_mfa(configuration: Configuration, corpus: str) -> MfaModel | None:
    """Return the model and dictionary that the settings name for a corpus, None where they name neither."""
    build = configuration.build
    model, dictionary = build.mfa_models.get(corpus), build.mfa_dictionaries.get(corpus)
    if model is None and dictionary is None:
        return None
    if model is None or dictionary is None:
        raise ConfigurationError(
            f"an MFA model and its dictionary for {corpus}",
            "only one of the two",
            "name both, in mfa_models and mfa_dictionaries of [build]",
        )
    return given_model(Path(model).expanduser(), Path(dictionary).expanduser())


def check_aligners(configuration: Configuration) -> None:
    """Raise `ConfigurationError` where the settings name an aligner or a corpus that there is not."""
    build = configuration.build
    for corpus in (*build.aligners, *build.alignments, *build.mfa_models, *build.mfa_dictionaries):
        corpus_by_name(corpus, configuration.corpora)
        given_mfa(configuration, corpus)
    for aligner in (build.aligner, *build.aligners.values()):
        check_aligner(aligner)


def loader(root: Path) -> Load:
    """Return what gives the mono samples at COMMON_RATE of the utterances of the corpus in ``root``."""
    return partial(_load, root)


def _load(root: Path, utterance: Utterance) -> NDArray[np.float32]:
    return audio.load(root / utterance.path, COMMON_RATE)


def check_vowels(configuration: Configuration, aligned: Mapping[str, AlignedCorpus]) -> None:
    """Raise `TrainingError` where the corpora share no vowel and a model needs one: found before encoding."""
    experiment = configuration.experiment
    if set(experiment.models) - WITHOUT_ANCHORS:
        check_common_vowels(
            vowels_of(aligned[experiment.source]), vowels_of(aligned[experiment.target]), experiment.groups
        )


def vowels_of(aligned: AlignedCorpus) -> set[str]:
    """Return the shared vowels that occur in a corpus."""
    return {phone.vowel for row in aligned.alignments for phone in row.phones if phone.vowel is not None}


def put_alignments(store: Store, aligned: AlignedCorpus) -> str:
    """Store the alignments of a corpus and return their digest; the same rows have the same digest."""
    return store.put_alignments(aligned.corpus, aligned.identity, aligned.alignments, aligned.unaligned)


def _named(progress: Report | None, name: str) -> Report | None:
    """Return the report with the corpus beside the stage's own name, so that each has its own bar."""
    if progress is None:
        return None
    report, corpus = progress, name.split(" ", 1)[1]
    return lambda stage, done, total: report(f"{stage} {corpus}", done, total)
