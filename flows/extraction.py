"""The stage that computes features: the missing rows of all corpora, the snapshot, and what was done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from features.extractor import Extractor
from flows.configuration import Configuration
from flows.guards import check_quarantined, check_space
from flows.progress import OF_AUDIO, Report
from flows.stages import corpus_folder, extractors_of, put_alignments
from pipeline.align import AlignedCorpus
from pipeline.build import BuildInputs, rebuild
from pipeline.corpora.corpus import corpus_by_name
from pipeline.ingest import Ingested
from pipeline.plan import BuildPlan
from pipeline.tally import BuildReport, Progress
from store.catalogue import Commit, Store
from store.digests import Json
from store.errors import StoreError
from store.records import Skipped
from store.snapshots import read_index, read_parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What a rebuild left: the snapshot, and what was left out on the way.

    ``specs`` gives the digest of each spec by name, ``alignments`` that of each alignment table by corpus.
    """

    store: Path
    snapshot: str
    manifest: str
    skipped: tuple[Skipped, ...]
    specs: Mapping[str, str]
    alignments: Mapping[str, str]
    synthetic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What extracting did; ``dropped`` row blocks were in the snapshot before and are not in this one."""

    features: Features
    report: BuildReport
    is_new: bool
    dropped: int


def extract(
    configuration: Configuration,
    store: Store,
    ingested: Mapping[str, Ingested],
    aligned: Mapping[str, AlignedCorpus],
    progress: Report | None = None,
) -> Extracted:
    """Compute the missing rows of both corpora and commit the snapshot; no change, nothing written."""
    utterances = tuple(row for corpus in ingested.values() for row in corpus.utterances)
    skipped = tuple(row for corpus in ingested.values() for row in (*corpus.quarantined, *corpus.excluded))
    manifest = store.put_manifest(utterances, skipped)
    tables = {name: put_alignments(store, corpus) for name, corpus in aligned.items()}
    extractors = extractors_of(configuration)
    inputs = BuildInputs(
        utterances=utterances,
        alignments={row.utterance: row for corpus in aligned.values() for row in corpus.alignments},
        roots={
            name: corpus_folder(configuration, corpus_by_name(name, configuration.corpora))
            for name in ingested
        },
        manifest=manifest,
        alignment_tables=tables,
        lineage=_lineage(manifest, tables, aligned, extractors),
    )
    before = store.head()
    rebuilt = rebuild(
        store,
        inputs,
        extractors,
        workers=configuration.build.workers,
        scheduler=configuration.build.scheduler,
        progress=_building(progress),
        announce=print if configuration.build.scheduler or find_spec("bokeh") else None,
        planned=partial(_planned, store.path, progress),
        accept=partial(check_quarantined, ingested, configuration.build.max_quarantined),
    )
    report, commit = rebuilt.report, rebuilt.commit
    found = features_of(store, commit)
    # An utterance without an alignment is listed once, by the stage that knows why.
    known = {row.utterance for row in found.skipped}
    failed = (row for row in (*report.quarantined, *report.unavailable) if row.utterance not in known)
    is_new = before is None or commit.number != before.number
    return Extracted(
        features=replace(found, skipped=(*found.skipped, *failed)),
        report=report,
        is_new=is_new,
        dropped=len(_listed(store, before) - _listed(store, commit)) if is_new else 0,
    )


def _planned(path: Path, progress: Report | None, plan: BuildPlan) -> None:
    """Refuse a plan that does not fit, and show its stage: workers and encoders take a while to start."""
    check_space(path, plan)
    if progress is not None and plan.items:
        progress(f"extract{OF_AUDIO}", 0, round(plan.seconds))


def _listed(store: Store, commit: Commit | None) -> set[tuple[str, str, str]]:
    """Return spec, utterance and row key of all that a snapshot lists; nothing where its index is damaged."""
    try:
        parts = read_parts(store.layout, commit.snapshot) if commit else ()
        return {
            (part.spec, row.utterance, row.row_key)
            for part in parts
            for row in read_index(store.layout, commit.snapshot if commit else "", part)
        }
    except StoreError:
        return set()


def _lineage(
    manifest: str,
    tables: Mapping[str, str],
    aligned: Mapping[str, AlignedCorpus],
    extractors: Sequence[Extractor],
) -> dict[str, Json]:
    """Return what a snapshot was made of: manifest, alignment tables and who aligned, specs and weights."""
    return {
        "manifest": manifest,
        "alignments": {
            name: {"table": tables[name], "aligner": corpus.aligner, "identity": corpus.identity}
            for name, corpus in aligned.items()
        },
        "specs": {
            item.spec.name: {
                "digest": item.spec.digest,
                "weights": item.spec.params.get("weights"),
                "model": getattr(item, "source", None),
            }
            for item in extractors
        },
    }


def features_of(store: Store, commit: Commit) -> Features:
    """Return what a commit holds."""
    specs = {store.spec(digest).name: digest for digest in commit.specs}
    utterances = store.manifest(commit.manifest)
    unaligned = tuple(row for table in commit.alignments for row in store.unaligned(table))
    return Features(
        store=store.path,
        snapshot=commit.snapshot,
        manifest=commit.manifest,
        skipped=(*store.skipped(commit.manifest), *unaligned),
        specs=specs,
        alignments={_corpus_of(store, table): table for table in commit.alignments},
        synthetic=any(utterance.synthetic for utterance in utterances),
    )


def _corpus_of(store: Store, table: str) -> str:
    """Return the corpus of an alignment table."""
    rows = store.alignments(table)
    return rows[0].utterance.split("/", 1)[0] if rows else table[:12]


def _building(progress: Report | None) -> Callable[[Progress], None] | None:
    """Return the build's progress as seconds of audio, so that the rate is the multiple of real time."""
    if progress is None:
        return None
    report = progress
    return lambda state: report(
        f"extract{OF_AUDIO}", round(state.seconds_audio), round(state.of_seconds_audio)
    )
