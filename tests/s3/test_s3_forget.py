"""Forgetting on S3 leaves what it leaves in a folder, also after it was cut off."""

import pytest

from store import forget_finish
from store.catalogue import Store
from store.errors import StoreError
from store.forget import Request, forget, resume
from tests.store.forget_cases import GONE, MEL, people, put, rows_of, traces, whole, words_of

ZAPHOD = Request(speakers=(f"toy/{GONE}",))
ITEMS = people()[:4]
LEFT = tuple(item for item in ITEMS if item.speaker != GONE)


def downloaded(store, folder):
    """Copy all objects of a store into a folder."""
    for item in store.path.rglob("*"):
        if item.is_file():
            path = folder / item.relative_to(store.path).as_posix()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(item.read_bytes())
    return folder


def test_forgetting_on_s3_leaves_what_it_leaves_in_a_folder(uri, tmp_path, monkeypatch):
    rows = rows_of(ITEMS)
    folder, remote = Store.create(tmp_path / "store"), Store.create(uri)
    for store in (folder, remote):
        put(store, ITEMS, rows, features=(MEL,))
        store.tag("all", None)
        put(store, LEFT, rows, features=(MEL,))
    forget(folder, ZAPHOD)
    real, done = forget_finish._move, []

    def move(*paths):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(real(*paths))

    with monkeypatch.context() as patch:
        patch.setattr(forget_finish, "_move", move)
        with pytest.raises(KeyboardInterrupt):
            forget(remote, ZAPHOD)
    with pytest.raises(StoreError, match="a forget is unfinished"), remote.writer():
        pass
    assert resume(remote) is not None
    assert [item.snapshot for item in remote.commits()] == [item.snapshot for item in folder.commits()]
    assert remote.tags() == folder.tags()
    whole(remote)
    gone = [item for item in ITEMS if item not in LEFT]
    assert traces(downloaded(remote, tmp_path / "copy"), words_of(gone)) == []
    assert not list(remote.path.rglob(".tmp-*"))
