"""A joined view through PyTorch: padding, spawned workers, and a stream that loses and repeats nothing."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from store.errors import ConfigurationError
from store.feature_store import FeatureStore
from store.torch_dataset import Batch, JoinedDataset, ShardStream, collate
from tests.store.store_cases import Filled, fill, spec

SPAWN = {"num_workers": 2, "multiprocessing_context": "spawn", "timeout": 120}


@pytest.fixture
def filled(store) -> Filled:
    """Forty utterances of 0 to 3 thousand rows in some thirty shards."""
    lengths = np.random.default_rng(5).integers(1, 3000, 40)
    return fill(store, spec((16,), kind="phones"), lengths.tolist(), item_size=2)


@pytest.fixture
def joined(store, filled):
    return FeatureStore.open(store.path).dataset(["mel"])


def ids(batches) -> list[str]:
    return [row.utterance for batch in batches for row in batch.rows]


def check_values(batch: Batch, filled: Filled) -> None:
    mask = batch.mask("mel")
    for at, row in enumerate(batch.rows):
        np.testing.assert_array_equal(batch.features["mel"][at][mask[at]], filled.rows[row.utterance])
        assert not batch.features["mel"][at][~mask[at]].any()


def test_batches_are_padded_and_carry_labels_and_licences(joined, filled):
    loader = DataLoader(JoinedDataset(joined), batch_size=16, shuffle=True, collate_fn=collate)
    batches = list(loader)
    assert [len(batch.rows) for batch in batches] == [16, 16, 8]
    assert sorted(ids(batches)) == [item.id for item in filled.utterances]
    for batch in batches:
        check_values(batch, filled)
        assert batch.targets.dtype == torch.int64
        assert {row.licence for row in batch.rows} == {"CC0"}
    assert JoinedDataset(joined)[3].row.utterance == "toy/u003"


def test_the_stream_yields_each_utterance_once_in_an_order_of_seed_and_epoch(joined, filled):
    stream = ShardStream(joined, batch_size=8, seed=1)
    orders = {}
    for epoch in (0, 1):
        stream.set_epoch(epoch)
        batches = list(stream)
        assert [len(batch.rows) for batch in batches] == [8] * 5
        assert [batch.number for batch in batches] == [0, 1, 2, 3, 4]
        orders[epoch] = ids(batches)
        assert sorted(orders[epoch]) == [item.id for item in filled.utterances]
        for batch in batches:
            check_values(batch, filled)
    assert orders[0] != orders[1]
    assert ids(ShardStream(joined, batch_size=8, seed=1)) == orders[0]
    assert ids(ShardStream(joined, batch_size=8, seed=2)) != orders[0]
    assert ids(ShardStream(joined, batch_size=7, shuffle=False)) == sorted(orders[0])


def test_the_stream_reads_a_window_of_shards_at_a_time(joined, monkeypatch):
    stream = ShardStream(joined, batch_size=4, window_bytes=512 * 1024)
    asked = []
    read = joined.store.for_each
    monkeypatch.setattr(joined.store, "for_each", lambda *a, **k: asked.append(a[1]) or read(*a, **k))
    seen = ids(stream)
    assert list(chain.from_iterable(asked)) == seen
    assert max(sum(joined.store.place("mel", name).length for name in some) * 64 for some in asked) < 2**21
    assert len(asked) > 4


@pytest.mark.parametrize(("rank", "world"), [(0, 1), (1, 3)])
def test_processes_share_an_epoch_without_overlap(joined, rank, world):
    whole = ids(ShardStream(joined, batch_size=3))
    shares = [ids(ShardStream(joined, batch_size=3, rank=at, world=world)) for at in range(world)]
    assert sorted(chain.from_iterable(shares)) == sorted(whole)
    assert 0 < len(shares[rank]) <= len(whole)


def test_a_stream_goes_on_where_another_stopped(joined):
    first = ShardStream(joined, batch_size=6, seed=3)
    first.set_epoch(2)
    batches = iter(first)
    used = [next(batches) for _ in range(3)]
    for batch in used:
        first.done(batch)
    state = json.loads(json.dumps(first.state_dict()))
    second = ShardStream(joined, batch_size=6, seed=3)
    second.load_state_dict(state)
    rest = list(second)
    assert sorted(ids(used) + ids(rest)) == sorted(row.utterance for row in joined)
    second.set_epoch(3)
    assert len(ids(second)) == len(joined)
    with pytest.raises(ConfigurationError, match="seed 3, batch_size 6"):
        ShardStream(joined, batch_size=5).load_state_dict(state)
    for settings, named in (({"window_bytes": 1}, "window_bytes"), ({"shuffle": False}, "shuffle True")):
        with pytest.raises(ConfigurationError, match=named):
            ShardStream(joined, batch_size=6, seed=3, **settings).load_state_dict(state)
    other = replace(joined, rows=joined.rows[1:])
    with pytest.raises(ConfigurationError, match="the same data"):
        ShardStream(other, batch_size=6, seed=3).load_state_dict(state)


@pytest.mark.slow
def test_spawned_workers_read_each_utterance_once(joined, filled):
    """Workers that live on between epochs, and a run that goes on with another number of them."""
    everything = [item.id for item in filled.utterances]
    loader = DataLoader(
        JoinedDataset(joined), batch_size=16, collate_fn=collate, **{**SPAWN, "num_workers": 1}
    )
    assert ids(loader) == everything
    stream = ShardStream(joined, batch_size=6, seed=4)
    loader = DataLoader(stream, batch_size=None, persistent_workers=True, **SPAWN)
    orders = []
    for epoch in (0, 1):
        stream.set_epoch(epoch)
        batches = list(loader)
        orders.append(ids(batches))
        assert sorted(orders[-1]) == everything
        for batch in batches:
            check_values(batch, filled)
    assert orders[0] != orders[1]
    for batch in batches[:4]:
        stream.done(batch)
    other = ShardStream(joined, batch_size=6, seed=4)
    other.load_state_dict(stream.state_dict())
    assert sorted(ids(other) + ids(batches[:4])) == everything


FORKED = """
import sys
from torch.utils.data import DataLoader
from store.feature_store import FeatureStore
from store.torch_dataset import ShardStream

store = FeatureStore.open(sys.argv[1])
stream = ShardStream(store.dataset(["mel"]), batch_size=2)
next(iter(stream))
list(DataLoader(stream, batch_size=None, num_workers=1, multiprocessing_context="fork", timeout=60))
"""


def test_forked_workers_are_refused_before_they_hang(store, filled):
    """In a process of its own, since PyTorch's loader sometimes complains once more when it is dropped."""
    command = [sys.executable, "-c", FORKED, str(store.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert "forked ones, in which Zarr hangs" in done.stderr


def test_bad_settings_are_named(joined):
    with pytest.raises(ConfigurationError, match="batch_size 0"):
        ShardStream(joined, batch_size=0)
    with pytest.raises(ConfigurationError, match="at least one feature"):
        JoinedDataset(joined.store.dataset([]))


def test_reading_needs_no_torch():
    code = "import sys, store.feature_store, store.streaming; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
