"""Turns work items into jobs: each gets its place in the store and all it needs to run in any process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from features.contract import Extractor
from pipeline.items import WorkItem
from pipeline.work import Job
from store.catalogue import Store, StoreWriter
from store.digests import Json
from store.errors import ConfigurationError
from store.records import Alignment, Utterance


@dataclass(frozen=True, kw_only=True)
class BuildInputs:
    """What a build starts from.

    ``alignments`` are by utterance id; ``roots`` are the corpus folders that `Utterance.path` is relative to;
    ``manifest`` and ``alignment_tables`` (by corpus) are the digests under which the store holds them.
    """

    utterances: Sequence[Utterance]
    alignments: Mapping[str, Alignment]
    roots: Mapping[str, Path]
    manifest: str
    alignment_tables: Mapping[str, str]
    lineage: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Bench:
    """Where jobs are made for one build; ``extractors`` stand parents first."""

    store: Store
    writer: StoreWriter
    inputs: BuildInputs
    extractors: tuple[Extractor, ...]

    def jobs(self, items: Sequence[WorkItem]) -> list[Job]:
        """Reserve places and return the jobs; raises `ConfigurationError` for a corpus without a folder."""
        roots = {item.corpus: self._root(item.corpus) for item in items}
        starts = self._reserve(items)
        return [
            Job(
                item=item,
                root=roots[item.corpus],
                store=str(self.store.path),
                extractors=self.extractors,
                starts=places,
            )
            for item, places in zip(items, starts, strict=True)
        ]

    def _reserve(self, items: Sequence[WorkItem]) -> list[dict[str, int]]:
        """Return the start row of each item by spec digest; row counts follow from the frame laws."""
        starts: list[dict[str, int]] = [{} for _ in items]
        rows = [item.rows() for item in items]
        for extractor in self.extractors:
            spec = extractor.spec
            identity = spec.digest
            for corpus in sorted({item.corpus for item in items}):
                mine = [i for i, item in enumerate(items) if item.corpus == corpus and rows[i].get(identity)]
                places = self.writer.reserve(spec, corpus, [rows[i][identity] for i in mine]) if mine else ()
                for i, start in zip(mine, places, strict=True):
                    starts[i][identity] = start
        return starts

    def _root(self, corpus: str) -> str:
        root = self.inputs.roots.get(corpus)
        if root is None:
            raise ConfigurationError(
                f"the folder of corpus {corpus}", "none", "name the folder of every corpus"
            )
        return str(Path(root).resolve())
