"""The figures of the report, drawn as SVG: scores, confusion, anchors, vowel space and learning curves."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from math import ceil, isnan
from textwrap import fill
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from store.vocabulary import DIPHTHONGS, SHARED_VOWELS
from training.metrics import confusion, recalls
from training.records import AnchorScore, Epoch, Prediction, ResultRow, System
from training.reports.evidence import is_anchor
from training.reports.summary import Summary
from training.results import pooled

INK = "#1b1c1f"
"""Colour of text and lines; the page replaces it by its own, so that figures follow light and dark."""
WIDEST_TITLE = 24
"""Characters of a title above a small panel before it is broken."""
SOURCE_COLOUR, TARGET_COLOUR = "#0072b2", "#d55e00"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "phonanchor", "font.family": "sans-serif", "font.size": 9.5,
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.7, "axes.titlesize": 10,
    "axes.titlelocation": "left", "axes.titleweight": "bold", "legend.frameon": False,
    "xtick.major.width": 0.7, "ytick.major.width": 0.7, "figure.constrained_layout.use": True,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class VowelToken:
    """Formants of one vowel token, in Hz (after speaker normalisation, if any)."""

    corpus: str
    vowel: str
    f1: float
    f2: float
    emotion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One figure: a name for its file, a caption for people, and the SVG text on a transparent ground."""

    name: str
    caption: str
    svg: str
    width: float
    """Natural width in inches."""


def draw(name: str, caption: str, size: tuple[float, float], paint: Callable[[Figure], None]) -> Drawing:
    """Return what ``paint`` draws on a new figure of ``size`` inches; the same input gives the same text."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size)
        paint(figure)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    body = text.getvalue()
    # Identifiers must differ between the figures of one page.
    body = body[body.index("<svg") :].replace('id="', f'id="{name}-').replace('"#', f'"#{name}-')
    return Drawing(name=name, caption=caption, svg=body.replace("url(#", f"url(#{name}-"), width=size[0])


def draw_scores(summaries: Sequence[Summary], rows: Sequence[ResultRow], chance: float) -> Drawing:
    """UAR of each system: mean, interval over speakers, one dot for each seed, and the chance floor."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, summary in enumerate(reversed(summaries)):
            ends = [100 * summary.interval.low, 100 * summary.interval.high]
            axes.plot(ends, [place, place], color=SOURCE_COLOUR, lw=1.6, solid_capstyle="butt")
            seeds = [100 * row.uar for row in pooled(rows, summary.system.label)]
            axes.plot(seeds, [place + 0.2] * len(seeds), ".", color=INK, ms=4, mew=0, alpha=0.6)
            axes.plot(100 * summary.uar.mean, place, "o", color=SOURCE_COLOUR, ms=6.5, mew=0)
        axes.axvline(100 * chance, color=INK, lw=0.8, ls=(0, (4, 3)))
        axes.set_yticks(range(len(summaries)), [s.system.shown for s in reversed(summaries)])
        axes.set_ylim(-0.6, len(summaries) - 0.4)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("UAR (%)")

    caption = (
        "Unweighted average recall on held-out target speakers. Large dot: mean over seeds; line: 95 % "
        "bootstrap interval over speakers; small dots: single seeds; dashed: chance (1/K)."
    )
    return draw("scores", caption, (7.2, 0.9 + 0.42 * len(summaries)), paint)


def draw_confusions(
    predictions: Sequence[Prediction], systems: Sequence[System], classes: Sequence[str]
) -> Drawing:
    """Row-normalised confusion matrices, one panel for each system, pooled over folds and seeds."""
    columns = min(4, len(systems))
    lines = ceil(len(systems) / columns)

    def paint(figure: Figure) -> None:
        figure.supxlabel("predicted", fontsize="medium")
        figure.supylabel("true", fontsize="medium")
        for place, system in enumerate(systems):
            axes = figure.add_subplot(lines, columns, place + 1)
            items = [item for item in predictions if item.system == system.label]
            counts = confusion([i.emotion for i in items], [i.predicted for i in items], classes)
            share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            _matrix(axes, share, [[f"{100 * v:.0f}" for v in row] for row in share], limits=(0.0, 1.0))
            for i in np.flatnonzero(np.isnan(recalls(counts))):
                axes.add_patch(_hatch(0, int(i), len(classes)))
            axes.set_title(fill(system.shown, WIDEST_TITLE))
            ticks = np.arange(len(classes)) + 0.5
            axes.set_xticks(ticks, classes, rotation=40, ha="right", rotation_mode="anchor")
            axes.set_yticks(ticks, classes if place % columns == 0 else [])

    caption = "Confusion in percent of each true class (rows add up to 100), pooled over folds and seeds."
    return draw("confusion", caption, (0.9 + 2.1 * columns, 0.6 + 2.25 * lines), paint)


