"""The last stages of the main job as plain functions: train, then write rows, figures and the page."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console

from flows import run_folders
from flows.configuration import Configuration
from flows.extraction import Features
from flows.frames import check_stored_frames, experiment_of
from flows.progress import Report
from flows.remarks import remarks
from flows.vowels import measured_vowels, normalised
from store.atomic import folder_aside, unwritable, write_text
from store.catalogue import Store
from store.digests import short
from store.feature_store import FeatureStore
from store.records import Skipped
from store.tables import read_records, write_records
from training.records import ResultRow
from training.reports.assemble import Measured, measure, report_input, write_results
from training.reports.figures import VowelToken
from training.reports.page import write_report
from training.reports.terminal import result_table
from training.results import Stamp
from training.run import Outcome, RunProgress, run_experiment
from training.saved_runs import code_digest

FORMANTS = "formants"
find_run = run_folders.find_run


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """Where one run left its results."""

    path: Path
    rows: Path
    figures: Path
    report: Path


def training_cache(configuration: Configuration) -> Path:
    """Return where finished training runs are kept, to go on after a kill and to reuse."""
    return configuration.work / "cache" / "training"


def train(configuration: Configuration, features: Features, progress: Report | None = None) -> Outcome:
    """Train and score all systems of the experiment on the snapshot.

    Raises
    ------
    StoreError
        If the snapshot lacks the frames of the experiment.
    """
    experiment = experiment_of(configuration)
    check_stored_frames(experiment, features)
    return run_experiment(
        FeatureStore.open(features.store, features.snapshot),
        experiment,
        progress=_training(progress),
        folder=training_cache(configuration),
    )


def reuse_line(outcome: Outcome) -> str:
    """Return how many training runs were finished before."""
    return f"train: {outcome.reused} of {outcome.runs} runs reused"


def write_run(
    configuration: Configuration, features: Features, outcome: Outcome, console: Console
) -> RunFolder:
    """Write a new run folder, whole or not at all, and print the result table.

    Raises
    ------
    StoreError, TrainingError
        If the folder cannot be written.
    """
    final = _new_folder(configuration)
    stamp = stamp_of(configuration, features)
    measured = measure(outcome, stamp)
    try:
        with folder_aside(final) as folder:
            write_results(folder, outcome, measured.rows)
            write_records(folder / "left_out.parquet", (*features.skipped, *outcome.skipped), Skipped)
            write_text(folder / "configuration.json", configuration.to_json())
            write_page(folder, configuration, features, outcome, stamp)
    except OSError as error:  # the figures are written by matplotlib
        raise unwritable(final, error) from error
    _print_table(console, features, outcome, measured)
    return described(final)


def described(folder: Path) -> RunFolder:
    """Return the paths of what a run left."""
    return RunFolder(
        path=folder,
        rows=folder / "results.parquet",
        figures=folder / "figures",
        report=folder / "report.html",
    )


def snapshot_of(folder: Path) -> str:
    """Return the snapshot that a run read."""
    return read_records(folder / "results.parquet", ResultRow)[0].snapshot


def left_out_before_training(folder: Path) -> tuple[Skipped, ...]:
    """Return what ingest, alignment and extraction left out, as the run's table has it."""
    return tuple(row for row in read_records(folder / "left_out.parquet", Skipped) if row.stage != "train")


def stamp_of(configuration: Configuration, features: Features) -> Stamp:
    """Return what every result row carries."""
    experiment = configuration.experiment
    return Stamp(
        experiment=experiment.name, source=experiment.source, target=experiment.target,
        snapshot=features.snapshot, manifest=features.manifest, configuration=configuration.digest,
        code_version=code_version(), synthetic=features.synthetic,
    )  # fmt: skip


def code_version() -> str:
    """Return the version of the package, and which sources the training runs were made with."""
    try:
        installed = version("phonanchor")
    except PackageNotFoundError:
        installed = "source"
    return f"{installed}, training {short(code_digest())}"


def vowel_tokens(features: Features, outcome: Outcome) -> tuple[VowelToken, ...]:
    """Return the formants of all vowel tokens of both corpora, speakers normalised (Nearey), where stored."""
    if FORMANTS not in features.specs:
        return ()
    store = FeatureStore.open(features.store, features.snapshot)
    return normalised(measured_vowels(store, features.specs[FORMANTS], (*outcome.source, *outcome.target)))


def write_page(
    folder: Path, configuration: Configuration, features: Features, outcome: Outcome, stamp: Stamp
) -> Path:
    """Write the page and the figures of an outcome into ``folder`` and return the path of the page."""
    store = FeatureStore.open(features.store, features.snapshot)
    specs = {f"spec {name}": identity for name, identity in features.specs.items()}
    tables = {f"alignments of {corpus}": identity for corpus, identity in features.alignments.items()}
    content = report_input(
        outcome,
        measure(outcome, stamp),
        stamp,
        title=f"{stamp.source} to {stamp.target}",
        digests={**specs, **tables},
        skipped=features.skipped,
        vowels=vowel_tokens(features, outcome),
        remarks=remarks(
            configuration,
            [store.spec(identity) for identity in features.specs.values()],
            (*outcome.source, *outcome.target),
            Store.open(features.store),
        ),
        configuration=configuration.to_json(),
    )
    return write_report(folder, content)


def _print_table(console: Console, features: Features, outcome: Outcome, measured: Measured) -> None:
    experiment = outcome.experiment
    usage = "paper" if experiment.mode == "paper" else "usual"
    title = f"{experiment.source} to {experiment.target}" + (" (synthetic)" if features.synthetic else "")
    console.print(
        result_table(
            measured.summaries,
            measured.floors,
            title=title,
            synthetic=features.synthetic,
            warning=measured.warning,
            usage=usage,
        )
    )


def _training(progress: Report | None) -> Callable[[RunProgress], None] | None:
    if progress is None:
        return None
    report = progress
    return lambda state: report("train (runs)", state.done, state.total)


def _new_folder(configuration: Configuration) -> Path:
    """Return a run folder that is not there yet, named by time and configuration."""
    began = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    name = f"{began}-{short(configuration.digest)}"
    runs = configuration.work / "runs"
    return next(
        folder
        for number in range(1, 10_000)
        if not (folder := runs / (name if number == 1 else f"{name}-{number}")).exists()
    )
