"""The one place that reads the environment."""

import os


def variable(name: str, default: str | None = None) -> str | None:
    """Return an environment variable, or ``default`` where it is unset or empty."""
    return os.environ.get(name) or default


def default_variable(name: str, value: str) -> None:
    """Set an environment variable for this process and its children unless the user has set it."""
    os.environ.setdefault(name, value)


def environment() -> dict[str, str]:
    """Return a copy of the whole environment, to hand on to a program."""
    return dict(os.environ)