def draw_anchors(scores: Sequence[AnchorScore], classes: Sequence[str]) -> Drawing:
    """Mean combined score of each vowel and emotion, one panel for each system; anchors framed."""
    systems = list(dict.fromkeys(item.system for item in scores))
    emotions = [name for name in classes if any(item.emotion == name for item in scores)]
    columns = min(2, len(systems))
    lines = ceil(len(systems) / columns)
    known = [item.combined for item in scores if not isnan(item.combined)]
    limits = (min(known, default=0.0), max(known, default=1.0))

    def paint(figure: Figure) -> None:
        for place, system in enumerate(systems):
            axes = figure.add_subplot(lines, columns, place + 1)
            own = [item for item in scores if item.system == system]
            _anchor_panel(axes, own, emotions, limits)
            axes.set_title(fill(system, WIDEST_TITLE))
            axes.set_yticks(np.arange(len(emotions)) + 0.5, emotions if place % columns == 0 else [])

    caption = (
        "Combined similarity (cosine and inverse distance, 0 to 1) of each shared vowel between the two "
        "languages, on training speakers, mean over folds and seeds. Solid frame: anchor in more than half "
        "of the runs; dotted frame: in fewer. Hatched: the vowel is absent in one language or both; dots: "
        "the target has it, but in no run was an utterance that holds it labelled with the emotion."
    )
    return draw("anchors", caption, (0.9 + 4.3 * columns, 0.55 + (0.5 + 0.34 * len(emotions)) * lines), paint)


def _anchor_panel(
    axes: Axes, scores: Sequence[AnchorScore], emotions: Sequence[str], limits: tuple[float, float]
) -> None:
    means = np.full((len(emotions), len(SHARED_VOWELS)), np.nan)
    for i, emotion in enumerate(emotions):
        for j, vowel in enumerate(SHARED_VOWELS):
            cell = [s for s in scores if (s.emotion, s.vowel) == (emotion, vowel)]
            values = [s.combined for s in cell if not isnan(s.combined)]
            if values:
                means[i, j] = np.mean(values)
            else:
                unlabelled = any(s.absent == "unlabelled" for s in cell)
                axes.add_patch(_hatch(j, i, 1, "..." if unlabelled else "////"))
            share = sum(is_anchor(s) for s in cell) / max(1, len(cell))
            if share:
                style = "-" if share > 0.5 else ":"
                axes.add_patch(
                    Rectangle(
                        (j + 0.05, i + 0.05), 0.9, 0.9, fill=False, ec="#c8102e", lw=1.7, ls=style, zorder=3
                    )
                )
    _matrix(
        axes, means, [["" if isnan(v) else f".{100 * v:02.0f}" for v in row] for row in means], limits=limits
    )
    axes.axvline(len(SHARED_VOWELS) - len(DIPHTHONGS), color=INK, lw=0.8)
    axes.set_xticks(np.arange(len(SHARED_VOWELS)) + 0.5, [f"/{vowel}/" for vowel in SHARED_VOWELS])


