"""People are forgotten by command: store, caches, later builds; what is out of reach is named."""

import json

import pytest

from flows.forget_elsewhere import holders
from pipeline.hash_cache import AudioFacts, Stamp, opened
from store.catalogue import Store
from store.errors import StoreError
from store.export_log import Export, record
from store.forget_journal import SWAP
from store.tables import write_records
from store.tombstones import REASON
from tests.store.forget_cases import GONE, history, put, traces, whole, words_of
from training.records import Prediction

SPEAKER = f"toy/{GONE}"


@pytest.fixture
def work(tmp_path):
    """The working folder of the commands; see `phonanchor`."""
    return tmp_path / "work"


@pytest.fixture
def made(work):
    made = history(Store.create(work / "store"))
    with opened(work / "cache" / "toy.json") as known:
        for item in made.items:
            facts = AudioFacts(item.audio_sha256, item.n_samples, item.sample_rate, 1)
            known.remember(f"/corpora/toy/{item.path}", Stamp(1, 2), facts)
    training = work / "cache" / "training"
    training.mkdir()
    for name, item in (("with", made.gone[0]), ("without", made.left[0])):
        content = {"predictions": [{"utterance": item.id}]}
        (training / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return made


@pytest.fixture
def store(work, made):
    return Store.open(work / "store")


def prediction(item):
    return Prediction(
        system="CL",
        seed=0,
        fold=0,
        utterance=item.id,
        speaker=item.speaker_key,
        emotion="anger",
        predicted="anger",
        probabilities=(1.0,),
    )


def exported(destination, commit):
    return Export(
        destination=destination, snapshot=commit.snapshot, corpora=("toy",), format="parquet", host="here",
        commit=commit.number, features=(), specs=(), licences=(), utterances=1, files=1, bytes=1,
        created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


def test_store_and_caches_are_cleaned_and_the_receipt_printed(phonanchor, work, made, store):
    code, out, err = phonanchor("store", "forget", "--speaker", SPEAKER, "--yes")
    assert (code, err) == (0, "")
    old, new = made.commits[1].snapshot[:12], store.commits()[1].snapshot[:12]
    assert "removed 3 utterances, 4 row blocks" in out
    assert f"snapshot {old} becomes {new}" in out
    assert "caches: 3 hashes, 1 saved training runs removed" in out
    assert "stays: toy/u008, with the audio of a forgotten utterance" in out
    assert "not seen: readers on a read-only mount, backups" in out
    private = [word for word in words_of(made.gone) if word not in words_of(made.left)]
    assert traces(work, private) == []
    assert [path.name for path in (work / "cache" / "training").iterdir()] == ["without.json"]
    whole(store)
    for command in (("log",), ("ls",), ("stats",), ("verify",)):
        assert phonanchor("store", *command)[0] == 0
    code, _, err = phonanchor("store", "show", old)
    assert (code, f"forgotten, see {new}" in err) == (2, True)


def test_a_dry_run_says_the_same_and_changes_nothing(phonanchor, work, made, store):
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    would = json.loads(phonanchor("store", "forget", "--speaker", SPEAKER, "--dry-run", "--json")[1])
    assert {path: path.read_bytes() for path in work.rglob("*") if path.is_file()} == before
    done = json.loads(phonanchor("store", "forget", "--speaker", SPEAKER, "--yes", "--json")[1])
    assert done == {**would, "dry_run": False, "receipt": done["receipt"]}
    assert would["snapshots"] == done["receipt"]["snapshots"]
    assert (would["utterances"], would["blocks"], would["shared"]) == (3, 4, 2)


def test_runs_exports_and_models_that_hold_the_person_are_named(phonanchor, work, made, store):
    for name, item in (("hers", made.gone[0]), ("others", made.left[0])):
        write_records(work / "runs" / name / "predictions.parquet", [prediction(item)], Prediction)
    page = work / "runs" / "page" / "report.html"
    page.parent.mkdir()
    page.write_text(f"<td>{SPEAKER}</td>", encoding="utf-8")
    store.put_model("embedded-toy", b"a model")
    store.put_model("embedded-other", b"another model")
    for destination, commit in (("/out/hers", made.commits[0]), ("/out/annas", made.commits[3])):
        record(store.layout, exported(destination, commit))
    found = json.loads(phonanchor("store", "forget", "--speaker", SPEAKER, "--yes", "--json")[1])
    assert found["holders"] == ["runs/hers", "runs/page"]
    assert found["models"] == ["embedded-toy"]
    assert [item["destination"] for item in found["exports"]] == ["/out/hers"]
    assert found["twins"] == ["toy/u008"]
    assert holders(work, {made.left[0].id}) == ("cache/training/without.json", "runs/others")


def test_what_was_cut_off_is_finished_by_the_same_command(phonanchor, work, made, store, monkeypatch):
    import store.forget as module

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, "finish", killed)
        with pytest.raises(Killed):
            phonanchor("store", "forget", "--speaker", SPEAKER, "--yes")
    assert module.read_journal(store.layout).phase == SWAP
    record(store.layout, exported("/out/hers", made.commits[1]))
    code, _, err = phonanchor("store", "gc")
    assert (code, "a forget is unfinished" in err) == (2, True)
    code, out, err = phonanchor("store", "forget", "--speaker", SPEAKER)
    assert (code, err) == (0, "")
    assert "which was cut off" in out
    assert "removed 3 utterances" in out
    assert "in /out/hers on" in out
    whole(store)
    code, _, err = phonanchor("store", "forget", "--speaker", SPEAKER, "--yes")
    assert (code, "was forgotten already by" in err) == (2, True)


def test_nothing_happens_without_a_yes_and_consent_can_be_given_again(phonanchor, made, store):
    code, _, err = phonanchor("store", "forget", "--speaker", SPEAKER)
    assert (code, "--yes" in err) == (2, True)
    assert store.commits() == made.commits
    done = json.loads(phonanchor("store", "forget", "--utterance", "toy/u001", "--yes", "--json")[1])
    with pytest.raises(StoreError):
        put(store, made.items, made.rows)
    code, _, err = phonanchor("store", "forget", "--revoke", done["receipt"]["identifier"], "--dry-run")
    assert (code, "expected --revoke alone" in err) == (2, True)
    assert (
        "lifted 2 tombstones" in phonanchor("store", "forget", "--revoke", done["receipt"]["identifier"])[1]
    )
    assert put(store, made.items, made.rows).snapshot == made.commits[1].snapshot


@pytest.mark.slow
def test_a_build_after_it_computes_nothing_and_lists_who_was_left_out(phonanchor, pair, work):
    build = ("features", "--corpora", pair, "--workers", "0", "--set", "build.features=logmel80,encoder")
    build += ("--set", "align=true")
    assert phonanchor(*build)[0] == 0
    store = Store.open(work / "store")
    old = store.head()
    items = store.manifest(old.manifest)
    speaker = items[0].speaker_key
    gone = [item for item in items if item.speaker_key == speaker]
    words = [word for item in gone for word in (item.id, speaker, item.audio_sha256)]
    assert {path.split("/")[0] for path, _ in traces(store.path, [speaker])} >= {"models"}
    code, out, err = phonanchor("store", "forget", "--speaker", speaker, "--corpora", pair, "--yes")
    assert (code, err) == (0, "")
    assert f"stays: aligner model embedded-{gone[0].corpus}, trained on the audio" in out
    new = store.head()
    assert traces(store.path, words) == []
    assert traces(work / "cache", words) == []
    assert holders(work, {item.id for item in gone}) == ()
    whole(store)
    assert phonanchor(*build)[0] == 0
    assert store.head() == new  # not even a new commit: who was forgotten is listed in the same way
    assert traces(work / "store", words) + traces(work / "cache", words) == []
    assert sum(row.reason == REASON for row in store.skipped(new.manifest)) == len(gone)
    for item in gone:
        (pair / item.corpus / item.path).unlink()
    assert phonanchor(*build)[0] == 0
    assert store.head().snapshot == new.snapshot
