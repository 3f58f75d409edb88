"""What the commands that train do: run the flow, or write a report anew, and print where the results lie."""

from dataclasses import replace
from pathlib import Path

from flows import prefect_home, results, stages
from flows.build_commands import check_summary, prepare, say, say_summary
from flows.configuration import Configuration, load
from flows.extraction import features_of
from flows.frames import check_frames, experiment_of
from flows.results import RunFolder
from store.catalogue import Store
from store.feature_store import FeatureStore
from training.reports.reread import read_outcome, read_stamp


def train_crosslingual(configuration: Configuration, summary: Path | None = None) -> None:
    """Run the flow "train-crosslingual"; print what it did and where the results lie, below the table."""
    check_summary(summary)
    check_frames(configuration)
    prepare(configuration)
    with prefect_home.server(configuration.work) as answering:
        from flows.train import train_crosslingual as flow  # Prefect reads its environment on import

        answering()
        run = flow(configuration.model_dump(mode="json"))
    if run.summary is not None:
        say_summary(run.summary, summary)
    say_run(run.folder)


def train_only(configuration: Configuration) -> None:
    """Train on the newest snapshot as it is."""
    Store.open(configuration.place)
    stages.check_writable(configuration.work)
    with prefect_home.server(configuration.work) as answering:
        from flows.train import train_on_snapshot  # see train_crosslingual

        answering()
        run = train_on_snapshot(configuration.model_dump(mode="json"))
    say_run(run.folder)


def report_again(work: Path, run_id: str | None) -> None:
    """Write the page and the figures of a run anew, from its own tables; nothing is trained."""
    folder = results.find_run(work, run_id)
    configuration = load(folder / "configuration.json", top={"work": work})
    store = Store.open(configuration.place)
    made = features_of(store, store.resolve(results.snapshot_of(folder)))
    features = replace(made, skipped=results.left_out_before_training(folder))
    outcome = read_outcome(
        folder, FeatureStore.open(features.store, features.snapshot), experiment_of(configuration)
    )
    page = results.write_page(folder, configuration, features, outcome, read_stamp(folder))
    say(f"report       {page}")


def say_run(run: RunFolder | None) -> None:
    """Print where a run left its results."""
    if run is not None:
        say(f"result rows  {run.rows}")
        say(f"figures      {run.figures}")
        say(f"report       {run.report}")
