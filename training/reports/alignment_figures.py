"""The pictures of an alignment: one utterance with its phones, and histograms of a corpus for each phone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from store.records import PhoneInterval
from store.vocabulary import COMMON_RATE
from training.reports.figures import INK, SOURCE_COLOUR, TARGET_COLOUR, Drawing, draw

FORMANT_COLOURS = ("#d55e00", "#0072b2", "#009e73")
HIGHEST = 5_500
"""Hz; the spectrogram's upper end, where the search for formants ends too."""
DYNAMIC_RANGE = 60
"""dB below the loudest point that are shown."""
_WINDOW, _HOP, _PADDED = 0.006, 0.002, 512
_FORMANT_STEP = 0.010
_COLUMNS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneValues:
    """All tokens of one phone: durations in seconds, scores, and the shortest possible duration."""

    phone: str
    seconds: NDArray[np.float64]
    scores: NDArray[np.float64]


def draw_utterance(
    name: str,
    caption: str,
    samples: NDArray[np.float32],
    formants: NDArray[np.float32],
    intervals: Sequence[PhoneInterval],
) -> Drawing:
    """Waveform, wide-band spectrogram with formant tracks, and phone tier, on one axis of time.

    ``samples`` (n,) are at COMMON_RATE, ``formants`` (rows, >= 3) in Hz every 10 ms, NaN where undefined.
    """
    seconds = len(samples) / COMMON_RATE

    def paint(figure: Figure) -> None:
        grid: Any = figure.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": [2, 5, 1]})
        wave, spectrum, tier = grid
        paint_wave(wave, samples)
        _paint_spectrum(spectrum, samples, in_speech(formants, intervals))
        paint_tier(tier, intervals)
        for edge in {item.start for item in intervals} | {item.stop for item in intervals}:
            for axes in (wave, spectrum):
                axes.axvline(edge / COMMON_RATE, color=INK, lw=0.4, alpha=0.45)
        tier.set_xlim(0, seconds)
        tier.set_xlabel("time (s)")

    width = float(np.clip(3.0 + 3.2 * seconds, 7.0, 16.0))
    return draw(name, caption, (width, 5.2), paint)


def in_speech(formants: NDArray[np.float32], intervals: Sequence[PhoneInterval]) -> NDArray[np.float32]:
    """Return the formants (rows, tracks) with NaN in the rows that lie outside every phone."""
    step = round(_FORMANT_STEP * COMMON_RATE)
    spoken = np.zeros(len(formants), dtype=bool)
    for item in intervals:
        if item.phone:
            spoken[ceil(item.start / step) : ceil(item.stop / step)] = True
    return np.asarray(np.where(spoken[:, None], formants, np.nan), dtype=np.float32)


