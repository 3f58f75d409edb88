"""Claims: on an object store, the rows of an array that one writer took, whoever thinks to hold the lock."""

import json
from uuid import uuid4

from store.layout import Layout
from store.objects import ObjectPath


def claim(layout: Layout, spec: str, corpus: str, start: int, stop: int) -> bool:
    """Take array rows [start, stop) of a (spec digest, corpus); return whether nobody else took them.

    In a folder the writer's lock is enough, since the system never gives it to a second process.
    """
    path = layout.claim(spec, corpus, start)
    if not isinstance(path, ObjectPath):
        return True
    return path.create(json.dumps({"stop": stop, "by": uuid4().hex}).encode())


def claimed_end(layout: Layout, spec: str, corpus: str) -> int:
    """Return the row behind all claims, 0 where there are none."""
    folder = layout.claims(spec, corpus)
    paths = sorted(folder.glob("[0-9]*.json")) if isinstance(folder, ObjectPath) else []
    return int(json.loads(paths[-1].read_bytes())["stop"]) if paths else 0
