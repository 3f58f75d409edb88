"""Adds up what finished work items report into progress and the report of a build."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import perf_counter

from pipeline.items import WorkItem
from pipeline.plan import BuildPlan, row_bytes
from pipeline.work import Failure, Receipt, SpecWork, failure
from store.catalogue import WantedRows
from store.records import FeatureSpec, Skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a build is: work items and seconds of audio, finished and planned; failed row blocks."""

    items: int
    of_items: int
    seconds_audio: float
    of_seconds_audio: float
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecReport:
    """What a build did for one spec: row blocks (one a recording), rows, seconds of computing, bytes.

    ``seconds`` are summed over workers, ``seconds_audio`` is the length of the recordings behind the blocks:
    their ratio is the extractor's speed in multiples of real time on one worker. ``raw_bytes`` are those of
    the rows before compression.
    """

    spec: str
    name: str
    blocks: int
    rows: int
    seconds: float
    seconds_audio: float
    bytes: int
    raw_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a build kept and did. ``kept`` and ``computed`` count row blocks, one for each recording and spec.

    ``quarantined`` lists what failed here, ``unavailable`` what could not be wanted (such as segments without
    an alignment); ``seconds_reading`` is decoding and resampling, summed over workers like each spec's
    seconds, while ``seconds`` is wall time. ``obtained`` are the wanted rows that the store now holds.
    """

    kept: int
    computed: int
    quarantined: tuple[Skipped, ...]
    unavailable: tuple[Skipped, ...]
    bytes_written: int
    seconds_audio: float
    seconds_reading: float
    seconds: float
    specs: tuple[SpecReport, ...]
    obtained: tuple[WantedRows, ...]


@dataclass(slots=True)
class Tally:
    """The receipts of one build so far."""

    plan: BuildPlan
    began: float = field(default_factory=perf_counter)
    items: int = 0
    seconds_audio: float = 0.0
    seconds_reading: float = 0.0
    work: dict[str, list[SpecWork]] = field(default_factory=dict)
    failures: dict[tuple[str, str], Failure] = field(default_factory=dict)  # by (corpus, row key)

    def add(self, corpus: str, receipt: Receipt) -> None:
        """Count a finished work item."""
        self.items += 1
        self.seconds_audio += receipt.seconds_audio
        self.seconds_reading += receipt.seconds_reading
        for done in receipt.work:
            self.work.setdefault(done.spec, []).append(done)
        self.failures.update({(corpus, failed.row_key): failed for failed in receipt.failures})

    def give_up(self, item: WorkItem, reason: str) -> None:
        """Count a work item whose every task failed for the same reason."""
        self.items += 1
        self.failures.update({(item.corpus, task.row_key): failure(task, reason) for task in item.tasks})

    def progress(self) -> Progress:
        """Return how far the build is."""
        return Progress(
            items=self.items,
            of_items=len(self.plan.items),
            seconds_audio=self.seconds_audio,
            of_seconds_audio=self.plan.seconds,
            failures=len(self.failures),
        )

    def report(self, paths: Mapping[str, str]) -> BuildReport:
        """Return the report of the finished build; ``paths`` are the files by utterance id."""
        wanted = self.plan.wanted
        missing = [(rows, self.failures.get((rows.corpus, rows.row_key))) for rows in wanted]
        specs = tuple(self._spec_report(spec) for spec in self.plan.specs)
        return BuildReport(
            kept=self.plan.kept,
            computed=sum(spec.blocks for spec in specs),
            quarantined=_quarantined(missing, paths),
            unavailable=self.plan.unavailable,
            bytes_written=sum(spec.bytes for spec in specs),
            seconds_audio=self.seconds_audio,
            seconds_reading=self.seconds_reading,
            seconds=perf_counter() - self.began,
            specs=specs,
            obtained=tuple(rows for rows, failed in missing if failed is None),
        )

    def _spec_report(self, spec: FeatureSpec) -> SpecReport:
        work = self.work.get(spec.digest, [])
        rows = sum(done.rows for done in work)
        return SpecReport(
            spec=spec.digest,
            name=spec.name,
            blocks=sum(done.blocks for done in work),
            rows=rows,
            seconds=sum(done.seconds for done in work),
            seconds_audio=sum(done.seconds_audio for done in work),
            bytes=sum(done.bytes for done in work),
            raw_bytes=rows * row_bytes(spec),
        )


def _quarantined(
    missing: Iterable[tuple[WantedRows, Failure | None]], paths: Mapping[str, str]
) -> tuple[Skipped, ...]:
    """Return one row for each utterance and reason, in order of ids."""
    rows = {
        (rows.utterance, failed.reason): Skipped(
            utterance=rows.utterance,
            corpus=rows.corpus,
            path=paths.get(rows.utterance, ""),
            stage="extract",
            reason=failed.reason,
        )
        for rows, failed in missing
        if failed is not None
    }
    return tuple(rows[key] for key in sorted(rows))
