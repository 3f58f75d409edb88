"""A server that overwrites in spite of If-None-Match may be read from, and is never written to."""

import os
from pathlib import Path

import numpy as np
import pytest

from store.catalogue import Store
from store.errors import StoreError
from store.feature_store import FeatureStore
from store.verify import verify
from tests.s3.conftest import BUCKET, KEY, RCLONE, SECRET, Server, free_port, serving
from tests.store.store_cases import fill, spec


@pytest.fixture
def rclone(tmp_path, monkeypatch):
    """The folder whose folders rclone serves as buckets."""
    assert RCLONE, "rclone is part of the test extra"
    (tmp_path / "served" / BUCKET).mkdir(parents=True)
    port = free_port()
    where = ("--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}", "--config", os.devnull)
    with serving(RCLONE, "serve", "s3", str(tmp_path / "served"), *where, port=port) as endpoint:
        for name, value in Server(endpoint, real=True).variables.items():
            monkeypatch.setenv(name, value)
        yield tmp_path / "served" / BUCKET


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_new_store_is_refused_and_nothing_is_left(rclone):
    with pytest.raises(StoreError, match=r"honours conditional puts .* found one that overwrites"):
        Store.create(f"s3://{BUCKET}/features")
    assert files(rclone) == set()


def test_a_store_that_lies_there_is_read_but_not_written(rclone):
    made = fill(Store.create(rclone / "features"), spec((3, 8)), [30, 700, 20])
    before = files(rclone)
    uri = f"s3://{BUCKET}/features"
    reader = FeatureStore.open(uri)
    for item in made.utterances:
        np.testing.assert_array_equal(reader.read(spec((3, 8)), item.id), made.rows[item.id])
    assert verify(Store.open(uri)) == ()
    for action in (
        lambda: Store.open(uri).writer().__enter__(),
        lambda: Store.open(uri).tag("best", None),
        lambda: Store.create(uri),
    ):
        with pytest.raises(StoreError, match="conditional puts"):
            action()
    assert files(rclone) == before
