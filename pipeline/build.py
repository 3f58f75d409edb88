"""Plans a build, has its jobs carried out and commits the result."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from features.extractor import Extractor
from pipeline.cluster import Announce, Runner, one_by_one, runner
from pipeline.items import Limits, WorkItem
from pipeline.jobs import Bench, BuildInputs
from pipeline.plan import BuildPlan, plan
from pipeline.tally import BuildReport, Progress, Tally
from pipeline.work import Job
from store.catalogue import Commit, Store, StoreWriter
from store.tombstones import read_tombstones

__all__ = ["BuildInputs", "BuildReport", "Progress", "Rebuilt", "build", "plan_build", "rebuild"]

Planned = Callable[[BuildPlan], None]
"""Sees the plan before any work; an error that it raises ends the build."""

Accept = Callable[[BuildReport], None]
"""Sees the report before the commit; an error that it raises leaves the commit out."""

ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """A finished rebuild: the commit and what led to it."""

    commit: Commit
    report: BuildReport


def rebuild(
    store: Store,
    inputs: BuildInputs,
    extractors: Sequence[Extractor],
    *,
    workers: int = 0,
    scheduler: str | None = None,
    progress: ProgressCallback | None = None,
    limits: Limits | None = None,
    announce: Announce | None = None,
    planned: Planned | None = None,
    accept: Accept | None = None,
) -> Rebuilt:
    """Plan, compute what is missing, and commit a snapshot of the inputs; the store is held exclusively.

    Rows that cannot be computed are left out of the snapshot and listed in the report. Where nothing is
    missing, no worker starts. A run that was killed goes on where it stopped: finished work items stay.
    ``planned`` and ``accept`` may refuse, by raising, before the work and before the commit.

    Raises
    ------
    ConfigurationError
        If a corpus has no folder, a derived feature lacks its parent, or the scheduler cannot be reached.
    StoreError
        If another build holds the store, the store cannot be read or written, or it forgot some of the
        utterances on request after they were ingested.
    ExtractionError
        If the scheduler goes away.
    """
    with store.writer() as writer:
        read_tombstones(store.layout).refuse(inputs.utterances)  # ingested before somebody was forgotten
        report = build(
            store,
            writer,
            inputs,
            extractors,
            workers=workers,
            scheduler=scheduler,
            progress=progress,
            limits=limits,
            announce=announce,
            planned=planned,
        )
        if accept is not None:
            accept(report)
        commit = writer.commit(
            manifest=inputs.manifest,
            alignments=inputs.alignment_tables,
            wanted=report.obtained,
            lineage=inputs.lineage,
        )
    return Rebuilt(commit=commit, report=report)


def build(
    store: Store,
    writer: StoreWriter,
    inputs: BuildInputs,
    extractors: Sequence[Extractor],
    *,
    workers: int = 0,
    scheduler: str | None = None,
    progress: ProgressCallback | None = None,
    limits: Limits | None = None,
    announce: Announce | None = None,
    planned: Planned | None = None,
) -> BuildReport:
    """Compute the missing rows of ``inputs`` into the store, without committing; see `rebuild`.

    ``workers`` is the most worker processes to start, 0 for this process; ``scheduler``, the address of a
    running Dask scheduler, takes their place: its workers must see the store and the corpora under the same
    paths. ``announce`` is told where either can be watched.
    """
    work = plan_build(writer, inputs, extractors, limits=limits)
    if planned is not None:
        planned(work)
    tally = Tally(work)
    if work.items:
        bench = Bench(store, writer, inputs, _in_order(extractors, work))
        with runner(min(workers, len(work.items)), scheduler, announce, bench.extractors) as run:
            died = _carry_out(bench.jobs(work.items), run, tally, progress)
            # An innocent item may have waited on the worker that a fatal one killed, and Dask blames both:
            # each recording is tried alone, with nothing else on the cluster.
            alone = [WorkItem(corpus=i.corpus, recordings=(r,)) for i in died for r in i.recordings]
            for item in _carry_out(bench.jobs(alone), one_by_one(run), tally, None):
                tally.give_up(item, "the worker process died on this recording")
    return tally.report({utterance.id: utterance.path for utterance in inputs.utterances})


def plan_build(
    writer: StoreWriter, inputs: BuildInputs, extractors: Sequence[Extractor], *, limits: Limits | None = None
) -> BuildPlan:
    """Return the plan of ``inputs`` against what the store holds."""
    specs = [extractor.spec for extractor in extractors]
    corpora = sorted({utterance.corpus for utterance in inputs.utterances})
    placed = {(spec.digest, corpus): writer.placed(spec, corpus) for spec in specs for corpus in corpora}
    return plan(inputs.utterances, inputs.alignments, specs, placed, limits=limits)


def _carry_out(
    jobs: Iterable[Job], run: Runner, tally: Tally, progress: ProgressCallback | None
) -> list[WorkItem]:
    """Run jobs, longest first so that workers end together; return the items that killed a worker."""
    died = []
    for job, receipt in run(sorted(jobs, key=lambda job: -job.item.seconds)):
        if receipt is None:
            died.append(job.item)
            continue
        tally.add(job.item.corpus, receipt)
        if progress is not None:
            progress(tally.progress())
    return died


def _in_order(extractors: Sequence[Extractor], planned: BuildPlan) -> tuple[Extractor, ...]:
    by_digest = {extractor.spec.digest: extractor for extractor in extractors}
    return tuple(by_digest[spec.digest] for spec in planned.specs)
