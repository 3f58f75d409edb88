"""The pictures of `show`: what the store holds of an utterance, and how a corpus is spread."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from store.records import PhoneInterval, Utterance
from store.vocabulary import COMMON_RATE, EMOTIONS
from training.reports.alignment_figures import FORMANT_COLOURS, paint_tier, paint_wave
from training.reports.figures import INK, SOURCE_COLOUR, TARGET_COLOUR, Drawing, draw

MOST_SPEAKERS = 40
"""Speakers that get a bar of their own; of more, a histogram of utterances by speaker is drawn."""
GENDER_COLOURS = {"female": TARGET_COLOUR, "male": SOURCE_COLOUR, "unknown": "#8a8f98"}


def draw_features(
    utterance: Utterance,
    samples: NDArray[np.float32] | None,
    log_mel: NDArray[np.float32],
    formants: NDArray[np.float32],
    intervals: Sequence[PhoneInterval],
    *,
    step: float,
) -> Drawing:
    """Waveform, log-mel, formants and phones of an utterance on one axis of time; its emotion in the title.

    ``samples`` (n,) are at COMMON_RATE, None where the recording is not at hand; ``log_mel`` (rows, bands) in
    dB and ``formants`` (rows, tracks) in Hz have a row every ``step`` seconds.
    """
    parts = ["wave"] if samples is not None else []
    parts += ["mel", "formants", *(["phones"] if intervals else [])]
    heights = {"wave": 1.6, "mel": 3.0, "formants": 2.4, "phones": 0.9}
    seconds = utterance.seconds

    def paint(figure: Figure) -> None:
        grid: Any = figure.subplots(
            len(parts), 1, sharex=True, squeeze=False,
            gridspec_kw={"height_ratios": [heights[part] for part in parts]},
        )  # fmt: skip
        panels: dict[str, Axes] = dict(zip(parts, grid[:, 0], strict=True))
        if samples is not None:
            paint_wave(panels["wave"], samples)
        _paint_mel(panels["mel"], log_mel, step)
        _paint_formants(panels["formants"], formants, step)
        if intervals:
            paint_tier(panels["phones"], intervals)
        for edge in {item.start for item in intervals} | {item.stop for item in intervals}:
            panels["formants"].axvline(edge / COMMON_RATE, color=INK, lw=0.4, alpha=0.45)
        figure.suptitle(f"{utterance.id}: {utterance.emotion}", x=0.01, ha="left", weight="bold", fontsize=11)
        last = panels[parts[-1]]
        last.set_xlim(0, seconds)
        last.set_xlabel("time (s)")

    width = float(np.clip(3.0 + 3.2 * seconds, 7.0, 16.0))
    return draw("utterance", _caption(utterance), (width, 1.0 + 0.75 * sum(heights[p] for p in parts)), paint)


def draw_corpus(name: str, utterances: Sequence[Utterance]) -> Drawing:
    """Utterances by emotion, by speaker and by duration, the sexes apart (figure 1 of system 001)."""

    def paint(figure: Figure) -> None:
        grid: Any = figure.subplots(1, 3, gridspec_kw={"width_ratios": [1, 1.5, 1]})
        _paint_classes(grid[0], utterances)
        _paint_speakers(grid[1], utterances)
        _paint_durations(grid[2], utterances)
        figure.suptitle(name, x=0.01, ha="left", weight="bold", fontsize=11)

    hours = sum(item.seconds for item in utterances) / 3600
    speakers = len({item.speaker for item in utterances})
    caption = f"{name}: {len(utterances)} utterances of {speakers} speakers, {hours:.2f} h."
    return draw("corpus", caption, (12.0, 3.9), paint)


def _caption(utterance: Utterance) -> str:
    heard = ", ".join(f"{part.emotion} {part.share:.0%}" for part in utterance.perceived)
    return (
        f"{utterance.id}: {utterance.emotion} ({utterance.native_label})"
        + (f", heard as {heard}" if heard else "")
        + f"; speaker {utterance.speaker}, {utterance.gender}; "
        + f"{utterance.language}: {utterance.text or 'no text'}"
    )


def _paint_mel(axes: Axes, values: NDArray[np.float32], step: float) -> None:
    top = float(np.nanmax(values)) if values.size else 0.0
    axes.imshow(
        values.T, origin="lower", aspect="auto", cmap="magma", vmin=top - 80, vmax=top, rasterized=True,
        extent=(-step / 2, (len(values) - 0.5) * step, 0, values.shape[1]),
    )  # fmt: skip
    axes.set_ylabel("mel band")


def _paint_formants(axes: Axes, values: NDArray[np.float32], step: float) -> None:
    times = np.arange(len(values)) * step
    for number, colour in enumerate(FORMANT_COLOURS[: values.shape[1]]):
        axes.plot(times, values[:, number] / 1000, ".", color=colour, ms=2.6, mew=0, label=f"F{number + 1}")
    axes.set_ylabel("kHz")
    axes.set_ylim(0, 5.5)
    axes.legend(loc="upper right", ncols=3, markerscale=3)


def _paint_classes(axes: Axes, utterances: Sequence[Utterance]) -> None:
    counts = Counter(item.emotion for item in utterances)
    names = [name for name in EMOTIONS if counts[name]][::-1]
    axes.barh(names, [counts[name] for name in names], color=SOURCE_COLOUR)
    for place, name in enumerate(names):
        axes.text(counts[name], place, f" {counts[name]}", va="center")
    axes.margins(x=0.18)
    axes.set_title("emotions")
    axes.set_xlabel("utterances")


def _paint_speakers(axes: Axes, utterances: Sequence[Utterance]) -> None:
    counts = Counter((item.speaker, item.gender) for item in utterances)
    many = len(counts) > MOST_SPEAKERS
    for gender, colour in GENDER_COLOURS.items():
        mine = {speaker: count for (speaker, sex), count in sorted(counts.items()) if sex == gender}
        if not mine:
            continue
        label = f"{gender} ({len(mine)})"
        if many:
            axes.hist(list(mine.values()), 20, color=colour, alpha=0.7, label=label)
        else:
            axes.bar(list(mine), list(mine.values()), color=colour, label=label)
    axes.set_title("utterances by speaker" if many else "speakers")
    axes.set_xlabel("utterances" if many else "")
    axes.set_ylabel("speakers" if many else "utterances")
    axes.tick_params(axis="x", labelrotation=0 if many else 90)
    axes.margins(y=0.25)
    axes.legend(loc="upper right", ncols=3)


def _paint_durations(axes: Axes, utterances: Sequence[Utterance]) -> None:
    values = np.array([item.seconds for item in utterances])
    axes.hist(np.minimum(values, np.quantile(values, 0.995)), 30, color=SOURCE_COLOUR)
    axes.axvline(float(np.median(values)), color=INK, lw=0.9)
    axes.set_title(f"duration, median {np.median(values):.2f} s")
    axes.set_xlabel("s (the last bar holds all longer ones)")
