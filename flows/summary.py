"""What one run did, as a record: by corpus, by feature, what was left out, and how long each stage took."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter

from flows.extraction import Extracted
from pipeline.align import AlignedCorpus
from pipeline.corpora.layout import SELECTION
from pipeline.corpora.published import published
from pipeline.ingest import Ingested
from pipeline.tally import BuildReport, SpecReport
from store.atomic import write_text
from store.records import Skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusSummary:
    """One corpus: usable recordings and their hours; what was read or aligned, and what was known already.

    ``files_known`` are known by size and modification time; ``aligned`` and ``alignments_kept`` are None
    where nothing in the run needed alignments. ``found`` counts the recordings of all emotions in the folder,
    unusable ones too; ``published`` is how many there should be, where that is known and they are fewer.
    """

    corpus: str
    recordings: int
    hours: float
    files_read: int
    files_known: int
    aligned: int | None
    alignments_kept: int | None
    found: int
    published: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSummary:
    """One feature: row blocks (one a recording), what the computed ones took, and what they wrote.

    ``seconds`` of computing are summed over workers; ``x_real_time`` is seconds of audio by them, thus the
    speed on one worker (what extractors share, as a spectrum, counts for the first of them), and ``ratio``
    the bytes written by those before compression; both None where nothing was computed.
    """

    feature: str
    spec: str
    kept: int
    computed: int
    rows: int
    seconds: float
    x_real_time: float | None
    bytes_written: int
    ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """How many recordings a stage left out of the snapshot for one reason."""

    stage: str
    corpus: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The training runs of an experiment, and how many of them were finished before."""

    runs: int
    reused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One rebuild, and the training behind it if there was one.

    Row blocks: ``wanted`` of the snapshot are those ``kept`` and those ``computed``; ``dropped`` ones were in
    the snapshot before. Recordings: ``failed`` ones have rows that could not be computed, ``quarantined``
    are those and the files that ingest could not use. ``hours`` are those of all usable recordings,
    ``hours_computed`` of those with something to compute, ``x_real_time`` these by the wall time of
    extracting. ``seconds`` is wall time by stage; ``seconds_decoding`` is summed over workers.
    """

    snapshot: str
    synthetic: bool
    is_new: bool
    nothing_to_do: bool
    wanted: int
    kept: int
    computed: int
    dropped: int
    failed: int
    quarantined: int
    rows_written: int
    bytes_written: int
    ratio: float | None
    hours: float
    hours_computed: float
    x_real_time: float | None
    seconds: Mapping[str, float]
    seconds_decoding: float
    corpora: tuple[CorpusSummary, ...]
    features: tuple[FeatureSummary, ...]
    left_out: tuple[LeftOut, ...]
    trained: Trained | None = None

    def with_training(self, trained: Trained, seconds: Mapping[str, float]) -> "RunSummary":
        """Return the summary of the whole job: with its training runs and the stages behind the rebuild."""
        return replace(self, trained=trained, seconds={**self.seconds, **seconds})

    def to_json(self) -> str:
        """Return all of it as indented JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    def write(self, path: Path) -> None:
        """Write it as JSON, whole or not at all; raises `StoreError` where it cannot be written."""
        write_text(path, self.to_json())


@contextmanager
def timed(seconds: MutableMapping[str, float], stage: str) -> Iterator[None]:
    """Add the wall time of the block to that of its stage."""
    began = perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + perf_counter() - began


def summarise(
    ingested: Mapping[str, Ingested],
    aligned: Mapping[str, AlignedCorpus],
    extracted: Extracted,
    seconds: Mapping[str, float],
) -> RunSummary:
    """Return the summary of a rebuild from what its stages gave; ``seconds`` is their wall time."""
    features, report = extracted.features, extracted.report
    failed = len({row.utterance for row in report.quarantined})
    raw = sum(spec.raw_bytes for spec in report.specs)
    return RunSummary(
        snapshot=features.snapshot,
        synthetic=features.synthetic,
        is_new=extracted.is_new,
        nothing_to_do=not (extracted.is_new or report.computed or failed),
        wanted=report.kept + report.computed,
        kept=report.kept,
        computed=report.computed,
        dropped=extracted.dropped,
        failed=failed,
        quarantined=failed + sum(len(corpus.quarantined) for corpus in ingested.values()),
        rows_written=sum(spec.rows for spec in report.specs),
        bytes_written=report.bytes_written,
        ratio=_quotient(report.bytes_written, raw),
        hours=sum(_hours(corpus) for corpus in ingested.values()),
        hours_computed=report.seconds_audio / 3600,
        x_real_time=_quotient(report.seconds_audio, report.seconds),
        seconds=dict(seconds),
        seconds_decoding=report.seconds_reading,
        corpora=tuple(_corpus(corpus, aligned.get(name)) for name, corpus in ingested.items()),
        features=_features(report),
        left_out=_left_out(features.skipped),
    )


def _corpus(corpus: Ingested, aligned: AlignedCorpus | None) -> CorpusSummary:
    entry = published().get(corpus.corpus)
    expected = (entry.usable or entry.recordings) if entry else None
    wanted = sum(row.stage != SELECTION for row in corpus.excluded)
    found = len(corpus.utterances) + len(corpus.quarantined) + wanted
    return CorpusSummary(
        corpus=corpus.corpus,
        recordings=len(corpus.utterances),
        hours=_hours(corpus),
        files_read=corpus.hashed,
        files_known=corpus.cached,
        aligned=aligned.computed if aligned else None,
        alignments_kept=aligned.reused if aligned else None,
        found=found,
        published=str(expected) if expected and found < expected.low else None,
    )


def _hours(corpus: Ingested) -> float:
    return sum(utterance.seconds for utterance in corpus.utterances) / 3600


def _features(report: BuildReport) -> tuple[FeatureSummary, ...]:
    """Return one line a spec: recordings with the same audio share a block, which counts once."""
    blocks = {(rows.spec, rows.corpus, rows.row_key) for rows in report.obtained}
    there = Counter(spec for spec, _, _ in blocks)
    return tuple(_feature(spec, there[spec.spec]) for spec in report.specs)


def _feature(spec: SpecReport, blocks: int) -> FeatureSummary:
    return FeatureSummary(
        feature=spec.name,
        spec=spec.spec,
        kept=blocks - spec.blocks,
        computed=spec.blocks,
        rows=spec.rows,
        seconds=spec.seconds,
        x_real_time=_quotient(spec.seconds_audio, spec.seconds),
        bytes_written=spec.bytes,
        ratio=_quotient(spec.bytes, spec.raw_bytes),
    )


def _left_out(skipped: Sequence[Skipped]) -> tuple[LeftOut, ...]:
    counts = Counter((row.stage, row.corpus, row.reason) for row in skipped)
    return tuple(
        LeftOut(stage=stage, corpus=corpus, reason=reason, count=count)
        for (stage, corpus, reason), count in sorted(counts.items())
    )


def _quotient(value: float, by: float) -> float | None:
    return value / by if value and by else None