def draw_vowel_space(tokens: Sequence[VowelToken], corpora: tuple[str, str]) -> Drawing:
    """Geometric mean formants of each vowel in both corpora, the same vowel joined by a line."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        places = {
            (corpus, vowel): _centre(t for t in tokens if (t.corpus, t.vowel) == (corpus, vowel))
            for corpus, vowel in dict.fromkeys((t.corpus, t.vowel) for t in tokens)
        }
        for vowel in SHARED_VOWELS:
            ends = [places[corpus, vowel] for corpus in corpora if (corpus, vowel) in places]
            if len(ends) == 2:
                axes.plot(*zip(*ends, strict=True), color=INK, lw=0.7, alpha=0.45)
        # The labels of the two corpora stand on different sides, since their points often lie close together.
        looks = ((SOURCE_COLOUR, "o", (5, -9), "left"), (TARGET_COLOUR, "s", (-5, 4), "right"))
        for corpus, (colour, marker, offset, side) in zip(corpora, looks, strict=True):
            own = {vowel: place for (name, vowel), place in places.items() if name == corpus}
            axes.plot(
                *zip(*own.values(), strict=True), marker, color=colour, ms=6, mew=0, label=corpus
            ) if own else None
            for vowel, place in own.items():
                axes.annotate(f"/{vowel}/", place, offset, textcoords="offset points", color=colour, ha=side)
        axes.margins(0.08)
        axes.set_xlabel("F2 (Hz)")
        axes.set_ylabel("F1 (Hz)")
        axes.invert_xaxis()
        axes.invert_yaxis()
        axes.legend(loc="lower left")

    caption = (
        "Vowel space: geometric mean F1 and F2 of each shared vowel over all tokens; a line joins the same "
        "vowel of the two corpora. Both axes run backwards, as is usual: front vowels left, close vowels top."
    )
    return draw("vowel-space", caption, (6.0, 4.6), paint)


def _centre(tokens: Iterable[VowelToken]) -> tuple[float, float]:
    logs = np.log([(token.f2, token.f1) for token in tokens])
    f2, f1 = np.exp(logs.mean(axis=0))
    return float(f2), float(f1)


def draw_curves(epochs: Sequence[Epoch]) -> Drawing:
    """Validation UAR and losses by epoch: thin lines for runs, bold for their mean, one column a system."""
    systems = list(dict.fromkeys(item.system for item in epochs))

    def paint(figure: Figure) -> None:
        grid: Any = figure.subplots(2, len(systems), sharex=True, sharey="row", squeeze=False)
        for column, system in enumerate(systems):
            own = [item for item in epochs if item.system == system]
            _curve(grid[0][column], own, lambda e: 100 * e.validation_uar, SOURCE_COLOUR)
            _curve(grid[1][column], own, lambda e: e.emotion_loss, SOURCE_COLOUR, label="emotion")
            adapted = [item for item in own if item.n_triplets]
            if adapted:
                _curve(grid[1][column], adapted, lambda e: e.anchor_loss, TARGET_COLOUR, label="anchor")
            grid[0][column].set_title(fill(system, WIDEST_TITLE))
            grid[1][column].set_xlabel("epoch")
        grid[0][0].set_ylabel("source validation UAR (%)")
        grid[1][0].set_ylabel("loss")
        grid[1][-1].legend(loc="upper right")

    caption = (
        "Learning curves: source validation UAR (top) and training losses (bottom). Thin: single folds and "
        "seeds; bold: mean of the runs still going at that epoch."
    )
    return draw("learning-curves", caption, (0.8 + 2.3 * len(systems), 4.2), paint)


def _curve(
    axes: Axes,
    epochs: Sequence[Epoch],
    value: Callable[[Epoch], float],
    colour: str,
    label: str | None = None,
) -> None:
    for run in dict.fromkeys((item.seed, item.fold) for item in epochs):
        points = sorted((e.epoch, value(e)) for e in epochs if (e.seed, e.fold) == run)
        axes.plot(*zip(*points, strict=True), color=colour, lw=0.5, alpha=0.3)
    numbers = sorted({item.epoch for item in epochs})
    means = [float(np.nanmean([value(e) for e in epochs if e.epoch == n])) for n in numbers]
    axes.plot(numbers, means, color=colour, lw=1.8, label=label)


def _matrix(
    axes: Axes, values: NDArray[np.float64], texts: Sequence[Sequence[str]], limits: tuple[float, float]
) -> None:
    """Paint a matrix as vector cells, first row on top, each with its text in black or white."""
    low, high = limits
    axes.pcolormesh(
        values, cmap="Blues", vmin=low, vmax=high + 0.25 * (high - low), edgecolors="#ffffff", lw=0.6
    )
    axes.set_ylim(len(values), 0)
    axes.set_xlim(0, values.shape[1])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for i, row in enumerate(texts):
        for j, text in enumerate(row):
            dark = values[i, j] > low + 0.65 * (high - low)
            axes.text(
                j + 0.5, i + 0.5, text, ha="center", va="center", color="#ffffff" if dark else "#000000"
            )


def _hatch(x: int, y: int, width: int, pattern: str = "////") -> Rectangle:
    return Rectangle((x, y), width, 1, fill=False, ec="#8a8f98", hatch=pattern, lw=0, zorder=2)
