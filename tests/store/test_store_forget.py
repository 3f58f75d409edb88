from dataclasses import replace

import pytest

from store.catalogue import Store, write_item
from store.diff import diff
from store.errors import ConfigurationError, StoreError
from store.feature_store import FeatureStore
from store.forget import Request, forget, look, revoke
from store.forgotten import read_receipts
from store.garbage import collect
from store.repair import repair
from store.stats import stats
from store.tombstones import REASON
from store.verify_history import repair_history, verify_history
from tests.store.forget_cases import (
    DEEP,
    GONE,
    MEL,
    SPECS,
    history,
    put,
    readable,
    rows_of,
    stored_rows,
    traces,
    whole,
    words_of,
)
from tests.store.store_cases import alignment, values

ZAPHOD = Request(speakers=(f"toy/{GONE}",))


@pytest.fixture
def made(store):
    return history(store)


def clean(tmp_path, made, items, features=SPECS):
    """The id of a snapshot of the same recordings in a store that never saw the others."""
    return put(Store.create(tmp_path / "clean"), items, made.rows, features).snapshot


def private(made):
    """What names the forgotten person's recordings, but not the audio that Cleo's u008 has too."""
    shared = set(words_of(made.left))
    return [word for word in words_of(made.gone) if word not in shared]


def test_the_search_finds_what_is_there_before(store, made):
    found = {path.split("/")[0] for path, _ in traces(store.path, private(made))}
    assert found == {"manifests", "alignments", "snapshots", "receipts"}
    gone = {row.tobytes() for item in made.gone for row in made.rows[MEL.digest][item.id]}
    assert gone <= stored_rows(store)


def test_no_byte_of_the_person_stays(store, made):
    done = forget(store, ZAPHOD)
    assert traces(store.path, private(made)) == []
    stored = stored_rows(store)
    for feature in SPECS:
        rows = made.rows[feature.digest]
        kept = {row.tobytes() for item in made.left for row in rows[item.id]}
        gone = {row.tobytes() for item in made.gone for row in rows[item.id]}
        assert kept <= stored
        assert not (gone - kept) & stored
    assert not list(store.path.rglob(".tmp-*"))
    assert (done.speakers, done.utterances, done.shared) == (
        1,
        3,
        2,
    )  # shared with u008: u007 in both features
    assert done.blocks == 4
    assert done.bytes > 0
    assert read_receipts(store.layout) == (done,)


def test_every_snapshot_is_that_of_a_build_without_the_person(store, made, tmp_path):
    forget(store, ZAPHOD)
    early = tuple(item for item in made.items if item.speaker == "Anna")[:2]
    new = [commit.snapshot for commit in store.commits()]
    assert [commit.number for commit in store.commits()] == [1, 2, 3, 4]
    assert new[0] == clean(tmp_path / "a", made, early)
    assert new[1] == clean(tmp_path / "b", made, made.left)
    assert new[2] == clean(tmp_path / "c", made, made.left, (MEL,))
    assert new[3] == made.commits[3].snapshot  # never held the person, but lay in the same shards
    whole(store)
    assert readable(store, made, new[0], SPECS) == {item.id for item in early}
    assert readable(store, made, new[1], SPECS) == {item.id for item in made.left}
    assert readable(store, made, "late", SPECS) == {i.id for i in made.items if i.speaker == "Anna"}


def test_the_log_and_tags_follow(store, made):
    old = made.commits
    forget(store, ZAPHOD)
    new = store.commits()
    assert store.tags() == {"first": new[0].snapshot, "late": old[3].snapshot}
    assert diff(store, new[0].snapshot, new[1].snapshot).added
    assert stats(store, new[1].snapshot).total.utterances == 6
    assert new[1].lineage == {
        "manifest": new[1].manifest,
        "alignments": {"toy": {"table": new[1].alignments[0]}},
    }
    assert new[1].created == old[1].created
    for before, after in zip(old[:3], new[:3], strict=True):
        for ref in (before.snapshot, before.snapshot[:8]):
            with pytest.raises(StoreError, match=f"forgotten, see {after.snapshot[:12]}"):
                FeatureStore.open(store.path, ref)
    assert store.resolve(None).snapshot == old[3].snapshot


