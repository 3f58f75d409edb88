"""Reads Praat TextGrid files, long and short form, into tiers of labelled intervals."""

import re
from dataclasses import dataclass
from pathlib import Path

from store.errors import AlignmentError

# Praat's own rule for both forms: strings, flags and free-standing numbers count, other text is decoration.
_TOKEN = re.compile(r'"((?:[^"]|"")*)"|<(exists|absent)>|(?<!\S)([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?!\S)')
_TOLERANCE_S = 1e-4


@dataclass(frozen=True)
class Interval:
    """A labelled stretch of time in seconds."""

    start: float
    stop: float
    label: str


@dataclass(frozen=True)
class Tier:
    """An interval tier: its name and its intervals in order of time, without overlap."""

    name: str
    intervals: tuple[Interval, ...]


def read_textgrid(path: Path) -> tuple[Tier, ...]:
    """Return the interval tiers of a TextGrid file (point tiers are left out).

    Raises
    ------
    AlignmentError
        If the file is missing, is no TextGrid, ends early, or has intervals that overlap or run backwards.
    """
    text = _decode(path)
    if "ooTextFile" not in text[:200] or '"TextGrid"' not in text[:400]:
        raise _broken(path, "no TextGrid header")
    header_end = text.index('"TextGrid"') + len('"TextGrid"')
    tokens = _Tokens(path, text[header_end:])
    tokens.number(), tokens.number()
    if tokens.flag() == "absent":
        return ()
    tiers = [_tier(tokens) for _ in range(tokens.count())]
    return tuple(tier for tier in tiers if tier is not None)


def checked(path: Path, intervals: list[Interval]) -> tuple[Interval, ...]:
    """Return the intervals if they follow each other in time (AlignmentError otherwise)."""
    edge = float("-inf")
    for item in intervals:
        if item.stop < item.start or item.start < edge - _TOLERANCE_S:
            raise _broken(path, f"{item.label!r} at {item.start:g} s, which overlaps what is before it")
        edge = item.stop
    return tuple(intervals)


class _Tokens:
    """The meaningful tokens of a TextGrid, taken one by one and checked for their kind."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._found = _TOKEN.finditer(text)

    def _next(self, group: int, kind: str) -> str:
        match = next(self._found, None)
        if match is None or match.group(group) is None:
            found = "its end" if match is None else repr(match.group(0))
            raise _broken(self.path, f"{found} where {kind} belongs")
        return match.group(group)

    def string(self) -> str:
        return self._next(1, "a string").replace('""', '"')

    def flag(self) -> str:
        return self._next(2, "<exists>")

    def number(self) -> float:
        return float(self._next(3, "a number"))

    def count(self) -> int:
        return int(self.number())


def _tier(tokens: _Tokens) -> Tier | None:
    kind, name = tokens.string(), tokens.string()
    tokens.number(), tokens.number()
    count = tokens.count()
    if kind == "TextTier":
        for _ in range(count):
            tokens.number(), tokens.string()
        return None
    if kind != "IntervalTier":
        raise _broken(tokens.path, f"a tier of class {kind!r}")
    intervals = [Interval(tokens.number(), tokens.number(), tokens.string()) for _ in range(count)]
    return Tier(name, checked(tokens.path, intervals))


def _decode(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _broken(path, str(error.strerror)) from error
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")  # Praat writes UTF-16 where a label is not ASCII
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise _broken(path, "bytes that are neither UTF-8 nor UTF-16") from error


def _broken(path: Path, found: str) -> AlignmentError:
    return AlignmentError("a Praat TextGrid (long or short)", f"{found} in {path.name}", "write it again")
