"""The command `align`: the phones of one corpus with their times, in the store and as a table."""

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from rich.console import Console

from flows import stages
from flows.configuration import Configuration, load
from flows.progress import shown
from pipeline.align import AlignedCorpus, Cost
from pipeline.corpora.corpus import corpus_by_name
from pipeline.ingest import ingest
from store.atomic import write_bytes
from store.digests import short
from store.errors import ConfigurationError
from store.records import Alignment
from store.vocabulary import COMMON_RATE

COLUMNS = ("utterance", "phone", "start_s", "end_s", "score")


@dataclass(frozen=True, kw_only=True)
class AlignRequest:
    """The options of the command."""

    corpus: str
    corpora: Path | None
    aligner: str | None
    textgrids: Path | None
    tier: str | None
    mfa_model: Path | None
    mfa_dictionary: Path | None
    export: Path | None
    report: Path | None
    utterances: tuple[str, ...]
    workers: int | None
    retrain: bool
    rehash: bool
    config: Path | None
    assignments: tuple[str, ...]
    work: Path | None


def run_align(request: AlignRequest) -> None:
    """Align a corpus, whatever its emotions, and write the table if one is asked for."""
    if request.export is not None and request.export.suffix not in (".parquet", ".csv"):
        raise ConfigurationError(
            "a file that ends in .parquet or .csv", str(request.export), "name the export after its format"
        )
    if request.report is not None and request.report.suffix != ".html":
        raise ConfigurationError("a file that ends in .html", str(request.report), "name the page so")
    if request.utterances and request.report is None:
        raise ConfigurationError("--report with --utterance", "no --report", "add --report FILE.html")
    configuration = _configuration(request)
    corpus = corpus_by_name(request.corpus, configuration.corpora)
    _check_options(request, configuration.build.aligners.get(corpus.name, configuration.build.aligner))
    stages.check_aligners(configuration)
    stages.check_corpus(configuration, corpus)
    stages.check_writable(configuration.work)
    stages.check_store(configuration)
    with shown(Console(stderr=True)) as progress:
        root = stages.corpus_folder(configuration, corpus, progress)
        cache = configuration.work / "cache"
        ingested = ingest(
            corpus,
            root,
            cache,
            rehash=configuration.build.rehash,
            forgotten=stages.tombstones_of(configuration),
            progress=progress,
        )
        store = stages.open_store(configuration)
        aligned = stages.align_corpus(configuration, store, ingested, progress)
    identifier = stages.put_alignments(store, aligned)
    if request.report is not None:
        from flows.alignment_report import write_alignment_report  # Matplotlib takes a second to load

        write_alignment_report(
            request.report, aligned, ingested.utterances, stages.loader(root), request.utterances
        )
    _say(request, aligned, identifier, len(ingested.quarantined))


def export_table(alignments: Sequence[Alignment]) -> pa.Table:
    """Return one row a phone: utterance (stem), phone (IPA, empty for silence), start_s, end_s, score."""
    rows = [
        (
            row.utterance.split("/", 1)[1],
            phone.phone,
            phone.start / COMMON_RATE,
            phone.stop / COMMON_RATE,
            phone.score,
        )
        for row in alignments
        for phone in row.intervals
    ]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(COLUMNS)
    kinds = (pa.string(), pa.string(), pa.float64(), pa.float64(), pa.float64())
    arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
    return pa.table(arrays, names=list(COLUMNS))


def cost_line(cost: Cost) -> str:
    """Return what aligning took: CPU seconds of this process, multiples of real time, peak memory."""
    whole, rate = time.process_time(), cost.audio / max(cost.aligned, 1e-3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    megabytes = peak / (1024 if sys.platform != "darwin" else 1024**2)
    return (
        f"{cost.audio / 60:.1f} minutes of audio; model {cost.prepared:.1f} s of CPU, aligning "
        f"{cost.aligned:.1f} s ({rate:.0f} x real time), whole command {whole:.1f} s "
        f"({cost.audio / whole:.0f} x), at most {megabytes:.0f} MB of memory"
    )


def write_table(path: Path, table: pa.Table) -> None:
    """Write the table as Parquet or CSV, whole or not at all; raises `StoreError` if it cannot."""
    sink = pa.BufferOutputStream()
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, sink)
    else:
        pyarrow.parquet.write_table(table, sink)
    write_bytes(path, sink.getvalue().to_pybytes())


def _configuration(request: AlignRequest) -> Configuration:
    """Return the settings of the file and of ``--set``, with the options of the command laid over them."""
    build = {
        "aligners": {request.corpus: request.aligner} if request.aligner else None,
        "alignments": {request.corpus: str(request.textgrids)} if request.textgrids else None,
        "tier": request.tier,
        "mfa_models": {request.corpus: str(request.mfa_model)} if request.mfa_model else None,
        "mfa_dictionaries": {request.corpus: str(request.mfa_dictionary)} if request.mfa_dictionary else None,
        "workers": request.workers,
        "retrain": request.retrain or None,
        "rehash": request.rehash or None,
    }
    top = {"work": request.work, "corpora": request.corpora}
    return load(
        request.config,
        top={key: value for key, value in top.items() if value is not None},
        overrides={"build": {key: value for key, value in build.items() if value is not None}},
        assignments=request.assignments,
    )


def _check_options(request: AlignRequest, aligner: str) -> None:
    """Refuse an option that the aligner would not read: its user means another aligner."""
    for option, value, serves in (
        ("--textgrids", request.textgrids, ("textgrid", "hand")),
        ("--tier", request.tier, ("textgrid",)),
        ("--mfa-model", request.mfa_model, ("mfa",)),
        ("--mfa-dictionary", request.mfa_dictionary, ("mfa",)),
    ):
        if value is not None and aligner not in serves:
            raise ConfigurationError(
                f"--aligner {' or '.join(serves)} with {option}", aligner, f"name it, or leave out {option}"
            )


def _exported(alignments: Sequence[Alignment], path: Path) -> str:
    """Return what the table holds: the pauses have rows too, and are no phones."""
    phones = sum(len(row.phones) for row in alignments)
    pauses = sum(len(row.intervals) for row in alignments) - phones
    return f"{phones} phones and {pauses} pauses, a row each, in {path}"


def _say(request: AlignRequest, aligned: AlignedCorpus, identifier: str, quarantined: int) -> None:
    console = Console()
    if request.export is not None:
        table = export_table(aligned.alignments)
        write_table(request.export, table)
        console.print(_exported(aligned.alignments, request.export), markup=False, soft_wrap=True)
    if request.report is not None:
        console.print(f"report {request.report}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"{request.corpus}: {len(aligned.alignments)} aligned ({aligned.computed} now), "
        f"{len(aligned.unaligned)} not aligned, {quarantined} quarantined; alignments {short(identifier)}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if aligned.computed and aligned.cost is not None:
        console.print(f"cost: {cost_line(aligned.cost)}", markup=False, highlight=False, soft_wrap=True)
    for note in aligned.notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    for row in aligned.unaligned:
        console.print(f"not aligned: {row.utterance}: {row.reason}", markup=False, soft_wrap=True)
