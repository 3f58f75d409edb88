"""Small reads straight from the shard files give what Zarr gives, and find damage."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from store import shards
from store.arrays import geometry, open_array, read_rows
from store.errors import StoreError
from store.feature_store import FeatureStore
from store.shards import ShardFiles
from tests.store.store_cases import fill, spec

CASES = [(spec((16,)), None), (spec((3, 8), "float16"), 1), (spec(()), None)]


@pytest.mark.parametrize(("feature", "layer"), CASES)
def test_direct_reads_are_zarrs_reads(store, feature, layer):
    fill(store, feature, [700, 9000, 1, 20, 5000])
    path, cut = store.layout.array(feature.digest, "toy"), geometry(feature)
    files, array = ShardFiles(path, cut), open_array(path)
    rng = np.random.default_rng(0)
    for start in rng.integers(0, array.shape[0] - 1, 40).tolist():
        stop = min(start + int(rng.integers(1, 3000)), array.shape[0])
        np.testing.assert_array_equal(files.read(start, stop, layer), read_rows(array, start, stop, layer))
    whole = files.read(0, array.shape[0], layer)
    np.testing.assert_array_equal(whole, read_rows(array, 0, array.shape[0], layer))
    assert files.serves(layer)
    assert not files.serves(0 if layer is None else None)


def damaged(store, feature, change):
    path = store.layout.array(feature.digest, "toy") / "c/0/0"
    path.write_bytes(change(path.read_bytes()))
    return FeatureStore.open(store.path, checked=False)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: data[:-30] + bytes([data[-30] ^ 1]) + data[-29:],
        lambda data: data[:-7],
        lambda data: data[:3],
        lambda data: data[:0],
    ],
)
def test_damage_is_found_even_where_values_go_unchecked(store, change):
    feature = spec((16,))
    fill(store, feature, [30])
    reader = damaged(store, feature, change)
    with pytest.raises(StoreError, match="run verify"):
        reader.read("mel", "toy/u000")


def test_a_lost_shard_is_nan_unchecked_and_an_error_checked(store):
    feature = spec((16,))
    fill(store, feature, [30])
    (store.layout.array(feature.digest, "toy") / "c/0/0").unlink()
    assert np.isnan(FeatureStore.open(store.path, checked=False).read("mel", "toy/u000")).all()
    with pytest.raises(StoreError, match="other values"):
        FeatureStore.open(store.path).read("mel", "toy/u000")


def test_the_index_of_a_shard_is_of_the_file_that_is_there(store, tmp_path):
    """A reader that lives on sees a file that was put back from a backup, and one that was lost."""
    feature = spec((16,))
    rows = fill(store, feature, [3000]).rows["toy/u000"]
    path = store.layout.array(feature.digest, "toy")
    reader, array, shard = (
        FeatureStore.open(store.path, checked=False),
        open_array(path, mode="r+"),
        path / "c/0/0",
    )
    np.testing.assert_array_equal(reader.read("mel", "toy/u000"), rows)
    shutil.copyfile(shard, tmp_path / "backup")
    array[:3000] = 0.0  # packs to less, so that each chunk lies elsewhere
    assert not reader.read("mel", "toy/u000").any()
    os.replace(tmp_path / "backup", shard)
    np.testing.assert_array_equal(reader.read("mel", "toy/u000"), rows)
    shard.unlink()
    assert np.isnan(reader.read("mel", "toy/u000")).all()


def test_few_indexes_are_kept(store, monkeypatch):
    monkeypatch.setattr(shards, "MOST_INDEXES", 3)
    feature = spec((16,), kind="utterance")  # shards of 512 rows
    fill(store, feature, [512 * 8])
    path = store.layout.array(feature.digest, "toy")
    files, array = ShardFiles(path, geometry(feature)), open_array(path)
    for start in (*range(0, 512 * 8, 100), 7, 600):
        stop = min(start + 50, 512 * 8)
        np.testing.assert_array_equal(files.read(start, stop, None), read_rows(array, start, stop))
        assert 0 < len(files._indexes) <= 3


def read_there(reader, told):
    told.put({name: reader.read("mel", name) for name in ("toy/u001", "toy/u000")})


HANDED_ON = """
import sys
from multiprocessing import get_context
import numpy as np
from store.feature_store import FeatureStore
from tests.store.test_store_shards import read_there

if __name__ == "__main__":
    reader = FeatureStore.open(sys.argv[1])
    reader.read("mel", "toy/u000")
    processes = get_context(sys.argv[2])
    told = processes.Queue()
    process = processes.Process(target=read_there, args=(reader, told), daemon=True)
    process.start()
    found = told.get(timeout=100)
    np.savez(sys.argv[3], there=list(found.values()), here=[reader.read("mel", name) for name in found])
"""


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_a_reader_that_has_read_goes_on_in_another_process(store, tmp_path, way):
    filled = fill(store, spec((16,)), [900, 900])
    script, kept = tmp_path / "handed_on.py", tmp_path / "found.npz"
    script.write_text(HANDED_ON, encoding="utf-8")
    # In a process of its own: this one may hold threads of earlier tests, which a fork would lose.
    command = [sys.executable, str(script), str(store.path), way, str(kept)]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180, env=paths)
    assert done.returncode == 0, done.stderr
    with np.load(kept) as found:
        for where in ("there", "here"):
            for rows, name in zip(found[where], ("toy/u001", "toy/u000"), strict=True):
                np.testing.assert_array_equal(rows, filled.rows[name])
