"""Checks a cron line by itself: a bad one is refused before Prefect is imported or a server started."""

import re

from store.errors import ConfigurationError

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(MONTHS, 1)}),
    ("weekday", 0, 7, {name: number for number, name in enumerate(DAYS)}),
)
"""Name, least and largest value, and names of values of each field, as in crontab(5)."""
_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[1-9]\d*))?")


def check_cron(line: str) -> None:
    """Raise `ConfigurationError` where ``line`` is no cron line: minute, hour, day, month, weekday."""
    fields = line.split()
    if len(fields) != len(FIELDS):
        raise _refused(line, f"{len(fields)} fields")
    for text, (name, least, largest, names) in zip(fields, FIELDS, strict=True):
        if not all(_fits(part, least, largest, names) for part in text.lower().split(",")):
            raise _refused(line, f"the {name} {text!r}")


def _fits(part: str, least: int, largest: int, names: dict[str, int]) -> bool:
    found = _PART.fullmatch(part)
    if found is None:
        return False
    ends = [end for end in (found["first"], found["last"]) if end is not None]
    numbers = [names.get(end, int(end) if end.isdecimal() else -1) for end in ends]
    return all(least <= number <= largest for number in numbers) and numbers == sorted(numbers)


def _refused(line: str, found: str) -> ConfigurationError:
    return ConfigurationError(
        "a cron line of minute, hour, day, month and weekday",
        f"{line!r} ({found})",
        "write for instance --cron '0 3 * * *'",
    )
