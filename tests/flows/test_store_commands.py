"""The store commands on a small store, for people and as JSON."""

import json

import pytest

from store.catalogue import Store
from store.export_log import Export, record
from store.garbage import find_garbage
from tests.store.store_cases import commit, fill, spec, utterance, values, write

FEATURE = spec((16,))


@pytest.fixture
def store(tmp_path):
    """A store with two commits: three utterances, then the last of them with a new one."""
    store = Store.create(tmp_path / "work" / "store")
    made = fill(store, FEATURE, [30, 40, 50], item_size=1)
    late = utterance(7, emotion="fear")
    rows = {**made.rows, late.id: values(FEATURE, 60)}
    with store.writer() as writer:
        write(store, writer, FEATURE, [late], rows)
        commit(store, writer, FEATURE, [made.utterances[2], late], rows)
    return store


@pytest.fixture
def ok(phonanchor):
    """Run a store command that must succeed; return what it prints."""

    def run(*arguments):
        code, out, err = phonanchor("store", *arguments)
        assert (code, err) == (0, "")
        return out

    return run


def test_the_log_has_the_newest_first(store, ok):
    first, second = store.commits()
    ok("tag", "paper", first.snapshot)
    rows = json.loads(ok("log", "--json"))["commits"]
    assert [row["number"] for row in rows] == [2, 1]
    assert [row["snapshot"] for row in rows] == [second.snapshot, first.snapshot]
    assert [row["tags"] for row in rows] == [[], ["paper"]]
    assert rows[0]["specs"] == [{"name": "mel", "version": 1, "digest": FEATURE.digest}]
    assert rows[0]["lineage"] == {"code": "1"}
    text = ok("log")
    assert text.index(second.snapshot[:12]) < text.index(first.snapshot[:12])
    assert "[paper]" in text


def test_diff_names_utterances_and_features(store, ok):
    first, second = (item.snapshot for item in store.commits())
    text = ok("diff", first[:8], second[:8])
    assert "utterances added: 1: toy/u007" in text
    assert "utterances removed: 2: toy/u000, toy/u001" in text
    assert f"feature mel ({FEATURE.digest[:12]}): rows of 1 utterances are the same" in text
    found = json.loads(ok("diff", first, "--json"))  # the newest is the other end by default
    assert (found["before"]["snapshot"], found["after"]["snapshot"]) == (first, second)
    assert (found["added"], found["removed"]) == (["toy/u007"], ["toy/u000", "toy/u001"])
    assert found["specs"][0]["removed"] == ["toy/u000", "toy/u001"]
    assert "no difference" in ok("diff", second)
    assert json.loads(ok("diff", second, "--json"))["differs"] is False


def test_many_names_are_cut_short_for_people_only(tmp_path, ok):
    store = Store.create(tmp_path / "work" / "store")
    made = fill(store, FEATURE, [5] * 15, item_size=15)
    with store.writer() as writer:
        commit(store, writer, FEATURE, made.utterances[:1], made.rows)
    assert "and 4 more (--json names all)" in ok("diff", made.commit.snapshot)
    assert len(json.loads(ok("diff", made.commit.snapshot, "--json"))["removed"]) == 14


def test_tags_come_and_go(store, ok, phonanchor):
    first, second = store.commits()
    assert f"snapshot {first.snapshot[:12]}" in ok("tag", "paper", first.snapshot)
    assert store.tags() == {"paper": first.snapshot}
    assert json.loads(ok("tag", "paper", "--json")) == {
        "tag": "paper",
        "number": 2,
        "snapshot": second.snapshot,
    }
    assert "paper" in ok("untag", "paper")
    assert store.tags() == {}
    code, _, err = phonanchor("store", "untag", "paper")
    assert (code, "expected a tag paper" in err) == (2, True)
    code, _, err = phonanchor("store", "tag", "../paper")
    assert (code, "separators" in err) == (2, True)
    ok("tag", "paper")
    assert json.loads(ok("untag", "paper", "--json")) == {"untagged": "paper"}
    assert " is commit 2" in ok("tag", "cafe\u0301")  # the same name in another form of Unicode
    assert ok("untag", "cafe\u0301") == "removed the tag cafe\u0301\n"


