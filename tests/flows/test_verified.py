"""A snapshot is verified until that has ended well once, and again when it changed."""

import shutil

import pytest

from flows.verified import verify_once
from store.catalogue import Store
from store.errors import StoreError
from tests.store.store_cases import fill, spec


@pytest.fixture
def store(tmp_path):
    store = Store.create(tmp_path / "store")
    fill(store, spec((16,)), [30, 40])
    return store


def test_a_snapshot_is_verified_once_and_again_when_it_changed(store, tmp_path):
    snapshot = store.resolve(None).snapshot
    assert verify_once(tmp_path, store, snapshot, changed=False)
    assert not verify_once(tmp_path, store, snapshot, changed=False)
    assert verify_once(tmp_path, store, snapshot, changed=True)


def test_a_verification_that_fails_is_done_again(store, tmp_path):
    commit = store.resolve(None)
    verify_once(tmp_path, store, commit.snapshot)
    shutil.rmtree(store.layout.arrays)
    for changed in (True, False):
        with pytest.raises(StoreError, match="the first"):
            verify_once(tmp_path, store, commit.snapshot, changed=changed)


def test_a_killed_verification_is_done_again(store, tmp_path):
    commit = store.resolve(None)
    verify_once(tmp_path, store, commit.snapshot)

    def killed(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify_once(tmp_path, store, commit.snapshot, killed, changed=True)
    assert verify_once(tmp_path, store, commit.snapshot, changed=False)
