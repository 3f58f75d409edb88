"""Compares what a corpus folder gave with what is published: missing, surplus, twice, unusable."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipeline.corpora.layout import SELECTION
from pipeline.corpora.published import Count, Published
from pipeline.ingest import Ingested
from pipeline.labels import label_table
from store.records import Utterance

SOUND_KINDS = frozenset({"note"})
"""Findings that do not make a corpus unsound: known faults, and counts that the sources contradict."""


@dataclass(frozen=True)
class Finding:
    """One difference: ``kind`` is missing, surplus, duplicate, unusable or note."""

    kind: str
    what: str
    found: str


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a corpus folder holds, and how it differs from what is published.

    ``classes`` counts recordings by (native label, emotion), ``speakers`` by gender, ``formats`` by
    (sampling rate in Hz, channels); ``left_out`` counts what the corpus's own rules leave out, by reason.
    """

    corpus: str
    recordings: int
    seconds: float
    classes: Mapping[tuple[str, str], int]
    speakers: Mapping[str, int]
    formats: Mapping[tuple[int, int], int]
    left_out: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is missing, surplus, twice or unusable but what the sources say or leave open."""
        return all(finding.kind in SOUND_KINDS for finding in self.findings)


def check(ingested: Ingested, published: Published | None) -> Checked:
    """Return how an ingested corpus (all classes) differs from its published counts; None: there are none."""
    rows = ingested.utterances
    genders = {row.speaker: row.gender for row in rows}
    known = published.unreadable if published else frozenset()
    return Checked(
        corpus=ingested.corpus,
        recordings=len(rows),
        seconds=sum(row.seconds for row in rows),
        classes=dict(Counter((row.native_label, row.emotion) for row in rows)),
        speakers=dict(Counter(genders.values())),
        formats=dict(Counter((row.sample_rate, row.n_channels) for row in rows)),
        left_out=dict(Counter(row.reason for row in ingested.excluded if row.stage == SELECTION)),
        findings=(
            *(_counted(rows, published) if published else _uncounted()),
            *_twice(rows, published.same_audio if published else ()),
            *(
                Finding(
                    "note" if row.utterance.partition("/")[2] in known else "unusable", row.path, row.reason
                )
                for row in ingested.quarantined
            ),
        ),
    )


def _uncounted() -> Iterator[Finding]:
    yield Finding("note", "counts", "nothing is published of this corpus here")


def _counted(rows: tuple[Utterance, ...], published: Published) -> Iterator[Finding]:
    """Yield the differences of recordings, speakers and classes."""
    yield from _compared("recordings", len(rows), published.usable or published.recordings)
    genders = Counter({row.speaker: row.gender for row in rows}.values())
    yield from _compared("speakers", genders.total(), published.speakers)
    if "unknown" not in genders:
        yield from _compared("women", genders["female"], published.women)
        yield from _compared("men", genders["male"], published.men)
    classes = Counter(row.native_label for row in rows)
    emotions = {
        **label_table().get(rows[0].corpus, {}), **{row.native_label: row.emotion for row in rows},
    }  # fmt: skip
    for label, expected in published.classes.items():
        yield from _compared(f"class {label} ({emotions[label]})", classes[label], expected)
    for label in sorted(classes.keys() - published.classes.keys() if published.classes else ()):
        yield Finding("surplus", f"class {label} ({emotions[label]})", f"{classes[label]}, none published")


def _compared(what: str, number: int, expected: Count | None) -> Iterator[Finding]:
    if expected is None or number in expected:
        return
    kind = "missing" if number < expected.low else "surplus"
    yield Finding("note" if expected.doubtful else kind, what, f"{number}, published {expected}")


def _twice(rows: Iterable[Utterance], known: tuple[frozenset[str], ...]) -> Iterator[Finding]:
    """Yield the recordings that hold the same samples."""
    by_audio: dict[str, list[Utterance]] = defaultdict(list)
    for row in rows:
        by_audio[row.audio_sha256].append(row)
    for same in by_audio.values():
        if len(same) > 1:
            stems = frozenset(row.id.partition("/")[2] for row in same)
            kind, also = ("note", ", a known fault of the corpus") if stems in known else ("duplicate", "")
            yield Finding(kind, " = ".join(row.path for row in same), f"the same audio{also}")