def test_stats_by_feature_and_corpus(store, ok):
    found = json.loads(ok("stats", "--json"))
    assert found["snapshot"] == store.commits()[1].snapshot
    assert found["total"]["rows"] == 110
    assert found["total"]["raw_bytes"] == 110 * 16 * 4
    assert found["total"]["ratio"] == found["total"]["stored_bytes"] / found["total"]["raw_bytes"]
    assert [row["corpus"] for row in found["by_corpus"]] == ["toy"]
    assert json.loads(ok("stats", store.commits()[0].snapshot, "--json"))["total"]["rows"] == 120
    lines = ok("stats").splitlines()
    assert lines[1].split() == ["feature", "corpus", "utterances", "rows", "hours", "raw", "stored", "ratio"]
    assert lines[2].split()[:4] == ["mel", "toy", "2", "110"]
    assert lines[-1].split()[:4] == ["all", "all", "2", "110"]


def test_gc_says_what_would_go_then_removes_it(store, ok, phonanchor):
    first = store.commits()[0].snapshot
    would = json.loads(ok("gc", "--dry-run", "--json"))
    assert "would remove commit 1" in ok("gc", "--dry-run")
    assert [item["number"] for item in would["dropped"]] == [1]
    assert [item["path"] for item in would["removed"] if item["kind"] == "shard"] == [
        f"arrays/{FEATURE.digest}/toy/values/c/{number}/0" for number in (0, 1)
    ]
    assert len(store.commits()) == 2
    done = json.loads(ok("gc", "--json"))
    assert done == {**would, "dry_run": False}
    assert not any((store.path / item["path"]).exists() for item in done["removed"])
    assert "is whole" in ok("verify")
    assert "1 older commits were removed" in ok("log")
    assert "removed 0 B in all; 1 commits stay" in ok("gc")
    code, _, err = phonanchor("store", "show", first)
    assert (code, "removed by garbage collection" in err) == (2, True)


def test_gc_leaves_what_is_tagged_or_asked_for(store, ok, phonanchor):
    ok("tag", "paper", store.commits()[0].snapshot)
    assert "would remove 0 B" in ok("gc", "--dry-run")
    ok("untag", "paper")
    assert "would remove 0 B" in ok("gc", "--dry-run", "--keep", "2")
    assert find_garbage(store).dropped == store.commits()[:1]
    assert phonanchor("store", "gc", "--keep", "0")[0] == 2


def test_a_flipped_byte_is_named_dropped_and_made_anew(store, ok, phonanchor):
    snapshot = store.head().snapshot
    shard = store.layout.array(FEATURE.digest, "toy") / "c/2/0"
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    code, out, err = phonanchor("store", "verify")
    assert code == 2
    assert "chunk fails its checksum (1 utterances: toy/u002)" in out
    assert "store repair" in err
    out = ok("repair")
    assert f"dropped    arrays/{FEATURE.digest}/toy/values/c/2/0" in out
    assert "lost       rows of 1 utterances: toy/u002" in out
    again = json.loads(ok("repair", "--json"))
    assert (again["dropped"], again["lost"]) == ([], ["toy/u002"])
    items, rows = [utterance(2), utterance(7, emotion="fear")], {}
    rows["toy/u002"], rows["toy/u007"] = values(FEATURE, 50, 2), values(FEATURE, 60)
    with store.writer() as writer:
        write(store, writer, FEATURE, items[:1], rows)
        assert commit(store, writer, FEATURE, items, rows).snapshot == snapshot
    assert "is whole" in ok("verify")
    assert "is whole\n" in ok("repair")


def test_exports_are_listed_oldest_first(store, ok):
    assert ok("exports") == "no export was registered\n"
    entry = Export(
        created="2031-01-02T03:04:05+00:00", format="parquet", destination="/data/ö", host="desk",
        snapshot="a" * 64, commit=2, features=("mel",), specs=(FEATURE.digest,), corpora=("toy",),
        licences=("CC0",), utterances=2, files=1, bytes=2048,
    )  # fmt: skip
    record(store.layout, entry)
    assert "parquet  desk:/data/ö  snapshot aaaaaaaaaaaa: mel of toy (2 utterances, 2.0 KiB)" in ok("exports")
    (found,) = json.loads(ok("exports", "--json"))
    assert found["specs"] == [FEATURE.digest]
    assert found["corpora"] == ["toy"]


def test_a_lost_spec_is_named(store, phonanchor):
    store.layout.spec(FEATURE.digest).unlink()
    for command in ("log", "ls", "show"):
        code, _, err = phonanchor("store", command)
        assert (code, f"specs/{FEATURE.digest}.json; found no such file" in err) == (2, True)
