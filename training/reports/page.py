"""The self-contained report: one HTML page without a network, and the figures beside it as files."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from store.atomic import write_text
from store.errors import TrainingError
from store.records import Skipped, Utterance
from store.skipped_counts import count_skipped
from training.baselines import LinearChoice
from training.guards import Floors, Ledger, SplitReport
from training.records import AnchorScore, Epoch, LabelAccess, Prediction, ResultRow, System
from training.reports import figures, notes, text
from training.reports.figures import Drawing, VowelToken
from training.reports.paper import DIRECTIONS
from training.reports.summary import Summary, summarise
from training.reports.vowel_figures import draw_polygons
from training.results import GuardFinding

TEMPLATE = "report_template.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInput:
    """Everything the report shows; empty sequences leave their section out, or say that there is none.

    ``systems`` gives the order of the rows; ``source`` and ``target`` are corpus names; ``digests`` maps what
    is digested (snapshot, manifest, configuration, specs, aligner, weights) to the digest; ``protocol`` holds
    remarks for the reader, one sentence each; ``configuration`` is the resolved configuration as text.
    """

    title: str
    source: str
    target: str
    source_language: str
    target_language: str
    synthetic: bool
    classes: tuple[str, ...]
    systems: tuple[System, ...]
    predictions: tuple[Prediction, ...]
    rows: tuple[ResultRow, ...]
    floors: Floors
    label_access: tuple[LabelAccess, ...]
    digests: Mapping[str, str]
    anchors: tuple[AnchorScore, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    choices: tuple[LinearChoice, ...] = ()
    vowels: tuple[VowelToken, ...] = ()
    utterances: tuple[Utterance, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    splits: tuple[SplitReport, ...] = ()
    guards: tuple[GuardFinding, ...] = ()
    protocol: tuple[str, ...] = ()
    configuration: str = ""
    star_usage: str = "usual"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusCount:
    """How much of one corpus took part: utterances by class, speakers, minutes."""

    corpus: str
    language: str
    by_class: tuple[int, ...]
    n: int
    n_speakers: int
    minutes: float


def write_report(folder: Path, content: ReportInput) -> Path:
    """Write ``folder/report.html`` and ``folder/figures/*.svg``; return the path of the page.

    Raises
    ------
    TrainingError
        If a system has no results, or the folder cannot be written.
    """
    ledger = Ledger()
    ledger.extend(content.label_access)
    summaries = summarise(
        content.rows, content.predictions, content.systems, classes=content.classes, ledger=ledger,
        epochs=content.epochs, anchors=content.anchors, choices=content.choices,
    )  # fmt: skip
    drawings = draw_all(content, summaries)
    page = _render(content, summaries, drawings)
    try:
        _write(folder, page, drawings)
    except OSError as error:
        raise TrainingError(
            f"a folder to write the report to, {folder}", str(error), "choose another"
        ) from error
    return folder / "report.html"


def draw_all(content: ReportInput, summaries: Sequence[Summary]) -> dict[str, Drawing]:
    """Return the figures for which there is data, by name."""
    drawings = [
        figures.draw_scores(summaries, content.rows, content.floors.chance_uar),
        figures.draw_confusions(content.predictions, content.systems, content.classes),
    ]
    if content.anchors:
        drawings.append(figures.draw_anchors(content.anchors, content.classes))
    if content.vowels:
        pair = (content.source, content.target)
        drawings.append(figures.draw_vowel_space(content.vowels, pair))
        polygons = draw_polygons(content.vowels, pair, content.classes)
        drawings += [polygons] if polygons is not None else []
    if content.epochs:
        drawings.append(figures.draw_curves(content.epochs))
    return {drawing.name: drawing for drawing in drawings}


def count_corpora(utterances: Sequence[Utterance], classes: Sequence[str]) -> tuple[CorpusCount, ...]:
    """Return the counts of each corpus, in order of first occurrence."""
    found = []
    for corpus in dict.fromkeys(item.corpus for item in utterances):
        own = [item for item in utterances if item.corpus == corpus]
        emotions = Counter(item.emotion for item in own)
        found.append(
            CorpusCount(
                corpus=corpus,
                language=own[0].language,
                by_class=tuple(emotions[name] for name in classes),
                n=len(own),
                n_speakers=len({item.speaker for item in own}),
                minutes=sum(item.seconds for item in own) / 60,
            )
        )
    return tuple(found)


def _render(content: ReportInput, summaries: Sequence[Summary], drawings: Mapping[str, Drawing]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(TEMPLATE).render(
        content=content,
        summaries=summaries,
        figures={name: inline(drawing) for name, drawing in drawings.items()},
        corpora=count_corpora(content.utterances, content.classes),
        skipped=count_skipped(content.skipped),
        text=text,
        notes=notes,
        warning=synthetic_corpora(content),
        names={system.label: system.shown for system in content.systems},
        directions=DIRECTIONS,
    )
    return page.rstrip() + "\n"


def inline(drawing: Drawing) -> dict[str, Markup | str]:
    """Return a figure for the page: its ink and its two series take the page's colours, light or dark."""
    svg = drawing.svg.replace(figures.INK, "currentColor")
    svg = svg.replace(figures.SOURCE_COLOUR, "var(--first)").replace(figures.TARGET_COLOUR, "var(--second)")
    # S704: our own drawing, not user text
    return {"svg": Markup(svg), "caption": drawing.caption, "width": f"{drawing.width:.2f}in"}  # noqa: S704


def synthetic_corpora(content: ReportInput) -> str:
    """Return the warning that names the synthetic corpora, from their utterances where these are given."""
    corpora = {item.corpus: item.synthetic for item in content.utterances}
    return notes.synthetic_warning(corpora) or (notes.SYNTHETIC_WARNING if content.synthetic else "")


def _write(folder: Path, page: str, drawings: Mapping[str, Drawing]) -> None:
    """Write each file aside and move it to its name, the page last; figures of an older page go."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for drawing in drawings.values():
        write_text(folder / "figures" / f"{drawing.name}.svg", drawing.svg)
    write_text(folder / "report.html", page)
    for old in (folder / "figures").glob("*.svg"):
        if old.stem not in drawings:
            old.unlink()