def test_the_manifest_counts_who_was_forgotten_without_a_name(store, made):
    forget(store, ZAPHOD)
    rows = [row for row in store.skipped(store.commits()[1].manifest) if row.reason == REASON]
    assert len({row.utterance for row in rows}) == 3
    assert {(row.corpus, row.path, row.stage) for row in rows} == {("toy", "", "forget")}
    assert store.unaligned(store.commits()[1].alignments[0])[0].utterance == "toy/bad2"


def test_a_rebuild_computes_nothing_and_gives_the_same_commit(store, made):
    forget(store, ZAPHOD)
    before = store.commits()[1].snapshot
    with store.writer() as writer:
        assert {len(writer.placed(feature, "toy")) for feature in SPECS} == {6}
    assert put(store, made.left, made.rows).snapshot == before


def test_nobody_forgotten_comes_back(store, made):
    forget(store, ZAPHOD)
    files = sorted(store.path.rglob("*"))
    for refused in (made.gone[:1], [made.items[0], made.gone[2]]):
        with pytest.raises(StoreError, match="1 that it forgot on request"):
            store.put_manifest(refused, [])
    renamed = [replace(made.gone[0], id="toy/x", speaker="y")]
    with pytest.raises(StoreError, match="forgot on request"):
        store.put_manifest(renamed, [])
    with pytest.raises(StoreError, match="forgot on request"):
        store.put_alignments("toy", "b" * 64, [alignment(made.gone[1])], [])
    assert sorted(store.path.rglob("*")) == files


def test_single_utterances_and_two_people_at_once(store, made, tmp_path):
    request = Request(speakers=(f"toy/{GONE}", "toy/Anna"), utterances=("toy/u002",))
    done = forget(store, request)
    assert (done.speakers, done.utterances) == (2, 7)
    left = tuple(item for item in made.items if item.speaker == "Cleo" and item.id != "toy/u002")
    assert store.commits()[1].snapshot == clean(tmp_path, made, left)
    gone = [item for item in made.items if item not in left]
    shared = set(words_of(left))
    assert traces(store.path, [word for word in words_of(gone) if word not in shared]) == []
    assert readable(store, made, store.commits()[1].snapshot, SPECS) == {item.id for item in left}
    assert FeatureStore.open(store.path).utterances == ()  # the newest commit held Anna alone
    whole(store)


def test_forgetting_twice_resolves_through_both(store, made):
    forget(store, ZAPHOD)
    forget(store, Request(speakers=("toy/Cleo",)))
    new = store.commits()[1].snapshot
    with pytest.raises(StoreError, match=f"forgotten, see {new[:12]}"):
        store.resolve(made.commits[1].snapshot)
    with pytest.raises(ConfigurationError, match="forgotten already by"):
        forget(store, ZAPHOD)
    whole(store)


def test_audio_that_another_recording_has_too_stays_and_is_named(store, made):
    seen = look(store, ZAPHOD)
    assert seen.twins == ("toy/u008",)
    assert {item.id for item in made.gone} == seen.utterances
    forget(store, ZAPHOD)
    put(store, made.left, made.rows)  # u008 is not taken for the forgotten u007


def test_looking_changes_nothing(store, made):
    before = {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()}
    look(store, ZAPHOD)
    assert {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("request_", "near"),
    [
        (Request(speakers=("toy/Zafod",)), "toy/Zaphod"),
        (Request(utterances=("toy/u01",)), "toy/u001"),
        (Request(), "no name"),
    ],
)
def test_somebody_unknown_is_an_error_with_near_names(store, made, request_, near):
    with pytest.raises(ConfigurationError, match=near):
        forget(store, request_)
    assert not store.layout.journal.exists()
    assert store.commits() == made.commits


def test_rows_that_gc_left_or_a_killed_build_wrote_go_too(store, made):
    with store.writer() as writer:  # Zaphod's rows alone, never committed
        (start,) = writer.reserve(DEEP, "toy", [30])
        write_item(store.path, DEEP, "toy", start, [("f" * 64, values(DEEP, 30, 99))])
    (store.layout.manifests / ".tmp-left").write_bytes(b"Zaphod")
    store.untag("first")
    collect(store)  # the commits that held Zaphod leave the log; shards shared with Anna stay
    assert any(row.tobytes() in stored_rows(store) for row in made.rows[MEL.digest]["toy/u001"])
    store.put_manifest(made.items, [])
    forget(store, ZAPHOD)
    stored = stored_rows(store)
    assert not any(
        row.tobytes() in stored for item in made.gone[:2] for row in made.rows[MEL.digest][item.id]
    )
    assert not any(row.tobytes() in stored for row in values(DEEP, 30, 99))
    assert traces(store.path, ["Zaphod", "f" * 64]) == []
    assert readable(store, made, None, SPECS)
    whole(store)


