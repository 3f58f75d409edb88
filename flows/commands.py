"""What the commands that need Prefect do: set up its home, run a flow, and say what came of it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from flows import prefect_home, results, stages
from flows.configuration import Configuration, load
from flows.progress import shown
from flows.stages import Features
from pipeline.corpora.corpus import corpus_by_name
from store.catalogue import Store
from store.digests import short


def build_features(configuration: Configuration) -> None:
    """Run the flow "rebuild-features" and say what was done, or that there was nothing to do."""
    prepare(configuration)
    from flows.rebuild import (
        rebuild_features,
    )  # Prefect reads its environment on import, so it comes after prepare

    say_features(rebuild_features(configuration.model_dump(mode="json")).made)


def train_crosslingual(configuration: Configuration) -> None:
    """Run the flow "train-crosslingual", and print where the results lie below the table."""
    prepare(configuration)
    from flows.train import train_crosslingual as flow  # see build_features

    run = flow(configuration.model_dump(mode="json"))
    say_features(run.features)
    say_run(run.folder)


def prepare(configuration: Configuration) -> None:
    """Find every fault that can be found at once, before anything starts, and give Prefect its home."""
    experiment = configuration.experiment
    for name in (experiment.source, experiment.target):
        stages.check_corpus(configuration, corpus_by_name(name))
    stages.extractors_of(configuration)
    stages.check_writable(configuration.work)
    stages.check_store(configuration)
    prefect_home.prepare(configuration.work)


def train_only(configuration: Configuration) -> None:
    """Train on the newest snapshot as it is."""
    stages.check_writable(configuration.work)
    stages.check_store(configuration)
    prefect_home.prepare(configuration.work)
    from flows.train import train_on_snapshot  # see build_features

    say_run(train_on_snapshot(configuration.model_dump(mode="json")).folder)


def report_again(work: Path, run_id: str | None) -> None:
    """Write the page and the figures of a run anew, from the snapshot and training runs it was made of."""
    folder = results.find_run(work, run_id)
    configuration = load(folder / "configuration.json", top={"work": work})
    store = Store.open(work / "store")
    made = stages.features_of(configuration, store, store.resolve(results.snapshot_of(folder)))
    features = replace(made, skipped=results.left_out_before_training(folder))
    with shown(Console()) as progress:
        outcome = results.train(configuration, features, progress)
    print_path("report", results.rewrite_report(configuration, features, outcome, folder))


def serve_schedule(configuration: Configuration, cron: str, every: float | None) -> None:
    """Serve the flow "rebuild-features" on a schedule until Ctrl-C."""
    prepare(configuration)
    placed = resolved(configuration)
    with prefect_home.server(configuration.work) as address:
        from flows.deployments import schedule_of, serve  # see build_features

        schedule = schedule_of(cron, every)
        when = f"every {every:g} s" if every is not None else f"at '{cron}' (UTC)"
        Console().print(f"rebuild-features runs {when}; server {address}; Ctrl-C stops it", markup=False)
        serve(placed, schedule)


def resolved(configuration: Configuration) -> Configuration:
    """Return the configuration with absolute folders: scheduled runs start elsewhere."""
    corpora = configuration.corpora.resolve() if configuration.corpora else None
    encoder = configuration.build.encoder
    if Path(encoder).expanduser().is_dir():
        encoder = str(Path(encoder).expanduser().resolve())
    build = configuration.build.model_copy(update={"encoder": encoder})
    return configuration.model_copy(
        update={"work": configuration.work.resolve(), "corpora": corpora, "build": build}
    )


def say_features(features: Features) -> None:
    """Print what the rebuild did, and what it left out, with reasons and counts."""
    console = Console()
    counts = Counter((row.stage, row.corpus, row.reason) for row in features.skipped)
    for (stage, corpus, reason), count in sorted(counts.items()):
        console.print(
            f"left out by {stage}: {count} of {corpus}: {reason}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    mark = " (SYNTHETIC sample)" if features.synthetic else ""
    if features.is_new or features.computed:
        done = f"computed {features.computed} row blocks, kept {features.kept}"
    else:
        done = f"nothing to do: all {features.kept} row blocks are there"
    console.print(
        f"snapshot {short(features.snapshot)}{mark}: {done}", markup=False, highlight=False, soft_wrap=True
    )


def say_run(run: results.RunFolder | None) -> None:
    """Print where a run left its results."""
    if run is not None:
        print_path("result rows", run.rows)
        print_path("figures", run.figures)
        print_path("report", run.report)


def print_path(what: str, path: Path) -> None:
    """Print a path on one line, whole, so that it can be copied."""
    Console().print(f"{what:<12} {path}", markup=False, highlight=False, soft_wrap=True)
