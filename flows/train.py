"""The Prefect flow "train-crosslingual": rebuild the features, train, write the report."""

from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from rich.console import Console

from flows import results
from flows.build_commands import say
from flows.configuration import Configuration, validated
from flows.extraction import Features, features_of
from flows.progress import shown
from flows.rebuild import publish, rebuild_features
from flows.results import RunFolder
from flows.summary import RunSummary, Trained, timed
from store.catalogue import Store
from training.run import Outcome


class Run:
    """What the tasks of one run hand to each other; a plain object, see `flows.rebuild.Bench`."""

    def __init__(self, configuration: Configuration, features: Features) -> None:
        self.configuration, self.features = configuration, features
        self.outcome: Outcome | None = None
        self.folder: RunFolder | None = None
        self.seconds: dict[str, float] = {}
        self.rebuilt: RunSummary | None = None

    @property
    def summary(self) -> RunSummary | None:
        """What the whole job did; None where it did not look at the corpora."""
        if self.rebuilt is None or self.outcome is None:
            return self.rebuilt
        trained = Trained(runs=self.outcome.runs, reused=self.outcome.reused)
        return self.rebuilt.with_training(trained, self.seconds)


@task(name="train", cache_policy=NO_CACHE, persist_result=False)
def train(run: Run) -> None:
    """Train and score every system."""
    with timed(run.seconds, "train"), shown(Console()) as progress:
        run.outcome = results.train(run.configuration, run.features, progress)
    say(results.reuse_line(run.outcome))


@task(name="report", cache_policy=NO_CACHE, persist_result=False)
def report(run: Run) -> None:
    """Write rows, figures and page, and print the table."""
    if run.outcome is not None:
        with timed(run.seconds, "report"):
            run.folder = results.write_run(run.configuration, run.features, run.outcome, Console())


@flow(name="train-crosslingual", validate_parameters=False, persist_result=False)
def train_crosslingual(configuration: dict[str, Any]) -> Run:
    """Run the main job of a configuration (as JSON) and return its `Run`."""
    bench = rebuild_features(configuration, for_training=True)
    run = Run(validated(configuration), bench.made.features)
    run.rebuilt = bench.summary
    train(run)
    report(run)
    if run.summary is not None:
        publish(run.summary)
    return run


@flow(name="train-on-snapshot", validate_parameters=False, persist_result=False)
def train_on_snapshot(configuration: dict[str, Any]) -> Run:
    """Train on the newest snapshot of the store, without looking at the corpora, and return the `Run`."""
    settings = validated(configuration)
    store = Store.open(settings.place)
    run = Run(settings, features_of(store, store.resolve(None)))
    train(run)
    report(run)
    return run