def spectrogram(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the wide-band spectrogram in dB below its maximum, shape (frequencies, frames).

    Gaussian windows of 6 ms every 2 ms after a pre-emphasis of 0.97; frequencies are COMMON_RATE / 512 apart.
    """
    length, hop = round(_WINDOW * COMMON_RATE), round(_HOP * COMMON_RATE)
    lifted = np.append(samples[:1], samples[1:] - 0.97 * samples[:-1]).astype(np.float32)
    padded = np.pad(lifted, (length // 2, length))
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[: len(samples) : hop]
    window = np.exp(-0.5 * np.square(np.linspace(-2.5, 2.5, length, dtype=np.float32)))
    power = np.square(np.abs(np.fft.rfft(frames * window, _PADDED, axis=1))).T
    decibels = 10 * np.log10(power + 1e-12)
    return np.asarray(np.maximum(decibels - decibels.max(), -DYNAMIC_RANGE), dtype=np.float32)


def paint_wave(axes: Axes, samples: NDArray[np.float32]) -> None:
    """Draw the range of each stretch of 2 ms, so that the picture stays small whatever the length."""
    step = round(0.002 * COMMON_RATE)
    whole = np.pad(samples, (0, -len(samples) % step)).reshape(-1, step)
    times = (np.arange(len(whole)) + 0.5) * step / COMMON_RATE
    axes.fill_between(times, whole.min(axis=1), whole.max(axis=1), color=INK, lw=0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _paint_spectrum(axes: Axes, samples: NDArray[np.float32], formants: NDArray[np.float32]) -> None:
    rows = round(HIGHEST * _PADDED / COMMON_RATE)
    values = spectrogram(samples)[:rows]
    seconds = len(samples) / COMMON_RATE
    axes.imshow(
        values, origin="lower", aspect="auto", extent=(0, seconds, 0, HIGHEST), cmap="Greys", rasterized=True
    )
    times = np.arange(len(formants)) * _FORMANT_STEP
    for number, colour in enumerate(FORMANT_COLOURS):
        axes.plot(times, formants[:, number], ".", color=colour, ms=2.6, mew=0, label=f"F{number + 1}")
    axes.set_ylim(0, HIGHEST)
    axes.set_ylabel("Hz")
    axes.legend(loc="upper right", ncols=3, markerscale=3, facecolor="white", framealpha=0.85, frameon=True,
                labelcolor="#1b1c1e")  # fmt: skip


def paint_tier(axes: Axes, intervals: Sequence[PhoneInterval]) -> None:
    """Draw each phone as a box, shared vowels filled; neighbours' labels stand at two heights."""
    spoken = [item for item in intervals if item.phone]
    for place, item in enumerate(spoken):
        start, stop = item.start / COMMON_RATE, item.stop / COMMON_RATE
        fill = SOURCE_COLOUR if item.vowel else "none"
        axes.axvspan(start, stop, facecolor=fill, alpha=0.25 if item.vowel else 1.0, lw=0)
        axes.axvline(start, color=INK, lw=0.5)
        axes.axvline(stop, color=INK, lw=0.5)
        axes.text((start + stop) / 2, 0.3 + 0.4 * (place % 2), item.phone, ha="center", va="center")
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def draw_durations(values: Mapping[str, PhoneValues], shortest: float) -> Drawing:
    """Histogram of durations for each phone, those at the ``shortest`` (seconds) in another colour."""

    def paint_phone(axes: Axes, item: PhoneValues) -> None:
        edges = np.arange(0, 0.2501, 0.010) + 0.0025  # no duration of a grid of 5 ms lies on an edge
        clipped = np.minimum(item.seconds, 0.25)
        at_floor = clipped <= shortest
        axes.hist(
            [clipped[at_floor], clipped[~at_floor]],
            edges.tolist(),
            stacked=True,
            color=[TARGET_COLOUR, SOURCE_COLOUR],
        )
        axes.set_title(f"[{item.phone}] {len(clipped)}, {100 * at_floor.mean():.0f} % short", weight="normal")
        axes.set_xlim(0, 0.26)

    caption = (
        "How often each phone occurs, and its durations in seconds (the last bar holds all longer ones). "
        "Orange: "
        f"{1000 * shortest:.0f} ms or less, the shortest the embedded aligner can give; where most "
        "tokens of a phone are so short it is often not there."
    )
    return _grid("durations", caption, values, paint_phone)


def draw_phone_scores(values: Mapping[str, PhoneValues]) -> Drawing:
    """Histogram of scores for each phone; all panels have one range."""
    every = np.concatenate([item.scores for item in values.values()])
    low = float(np.quantile(every, 0.005)) if len(every) else -1.0
    edges = np.linspace(min(low, -0.1), 0, 26)

    def paint_phone(axes: Axes, item: PhoneValues) -> None:
        axes.hist(np.maximum(item.scores, edges[0]), edges.tolist(), color=SOURCE_COLOUR)
        axes.axvline(float(np.median(item.scores)), color=INK, lw=0.8)
        axes.set_title(f"[{item.phone}] median {np.median(item.scores):.2f}", weight="normal")

    caption = (
        "Scores of each phone: log-likelihood less that of the best state, mean over its frames, 0 at best "
        "(the first bar holds all lower ones); line: median. A score is no measure of boundary error."
    )
    return _grid("phone-scores", caption, values, paint_phone)


def _grid(name: str, caption: str, values: Mapping[str, PhoneValues], paint_phone: Any) -> Drawing:
    """Draw one small panel for each phone, in the order given."""
    lines = max(1, ceil(len(values) / _COLUMNS))

    def paint(figure: Figure) -> None:
        for place, item in enumerate(values.values()):
            axes = figure.add_subplot(lines, _COLUMNS, place + 1)
            paint_phone(axes, item)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            axes.tick_params(labelsize=7.5)

    return draw(name, caption, (12.0, 0.3 + 1.25 * lines), paint)