def test_consent_given_again_needs_a_revocation(store, made):
    done = forget(store, ZAPHOD)
    with pytest.raises(ConfigurationError, match=done.identifier):
        revoke(store, "x")
    assert revoke(store, done.identifier) == 1 + 3 + 2
    again = put(store, made.items, made.rows)
    assert again.snapshot == made.commits[1].snapshot
    assert store.resolve(made.commits[1].snapshot).number == 5
    whole(store)


def test_the_writers_lock_is_held_and_respected(store, made):
    with store.writer(), pytest.raises(StoreError, match=r"process \d+ on .* writing"):
        forget(store, ZAPHOD)
    assert store.commits() == made.commits


def test_damaged_rows_that_stay_can_be_repaired_before_the_next_try(store, made):
    shard = next(store.layout.array(MEL.digest, "toy").rglob("c/0/0"))
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(StoreError, match="whole chunks"):
        forget(store, ZAPHOD)
    assert not store.layout.journal.exists()
    assert not store.layout.staging.exists()
    assert repair(store, made.commits[1].snapshot).dropped
    for items in (made.items, made.left):
        put(store, items, made.rows)
    assert forget(store, ZAPHOD).utterances == 3
    assert traces(store.path, private(made)) == []


def test_lost_or_damaged_tombstones_are_found_and_keep_builds_away(store, made):
    forget(store, ZAPHOD)
    stones = store.layout.tombstones.read_bytes()
    for spoil in (lambda path: path.write_bytes(stones[:40]), lambda path: path.unlink()):
        spoil(store.layout.tombstones)
        assert [problem.where for problem in repair_history(store)][:1] == ["tombstones.json"]
        assert [problem.where for problem in verify_history(store)] == ["tombstones.json"]
        with pytest.raises(StoreError, match="tombstones"):
            put(store, made.left, made.rows)
    store.layout.tombstones.write_bytes(stones)
    assert verify_history(store) == ()


def test_a_forgetting_that_was_cut_off_is_reported_and_tags_wait(store, made, monkeypatch):
    monkeypatch.setattr("store.forget.finish", lambda *_: pytest.fail("cut off"))
    with pytest.raises(pytest.fail.Exception):
        forget(store, ZAPHOD)
    assert [problem.where for problem in verify_history(store)] == [store.layout.journal.name]
    for change in (lambda: store.tag("new", None), lambda: store.untag("first")):
        with pytest.raises(StoreError, match="a forget is unfinished"):
            change()


def test_a_damaged_receipt_is_found_and_dropped(store, made):
    done = forget(store, ZAPHOD)
    path = store.layout.forgotten / f"{done.identifier}.json"
    path.write_bytes(b"{}")
    assert [problem.where for problem in repair_history(store)] == [f"forgotten/{path.name}"]
    assert verify_history(store) == ()


def test_a_name_is_the_same_in_every_form_of_unicode(store, made):
    composed, parts = "Jos\u00e9", "Jose\u0301"
    other = replace(made.items[0], id="toy/u020", speaker=parts, audio_sha256=f"{20:064x}")
    put(store, (other,), rows_of((other,)))
    assert forget(store, Request(speakers=(f"toy/{composed}",))).utterances == 1
    again = replace(other, id="toy/u021", speaker=composed, audio_sha256=f"{21:064x}")
    with pytest.raises(StoreError, match="it forgot on request"):
        store.put_manifest([again], [])


@pytest.mark.parametrize("changes", [{}, {"id": "toy/e\u0301"}, {"id": "e\u0301/u1", "corpus": "e\u0301"}])
def test_names_that_cannot_be_told_apart_are_refused(store, made, changes):
    with pytest.raises(StoreError, match="each utterance once"):
        store.put_manifest([made.items[0], replace(made.items[0], **changes)], [])
