"""What processes of their own do to a store on S3 while a test kills, counts or reads."""

import os
import random
import signal
import time

import numpy as np

from store import leases
from store.catalogue import Store
from store.errors import StoreError
from tests.store.store_cases import commit, spec, utterance, values, write

PATIENCE = 240.0


def add_one(uri: str, number: int, ready, go) -> None:
    """Commit a snapshot with one utterance more, against others that do so at the same time."""
    feature, item = spec(), utterance(number)
    ready.release()
    go.wait()
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            _add(Store.create(uri), feature, item, number)
        except StoreError as error:
            if "writer" not in str(error):
                raise
            time.sleep(random.uniform(0.05, 0.4))  # noqa: S311
        else:
            return
    raise TimeoutError


def _add(store, feature, item, number) -> None:
    with store.writer() as writer:
        head = store.head()
        there = store.manifest(head.manifest) if head else ()
        rows = {item.id: values(feature, 10 + number, number)}
        write(store, writer, feature, [item], rows)
        lengths = {old.id: np.empty((10 + int(old.id[-3:]), 0)) for old in there}
        commit(store, writer, feature, (*there, item), {**lengths, **rows})


def die_before(uri: str, lengths: list[int], what: str, seconds: float) -> None:
    """Build as `store_cases.fill` does, and be killed at a boundary of the commit."""
    leases.LEASE_SECONDS = seconds
    _arm(what)
    from tests.store.store_cases import fill

    fill(Store.open(uri), spec(), lengths)


def _arm(what: str) -> None:
    from store import log, receipts, writer

    places = {
        "receipt": (receipts, "write_document", 2),
        "snapshot": (writer, "write_snapshot", 1),
        "entry": (log, "create_document", 1),
        "head": (log, "write_document", 1),
    }
    module, name, count = places[what]
    real = getattr(module, name)
    calls = [0]

    def killing(*arguments, **named):
        calls[0] += 1
        if calls[0] == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)

    setattr(module, name, killing)
