"""A store on S3 gives what the same store in a folder gives, through every door."""

import html
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from store.catalogue import Store
from store.diff import diff
from store.errors import ConfigurationError, ObjectStoreError, StoreError
from store.feature_store import FeatureStore
from store.garbage import collect, find_garbage
from store.objects import ObjectPath, place
from store.repair import repair
from store.stats import stats
from store.verify import verify
from tests.pipeline.build_cases import Loudness, PhoneMeans, inputs, recorded
from tests.store.store_cases import commit, fill, spec, utterance, values, write

PAGE = Path(__file__).parents[2] / "docs" / "s3.md"


def same(left, right):
    """Say whether two readers give the same rows of everything."""
    assert [item.id for item in left.utterances] == [item.id for item in right.utterances]
    for feature in left.specs:
        for item in left.utterances:
            np.testing.assert_array_equal(left.read(feature, item.id), right.read(feature, item.id))


@pytest.mark.parametrize("feature", [spec((16,)), spec((3, 8), "float16")])
def test_a_store_on_s3_is_the_store_in_a_folder(uri, tmp_path, feature):
    folder, remote = Store.create(tmp_path / "store"), Store.create(uri)
    for store in (folder, remote):
        made = fill(store, feature, [30, 700, 0, 20])
        late = utterance(9, corpus="Ähre & co %41", emotion="fear")
        items, rows = [*made.utterances[1:], late], {**made.rows, late.id: values(feature, 11)}
        with store.writer() as writer:
            write(store, writer, feature, [late], rows)
            commit(store, writer, feature, items, rows)
        assert verify(store) == ()
    assert remote.head().snapshot == folder.head().snapshot
    assert [item.snapshot for item in remote.commits()] == [item.snapshot for item in folder.commits()]
    for snapshot in (None, made.commit.snapshot[:9]):
        same(FeatureStore.open(tmp_path / "store", snapshot), FeatureStore.open(uri, snapshot))
    reader = FeatureStore.open(uri)
    assert reader.array(feature, "toy").compute().shape[1:] == feature.dims
    assert reader.index(feature, "toy").num_rows == 3
    relative = {path.relative_to(remote.path).as_posix() for path in remote.path.rglob("*") if path.is_file()}
    here = {path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*") if path.is_file()}
    assert relative - here == {item for item in relative if item.startswith(("claims/", "writer.lock/"))}
    assert here - relative == {"writer.lock"}


@pytest.mark.slow
def test_dask_workers_build_on_s3(uri, tmp_path):
    from pipeline.build import rebuild

    made = []
    for address, workers in ((str(tmp_path / "store"), 0), (uri, 2)):
        store = Store.create(address)
        given = inputs(store, tmp_path, [recorded(tmp_path, number) for number in range(1, 8)])
        done = rebuild(store, given, (Loudness(), PhoneMeans(Loudness().spec)), workers=workers)
        assert done.report.computed == 14
        made.append(done.commit)
    assert made[0].snapshot == made[1].snapshot
    same(FeatureStore.open(tmp_path / "store"), FeatureStore.open(uri))
    again = rebuild(store, given, (Loudness(), PhoneMeans(Loudness().spec)))
    assert (again.report.computed, again.report.kept, again.commit) == (0, 14, made[1])


def test_repair_drops_what_is_damaged_and_a_build_makes_it_anew(uri):
    feature, store = spec((3, 8)), Store.create(uri)
    made = fill(store, feature, [30, 40, 20, 20])
    array = store.layout.array(feature.digest, "toy")
    (array / "c/0/1/0").unlink()
    (array / "zarr.json").unlink()
    done = repair(store)
    assert set(done.lost) == {item.id for item in made.utterances[:3]}
    assert any(path.endswith("zarr.json") for path in done.restored)
    assert fill(store, feature, [30, 40, 20, 20]).commit.snapshot == made.commit.snapshot
    assert verify(store) == ()


def test_gc_keeps_what_a_tag_needs_and_takes_the_rest(uri):
    feature, store = spec(), Store.create(uri)
    made = fill(store, feature, [30, 40, 20, 20])
    store.tag("first", None)
    with store.writer() as writer:
        commit(store, writer, feature, made.utterances[:2], made.rows)
    assert diff(store, "first", None).removed == tuple(item.id for item in made.utterances[2:])
    assert not [item for item in find_garbage(store).removals if item.kind != "alignments"]
    store.untag("first")
    with pytest.raises(StoreError, match="tags: none"):
        store.untag("first")
    before = stats(store).total
    kinds = {item.kind for item in collect(store).removals}
    assert {"snapshot", "shard", "receipt", "manifest", "commit"} <= kinds
    assert verify(store) == ()
    assert stats(store).total == before
    assert [item.number for item in store.commits()] == [2]


def test_every_store_command_works_on_an_address(uri, capsys):
    store = Store.create(uri)
    fill(store, spec(), [3, 4])
    fill(store, spec(), [3, 4, 5])
    for words in ("tag best", "ls", "log", "show best", "diff best", "stats", "verify", "gc --dry-run", "gc",
                  "repair", "untag best"):  # fmt: skip
        assert main(["store", *words.split(), "--store", uri, "--json"]) == 0, words
        json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "fault",
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "403 Forbidden"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "403 Forbidden"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "no connection"),
    ],
)
def test_a_server_that_refuses_or_is_down_is_one_clear_line(uri, server, monkeypatch, capsys, fault):
    changes, found = fault
    if not server.real and "AWS_ENDPOINT_URL" not in changes:
        pytest.skip("moto lets everybody in")
    store = Store.create(uri)
    fill(store, spec(), [3, 4])
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    assert main(["store", "ls", "--store", uri]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert re.fullmatch(f"phonanchor: expected .*{found}.*AWS_ENDPOINT_URL.*\n", err)
    for action in (lambda: Store.create(uri), lambda: verify(store), lambda: store.writer().__enter__()):
        with pytest.raises(ObjectStoreError, match=found):  # never StoreError, which repair takes for damage
            action()


def test_a_bucket_that_is_not_there_is_named(uri, capsys):
    absent = uri.replace("phonanchor/", "no-such-bucket/")
    assert main(["store", "ls", "--store", absent]) == 2
    assert re.fullmatch("phonanchor: .*no-such-bucket.*no such bucket.*\n", capsys.readouterr().err)
    with pytest.raises(ObjectStoreError, match=r"NoSuchBucket|no such bucket"):
        Store.create(absent)


def test_an_address_without_a_store_or_with_something_else_is_refused(uri):
    with pytest.raises(StoreError, match=r"no phonanchor\.json"):
        Store.open(uri)
    (place(uri) / "other").write_bytes(b"x")
    with pytest.raises(StoreError, match="other files"):
        Store.create(uri)
    for odd in ("s3://", "s3:///x", "s3://bucket//x", "s3://bucket/../x"):
        with pytest.raises(ConfigurationError, match="s3://bucket/prefix"):
            place(odd)


def test_an_object_path_never_reaches_for_the_file_system(uri):
    path = place(uri) / "x"
    assert isinstance(path, ObjectPath)
    for action in (
        path.open,
        path.mkdir,
        path.touch,
        path.resolve,
        lambda: path.rename("y"),
        lambda: os.stat(path),
    ):
        with pytest.raises(TypeError, match="no path of the file system"):
            action()


def test_the_catalogue_of_a_store_on_s3_reads_with_the_address(uri, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(Store.create(uri), spec(), [3, 4])
    assert main(["store", "html", "page.html", "--store", uri]) == 0
    page = html.unescape((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert f"FeatureStore.open({uri!r}, " in page
    assert "import zarr" not in page  # which would need s3fs and settings of the server
