"""How numbers are written in tables: percent with one decimal, p values, intervals and the footnotes."""

from math import isnan

from training.guards import Floors
from training.reports.summary import Comparison, Spread
from training.significance import Interval, stars

MISSING = "–"


def percent(value: float) -> str:
    """Return a fraction as percent with one decimal."""
    return MISSING if isnan(value) else f"{100 * value:.1f}"


def spread(value: Spread) -> str:
    """Return ``mean ± SD`` in percent; the SD of one seed is left out."""
    return percent(value.mean) + ("" if isnan(value.sd) else f" ± {percent(value.sd)}")


def interval(value: Interval) -> str:
    """Return ``low to high`` in percent."""
    return f"{percent(value.low)} to {percent(value.high)}"


def signed(value: float, decimals: int = 2) -> str:
    """Return a number with a true minus sign."""
    return MISSING if isnan(value) else f"{value:.{decimals}f}".replace("-", "−")


def p_value(p: float) -> str:
    """Return p with three decimals, ``<0.001`` below that."""
    return MISSING if isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def comparison(value: Comparison | None, usage: str = "usual") -> str:
    """Return the difference in points of percent with p and stars, e.g. ``+2.1, p 0.031*``."""
    if value is None:
        return MISSING
    difference = ("+" if value.test.mean_difference >= 0 else "") + signed(
        100 * value.test.mean_difference, 1
    )
    if isnan(value.test.p):
        return f"{difference}, p n/a" if value.test.no_spread else difference
    return f"{difference}, p {p_value(value.test.p)}{stars(value.test.p, usage)}"


def floor_line(floors: Floors) -> str:
    """Return the floors in one line."""
    return (
        f"Floors: chance UAR {percent(floors.chance_uar)}, majority WA {percent(floors.majority_wa)}, "
        f"text only UAR {percent(floors.text_uar)} and WA {percent(floors.text_wa)}"
    )
