"""The Prefect flow "rebuild-features": ingest and align each corpus, extract, commit, verify; wiring only."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from rich.console import Console

from flows import extraction, stages
from flows.announce import failures_announced
from flows.build_commands import say, say_summary
from flows.configuration import Configuration, validated
from flows.progress import Report, shown
from flows.summary import RunSummary, summarise, timed
from flows.summary_text import markdown
from flows.verified import verify_once
from pipeline.align import AlignedCorpus
from pipeline.ingest import Ingested
from store.catalogue import Store

ARTIFACT = "summary"
"""The key under which Prefect keeps the summary of each run."""


class Bench:
    """What the tasks of one run hand to each other.

    A plain object on purpose: Prefect walks through every field of dataclasses and containers that pass
    between tasks, which takes longer than the work when they hold thousands of records.
    """

    def __init__(self, configuration: Configuration, report: Report, *, for_training: bool) -> None:
        self.configuration, self.report, self.for_training = configuration, report, for_training
        self.ingested: dict[str, Ingested] = {}
        self.aligned: dict[str, AlignedCorpus] = {}
        self._store: Store | None = None
        self.extracted: extraction.Extracted | None = None
        self.seconds: dict[str, float] = {}

    @property
    def opened(self) -> Store:
        """The store, which is made where there is none; not before the corpora could be read."""
        self._store = self._store or stages.open_store(self.configuration)
        return self._store

    @property
    def made(self) -> extraction.Extracted:
        """What was extracted, after the flow."""
        if self.extracted is None:
            raise RuntimeError("the features are made by the extract task")
        return self.extracted

    @property
    def summary(self) -> RunSummary:
        """What the flow did, after it."""
        return summarise(self.ingested, self.aligned, self.made, self.seconds)

    @property
    def corpora(self) -> tuple[str, ...]:
        """The names of the corpora, each once."""
        return tuple(dict.fromkeys(self.configuration.corpus_names))


@task(name="ingest", cache_policy=NO_CACHE, persist_result=False)
def ingest(bench: Bench, corpus: str) -> None:
    """Read one corpus."""
    bench.ingested[corpus] = stages.ingest_corpus(bench.configuration, corpus, bench.report)
    if bench.for_training:
        stages.check_classes(bench.ingested[corpus], bench.configuration.experiment)


@task(name="align", cache_policy=NO_CACHE, persist_result=False)
def align(bench: Bench, corpus: str) -> None:
    """Align one corpus."""
    bench.aligned[corpus] = stages.align_corpus(
        bench.configuration, bench.opened, bench.ingested[corpus], bench.report
    )


@task(name="extract and commit", cache_policy=NO_CACHE, persist_result=False)
def extract(bench: Bench) -> None:
    """Compute what is missing and commit the snapshot."""
    if bench.for_training:
        stages.check_vowels(bench.configuration, bench.aligned)
    bench.extracted = extraction.extract(
        bench.configuration, bench.opened, bench.ingested, bench.aligned, bench.report
    )


@task(name="verify", cache_policy=NO_CACHE, persist_result=False)
def verify(bench: Bench) -> None:
    """Read back what is new, or was never verified to the end, and check it."""
    made = bench.made
    changed = made.is_new or made.report.computed > 0
    snapshot = made.features.snapshot
    verify_once(bench.configuration.work, bench.opened, snapshot, bench.report, changed=changed)


@flow(name="rebuild-features", validate_parameters=False, persist_result=False, log_prints=False)
def rebuild_features(
    configuration: dict[str, Any], for_training: bool = False, scheduled: bool = False
) -> Bench:
    """Bring the store up to date with both corpora of a configuration (as JSON); return the `Bench`.

    Where it is ``scheduled``, no command stands behind it: it says itself what it did, or why it failed.
    """
    announced: AbstractContextManager[None] = failures_announced() if scheduled else nullcontext()
    with announced:
        bench = _rebuild(validated(configuration), for_training=for_training)
    publish(bench.summary)
    if scheduled:
        say_summary(bench.summary)
    return bench


def publish(summary: RunSummary) -> None:
    """Keep a summary with the flow run, as an artifact that Prefect's pages show."""
    create_markdown_artifact(markdown(summary), key=ARTIFACT, description="What the run did")


def _rebuild(configuration: Configuration, *, for_training: bool) -> Bench:
    with shown(Console()) as report:
        bench = Bench(configuration, report, for_training=for_training)
        with timed(bench.seconds, "ingest"):
            for corpus in bench.corpora:
                ingest(bench, corpus)
        with timed(bench.seconds, "align"):
            aligns = stages.needs_alignment(configuration, for_training=for_training)
            for corpus in bench.corpora if aligns else ():
                align(bench, corpus)
        with timed(bench.seconds, "extract"):
            extract(bench)
        with timed(bench.seconds, "verify"):
            verify(bench)
    for corpus, aligned in bench.aligned.items():
        for note in aligned.notes:
            say(f"{corpus}: {note}")
    return bench
