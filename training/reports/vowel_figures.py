"""Vowel polygons of two corpora by emotion; rings mark vowels that are closer than in neutral speech."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot, log

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.reports.figures import INK, SOURCE_COLOUR, TARGET_COLOUR, Drawing, VowelToken, draw

CORNERS = (("i", "E", "A", "O", "u"), ("eI", "aI", "aU", "oU"))
"""Corners of the polygons, around the vowel space: monophthongs and diphthongs."""
INSIDE = ("@",)
"""The vowel that is drawn as a point within the monophthongs."""
FEWEST = 5
"""Tokens that each corpus needs in both emotions before a vowel is said to be closer."""
NEUTRAL = "neutral"
_CLOSER = "#1a8f3c"


@dataclass(frozen=True, slots=True)
class Centre:
    """Geometric mean formants in Hz of ``n`` tokens."""

    f1: float
    f2: float
    n: int

    def distance(self, other: "Centre") -> float:
        """Return the distance in natural logarithms of (F1, F2), in which Nearey's normalisation works."""
        return hypot(log(self.f1 / other.f1), log(self.f2 / other.f2))


Centres = Mapping[tuple[str, str, str], Centre]
"""By corpus, emotion and vowel."""


def centres_of(tokens: Iterable[VowelToken]) -> dict[tuple[str, str, str], Centre]:
    """Return the centre of each corpus, emotion and vowel that has tokens."""
    logs: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for token in tokens:
        key = (token.corpus, token.emotion, token.vowel)
        logs.setdefault(key, []).append((log(token.f1), log(token.f2)))
    return {key: _centre(values) for key, values in logs.items()}


def _centre(logs: Sequence[tuple[float, float]]) -> Centre:
    f1, f2 = np.exp(np.mean(logs, axis=0))
    return Centre(float(f1), float(f2), len(logs))


def closer_than_neutral(centres: Centres, corpora: tuple[str, str], emotion: str) -> tuple[str, ...]:
    """Return the vowels whose centres in the two corpora lie closer in ``emotion`` than in neutral speech.

    A vowel counts where both corpora have `FEWEST` tokens of it in both emotions; there is no test behind it.
    Source: system 002, figure 2.
    """
    found = []
    for vowel in (*CORNERS[0], *INSIDE, *CORNERS[1]):
        ends = [centres.get((corpus, name, vowel)) for name in (emotion, NEUTRAL) for corpus in corpora]
        here = [end for end in ends if end is not None and end.n >= FEWEST]
        if len(here) == 4 and here[0].distance(here[1]) < here[2].distance(here[3]):
            found.append(vowel)
    return tuple(found)


def draw_polygons(
    tokens: Sequence[VowelToken], corpora: tuple[str, str], emotions: Sequence[str]
) -> Drawing | None:
    """Monophthong and diphthong polygons of both corpora, one column for each emotion, neutral first.

    Returns None where no emotion has a token of a shared vowel in both corpora.
    """
    centres = centres_of(tokens)
    shown = [name for name in emotions if all(_has(centres, corpus, name) for corpus in corpora)]
    shown.sort(key=lambda name: name != NEUTRAL)
    rows = [row for row in CORNERS if any(vowel in row for _, _, vowel in centres)]
    if not shown or not rows:
        return None
    closer = {name: closer_than_neutral(centres, corpora, name) for name in shown if name != NEUTRAL}

    def paint(figure: Figure) -> None:
        for line, row in enumerate(rows):
            first: Axes | None = None
            for column, emotion in enumerate(shown):
                place = line * len(shown) + column + 1
                axes = figure.add_subplot(len(rows), len(shown), place, sharex=first, sharey=first)
                _panel(axes, centres, corpora, emotion, row)
                if first is None:
                    first = axes
                    axes.invert_xaxis()
                    axes.invert_yaxis()
                    axes.set_ylabel("F1 (Hz)")
                if line == 0:
                    axes.set_title(emotion)
                axes.set_xlabel("F2 (Hz)")
        figure.axes[0].legend(loc="lower left", fontsize="small")

    named = "; ".join(f"{name}: {_listed(vowels)}" for name, vowels in closer.items())
    caption = (
        "Vowel polygons by emotion (geometric means of speaker-normalised F1 and F2, Nearey 1): monophthongs "
        "with /@/ inside, and diphthongs at the mean of 20 % and 80 % of their length. Rings: vowels that "
        f"lie closer in the two corpora than in neutral speech, of at least {FEWEST} tokens each "
        f"({named or 'only neutral speech'})."
    )
    return draw("vowel-polygons", caption, (0.7 + 2.6 * len(shown), 0.4 + 2.6 * len(rows)), paint)


def _has(centres: Centres, corpus: str, emotion: str) -> bool:
    return any(key[:2] == (corpus, emotion) for key in centres)


def _listed(vowels: Sequence[str]) -> str:
    return " ".join(f"/{vowel}/" for vowel in vowels) or "none"


def _panel(
    axes: Axes,
    centres: Centres,
    corpora: tuple[str, str],
    emotion: str,
    corners: Sequence[str],
) -> None:
    """Draw the polygons of one emotion; corners that a corpus lacks are left out of its own."""
    closer = () if emotion == NEUTRAL else closer_than_neutral(centres, corpora, emotion)
    inside = INSIDE if corners == CORNERS[0] else ()
    looks = ((SOURCE_COLOUR, "o", (4, -9), "left"), (TARGET_COLOUR, "s", (-4, 3), "right"))
    for corpus, (colour, marker, offset, side) in zip(corpora, looks, strict=True):
        own = {
            vowel: centres[corpus, emotion, vowel]
            for vowel in (*corners, *inside)
            if (corpus, emotion, vowel) in centres
        }
        ring = [own[vowel] for vowel in corners if vowel in own]
        ring += ring[:1]
        axes.plot([c.f2 for c in ring], [c.f1 for c in ring], color=colour, lw=1.1)
        points = list(own.values())
        axes.plot(
            [c.f2 for c in points], [c.f1 for c in points], marker, color=colour, ms=4, mew=0, label=corpus
        )
        for vowel, centre in own.items():
            place = (centre.f2, centre.f1)
            axes.annotate(vowel, place, offset, textcoords="offset points", color=colour, ha=side, fontsize=8)
            if vowel in closer:
                axes.plot(*place, "o", ms=11, mfc="none", mec=_CLOSER, mew=1.4)
    axes.margins(0.14)
    axes.tick_params(labelsize=7.5, color=INK)
