"""How amounts and times are written for people."""

from store.records import FeatureSpec


def size(count: float) -> str:
    """Return a number of bytes in powers of 1024."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def count(value: int) -> str:
    """Return a whole number with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u2009")


def number(value: float) -> str:
    """Return a number with four digits and a true minus sign."""
    return f"{value:.4g}".replace("-", "\u2212")


def row_times(spec: FeatureSpec) -> str:
    """Return when the rows of a feature are, e.g. ``every 10 ms``."""
    law = spec.law
    if law.kind == "phones":
        return "one row a phone"
    if law.kind == "utterance":
        return "one row an utterance"
    hop = law.hop or 1
    for stride in () if law.hop else law.strides:
        hop *= stride
    return f"every {1000 * hop / spec.sample_rate:g} ms"
