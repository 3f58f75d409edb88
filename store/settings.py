"""The one place that reads the environment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_OBJECT_STORE = {
    "access_key_id": ("AWS_ACCESS_KEY_ID",),
    "secret_access_key": ("AWS_SECRET_ACCESS_KEY",),
    "session_token": ("AWS_SESSION_TOKEN",),
    "endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
}
"""Settings of the object store's client, and the variables that give them, the first one that is set."""


def variable(name: str, default: str | None = None) -> str | None:
    """Return an environment variable, or ``default`` where it is unset or empty."""
    return os.environ.get(name) or default


def default_variable(name: str, value: str) -> None:
    """Set an environment variable for this process and its children unless the user has set it."""
    os.environ.setdefault(name, value)


@contextmanager
def temporary_variable(name: str, value: str) -> Iterator[None]:
    """Set an unset environment variable, for this process and its children, for the block."""
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def environment() -> dict[str, str]:
    """Return a copy of the whole environment, to hand on to a program."""
    return dict(os.environ)


def object_store_settings() -> tuple[tuple[str, str], ...]:
    """Return what the standard AWS_* variables say of the object store: endpoint, region and credentials."""
    given = {
        name: os.environ[key]
        for name, keys in _OBJECT_STORE.items()
        for key in keys[::-1]
        if os.environ.get(key)
    }
    return tuple(sorted({"region": "us-east-1", **given}.items()))
