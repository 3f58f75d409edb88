"""Damage on the way of a user: verify names it, repair drops it, the next build computes just that."""

import json

import pytest

from store.catalogue import Store

FEATURES = ("features", "--workers", "0", "--set", "build.features=logmel80")


@pytest.mark.slow
def test_a_flipped_byte_costs_one_rebuild_of_what_it_hit(phonanchor, pair, tmp_path):
    build = (*FEATURES, "--corpora", pair)
    code, out, err = phonanchor(*build)
    assert code == 0, err
    store = Store.open(tmp_path / "work" / "store")
    before = store.head()
    shard = sorted((store.layout.array(store.spec("logmel80").digest, "sample-cmn") / "c").rglob("0"))[-1]
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 0x10
    shard.write_bytes(data)

    code, out, err = phonanchor("store", "verify", "--json")
    assert code == 2
    (problem,) = json.loads(out)["problems"]
    assert problem["where"] == shard.relative_to(store.path).as_posix()
    assert all(name.startswith("sample-cmn/") for name in problem["utterances"])

    code, out, err = phonanchor("store", "repair", "--json")
    assert code == 0, err
    lost = json.loads(out)["lost"]
    assert set(problem["utterances"]) <= set(lost)
    assert 0 < len(lost) <= 24
    code, out, err = phonanchor(*build)
    assert code == 0, err
    assert f"computed {len(lost)} row blocks, kept {48 - len(lost)}" in out
    code, out, err = phonanchor("store", "verify", "--json")
    assert (code, json.loads(out)["problems"]) == (0, [])
    assert store.head() == before
    code, out, err = phonanchor("store", "gc", "--json")  # what was left of the damaged work item
    assert (code, json.loads(out)["dropped"]) == (0, [])
    assert phonanchor("store", "verify")[0] == 0
