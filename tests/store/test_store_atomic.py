import multiprocessing
import os
import signal

import pytest

from store.atomic import exclusive_lock, folder_aside, replace_folder, write_bytes, write_text
from store.documents import read_document, write_document
from store.errors import StoreError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def broken(*_):
    raise OSError(28, "No space left on device")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside(tmp_path, monkeypatch):
    write_text(tmp_path / "a", "old")
    for step in ("replace", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, broken)
            with pytest.raises(StoreError, match="No space left on device"):
                write_bytes(tmp_path / "a", b"new")
        assert (tmp_path / "a").read_text() == "old"
        assert names(tmp_path) == ["a"]


def test_a_path_below_a_file_cannot_be_written(tmp_path):
    write_text(tmp_path / "a", "x")
    with pytest.raises(StoreError, match="to write"):
        write_text(tmp_path / "a" / "b", "y")


def fill_and_fail(path):
    with folder_aside(path) as folder:
        (folder / "x").write_text("half")
        raise ZeroDivisionError


def test_a_folder_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    with pytest.raises(ZeroDivisionError):
        fill_and_fail(tmp_path / "f")
    assert names(tmp_path) == []
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", broken)
        with pytest.raises(StoreError), folder_aside(tmp_path / "f") as folder:
            (folder / "x").write_text("whole")
    assert names(tmp_path) == []
    with folder_aside(tmp_path / "f") as folder:
        (folder / "x").write_text("whole")
    assert names(tmp_path) == ["f"]
    assert (tmp_path / "f" / "x").read_text() == "whole"


def test_a_folder_that_exists_is_kept(tmp_path):
    for name in ("new", "final"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(name)
    replace_folder(tmp_path / "new", tmp_path / "final")
    assert names(tmp_path) == ["final"]
    assert (tmp_path / "final" / "x").read_text() == "final"


def hold(path, ready):
    with exclusive_lock(path):
        ready.set()
        signal.pause()


def test_a_lock_names_its_holder_and_goes_with_it(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold, args=(tmp_path / "lock", ready))
    process.start()
    try:
        assert ready.wait(60)
        with pytest.raises(StoreError, match=f"process {process.pid} on "), exclusive_lock(tmp_path / "lock"):
            pass
    finally:
        process.kill()
        process.join()
    with exclusive_lock(tmp_path / "lock"):
        assert f"process {os.getpid()}" in (tmp_path / "lock").read_text()


def test_a_document_comes_back_and_damage_is_noticed(tmp_path):
    path = tmp_path / "d.json"
    write_document(path, {"name": "é", "list": [1, {"x": None}]})
    assert read_document(path) == {"name": "é", "list": [1, {"x": None}]}
    whole = path.read_text()
    for text, found in (
        (whole.replace("é", "e"), "another content"),
        (whole[:-20], "no readable document"),
        (whole.replace('"version": 1', '"version": 2'), "version 2"),
        ("[]", "no readable document"),
    ):
        path.write_text(text)
        with pytest.raises(StoreError, match=found):
            read_document(path)
    path.unlink()
    with pytest.raises(StoreError, match="no such file"):
        read_document(path)
