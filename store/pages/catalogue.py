"""The catalogue of a snapshot: what it holds, from what it was made and how it is read, on one HTML page."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from store.atomic import write_text
from store.digests import short
from store.entries import Commit
from store.errors import StoreError
from store.feature_store import FeatureStore
from store.layout import index_path
from store.objects import ObjectPath
from store.pages.histograms import HEIGHT, WIDTH, Histogram, histograms
from store.records import FeatureSpec
from store.skipped_counts import SkippedCount, count_skipped
from store.stats import Amount, Stats, stats
from store.wording import count, number, row_times, size

TEMPLATE = "catalogue.html"
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusEntry:
    """One corpus of the manifest."""

    corpus: str
    languages: tuple[str, ...]
    licences: tuple[str, ...]
    synthetic: bool
    utterances: int
    speakers: int
    hours: float
    emotions: tuple[str, ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureEntry:
    """One feature: what it is, how much there is of it, its values, and how an utterance of it is read."""

    spec: FeatureSpec
    parent: str
    time: str
    params: tuple[tuple[str, str], ...]
    amount: Amount
    histograms: tuple[Histogram, ...]
    ours: str
    plain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentEntry:
    """Which aligner timed the phones of a corpus."""

    corpus: str
    aligner: str
    table: str
    identity: str
    aligned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One commit of the log, newest first, with its tags."""

    commit: Commit
    tags: tuple[str, ...]
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Everything that the page shows."""

    commit: Commit
    tags: tuple[str, ...]
    amounts: Stats
    corpora: tuple[CorpusEntry, ...]
    features: tuple[FeatureEntry, ...]
    alignments: tuple[AlignmentEntry, ...]
    left_out: tuple[SkippedCount, ...]
    log: tuple[LogEntry, ...]
    removed: int


def write_catalogue(reader: FeatureStore, path: Path) -> None:
    """Write the page of a snapshot to ``path``; it holds all that it shows and asks no network.

    Raises
    ------
    StoreError
        If the store is damaged, or the file cannot be written.
    """
    if path.is_dir():
        raise StoreError("the name of a file for the page", f"the folder {path}", "name a file in it")
    write_text(path, render(catalogue(reader)))


def catalogue(reader: FeatureStore) -> Catalogue:
    """Return what the page shows; StoreError if the store is damaged."""
    store, commit = reader.store, reader.commit
    amounts = stats(store, commit.snapshot)
    return Catalogue(
        commit=commit,
        tags=reader.store.log.tags_of(commit),
        amounts=amounts,
        corpora=_corpora(reader),
        features=tuple(_feature(reader, spec, amounts) for spec in reader.specs),
        alignments=_alignments(reader),
        left_out=count_skipped(
            [
                replace(row, reason=_NUMBER.sub("N", row.reason))
                for row in (*reader.skipped, *reader.unaligned)
            ]
        ),
        log=tuple(
            LogEntry(
                commit=item,
                tags=reader.store.log.tags_of(item),
                features=tuple(store.spec(digest).name for digest in item.specs),
            )
            for item in reversed(store.commits())
        ),
        removed=len(store.log.collected()),
    )


def render(content: Catalogue) -> str:
    """Return the page as HTML; every name from outside is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    page = environment.get_template(TEMPLATE).render(
        content=content, short=short, size=size, number=number, count=count, width=WIDTH, height=HEIGHT
    )
    return page.rstrip() + "\n"


def _corpora(reader: FeatureStore) -> tuple[CorpusEntry, ...]:
    found = []
    left_out = Counter(item.corpus for item in (*reader.skipped, *reader.unaligned))
    for corpus in sorted({item.corpus for item in reader.utterances} | left_out.keys()):
        own = [item for item in reader.utterances if item.corpus == corpus]
        found.append(
            CorpusEntry(
                corpus=corpus,
                languages=tuple(sorted({item.language for item in own})),
                licences=tuple(sorted({item.licence for item in own})),
                synthetic=any(item.synthetic for item in own),
                utterances=len(own),
                speakers=len({item.speaker for item in own}),
                hours=sum(item.seconds for item in own) / 3600,
                emotions=tuple(sorted({item.emotion for item in own})),
                left_out=left_out[corpus],
            )
        )
    return tuple(found)


def _feature(reader: FeatureStore, spec: FeatureSpec, amounts: Stats) -> FeatureEntry:
    cells = [cell for cell in amounts.cells if cell.spec == spec.digest]
    corpora = [cell.corpus or "" for cell in cells if cell.utterances]
    parents = {item.digest: item.name for item in reader.specs}
    ours, plain = _examples(reader, spec, corpora[0]) if corpora else ("", "")
    return FeatureEntry(
        spec=spec,
        parent=parents.get(spec.parent or "", short(spec.parent or "")),
        time=row_times(spec),
        params=tuple((name, _parameter(value)) for name, value in sorted(spec.params.items())),
        amount=next(item for item in amounts.by_feature if item.spec == spec.digest),
        histograms=histograms(reader, spec, corpora) if corpora else (),
        ours=ours,
        plain=plain,
    )


def _parameter(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _examples(reader: FeatureStore, spec: FeatureSpec, corpus: str) -> tuple[str, str]:
    """Return code that reads the first utterance of a feature: with our reader, and in plain zarr.

    On S3 the second is "", since a plain reader needs its own settings of the server (docs/s3.md).
    """
    layout, first = reader.store.layout, reader.index(spec, corpus)
    name, rows = first["utterance"][0].as_py(), first["length"][0].as_py()
    shape = f"  # {(rows, *spec.dims)} {spec.dtype}"
    asked = spec.name if [item.name for item in reader.specs].count(spec.name) == 1 else spec.digest
    ours = [
        "from store.feature_store import FeatureStore",
        "",
        f"store = FeatureStore.open({str(reader.store.path)!r}, {reader.snapshot_id!r})",
        f"values = store.read({asked!r}, {name!r}){shape}",
    ]
    if isinstance(layout.root, ObjectPath):
        return "\n".join(ours), ""
    index = index_path(layout.snapshot(reader.snapshot_id), spec.digest, corpus)
    plain = [
        "import pyarrow.parquet as pq",
        "import zarr",
        "",
        f"index = pq.read_table({str(index)!r}).to_pylist()",
        f"row = next(row for row in index if row['utterance'] == {name!r})",
        f"array = zarr.open_array({str(layout.array(spec.digest, corpus))!r}, mode='r')",
        f"values = array[row['start'] : row['start'] + row['length']]{shape}",
    ]
    return "\n".join(ours), "\n".join(plain)


def _alignments(reader: FeatureStore) -> tuple[AlignmentEntry, ...]:
    known = _mapping(reader.commit.lineage.get("alignments"))
    described = {_mapping(entry).get("table"): _mapping(entry) for entry in known.values()}
    corpora = {_mapping(entry).get("table"): corpus for corpus, entry in known.items()}
    found = []
    for table in reader.commit.alignments:
        rows: Sequence[Any] = reader.store.alignments(table)
        found.append(
            AlignmentEntry(
                corpus=str(corpora.get(table) or (rows[0].utterance.split("/", 1)[0] if rows else "")),
                aligner=str(described.get(table, {}).get("aligner") or (rows[0].aligner if rows else "")),
                table=table,
                identity=str(described.get(table, {}).get("identity") or ""),
                aligned=len(rows),
            )
        )
    return tuple(sorted(found, key=lambda entry: (entry.corpus, entry.table)))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
