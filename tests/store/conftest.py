import os

import pytest

from store.catalogue import Store


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path / "store")


@pytest.fixture(autouse=True, scope="session")
def no_fsync():
    """Tests pull no plug, and flushing thousands of small files is most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield
