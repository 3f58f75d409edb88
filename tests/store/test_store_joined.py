"""One call joins features, labels and a split by key, and says what it left out."""

import pickle
from collections import Counter

import numpy as np
import pytest

from store.errors import ConfigurationError, SplitError, StoreError
from store.feature_store import FeatureStore
from store.labels import target_of
from store.records import EmotionShare
from store.splits import Split, write_split
from tests.store.store_cases import commit, spec, utterance, values, wanted, write


def heard(**shares):
    return tuple(EmotionShare(emotion=name, share=share) for name, share in shares.items())


ITEMS = (
    utterance(
        0, split="Train", perceived=heard(anger=0.75, fear=0.25), arousal=4.0, valence=2.0, dominance=3.0
    ),
    utterance(1, split="dev", emotion="fear", perceived=heard(anger=0.5, fear=0.5), arousal=1.0, valence=1.5),
    utterance(2, split="Test", emotion="neutral", speaker="s2", perceived=heard(neutral=1.0)),
    utterance(3, split=None, emotion="sadness", speaker="s2", arousal=float("nan")),
    utterance(4, emotion="anger"),
    utterance(0, "other", emotion="boredom", language="pl", licence="CC-BY-NC-4.0", audio_sha256="f" * 64),
)
MEL, PITCH = spec(name="mel"), spec((), name="pitch")


@pytest.fixture
def reader(store):
    """Mel for all but u004, pitch for all."""
    with store.writer() as writer:
        listed = []
        for feature, items in ((MEL, [i for i in ITEMS if i.id != "toy/u004"]), (PITCH, ITEMS)):
            rows = {item.id: values(feature, 3 + at, at) for at, item in enumerate(items)}
            for corpus in ("toy", "other"):
                write(
                    store, writer, feature, [item for item in reversed(items) if item.corpus == corpus], rows
                )
            listed += [wanted(feature, item, len(rows[item.id])) for item in items]
        writer.commit(manifest=store.put_manifest(ITEMS, []), alignments=[], wanted=listed, lineage={})
    return FeatureStore.open(store.path)


def labels(joined):
    return {row.utterance: row.label for row in joined}


def test_features_and_labels_come_together_by_id(reader):
    joined = reader.dataset(["mel", PITCH])
    assert labels(joined) == {item.id: item.emotion for item in ITEMS if item.id != "toy/u004"}
    assert joined.classes == ("neutral", "sadness", "anger", "fear", "boredom")
    for row in joined:
        found = joined.read(row.utterance)
        assert found.keys() == {"mel", "pitch"}
        for name, rows in found.items():
            np.testing.assert_array_equal(rows, reader.read(name, row.utterance))
        assert joined.target(row.utterance) == joined.classes.index(row.label)
    assert joined.row("other/u000").speaker == "other/s1"


def test_what_is_left_out_has_a_row_and_a_count(reader):
    joined = reader.dataset(["mel"], labels="perceived")
    assert labels(joined) == {"toy/u000": "anger", "toy/u002": "neutral"}
    assert joined.counts == {
        "no shares of listeners": 2,
        "listeners tie: anger, fear": 1,
        "no stored rows of mel": 1,
    }
    assert {item.utterance for item in joined.skipped} | labels(joined).keys() == {item.id for item in ITEMS}
    assert {item.stage for item in joined.skipped} == {"join"}


def test_soft_labels_are_shares_by_class(reader):
    joined = reader.dataset(["pitch"], labels="soft")
    assert joined.classes == ("neutral", "anger", "fear")
    assert joined.target("toy/u000").tolist() == [0.0, 0.75, 0.25]
    narrow = reader.dataset(["pitch"], labels="soft", classes=["fear", "happiness"])
    assert narrow.target("toy/u001").tolist() == [1.0, 0.0]
    assert narrow.counts["no share of the classes"] == 1


def test_ratings_are_all_there_or_the_row_says_which_is_not(reader):
    joined = reader.dataset(["pitch"], labels="dimensions")
    assert labels(joined) == {"toy/u000": (4.0, 2.0, 3.0)}
    assert joined.classes == ()
    assert joined.counts["no rating of dominance"] == 1
    alone = reader.dataset(["pitch"], labels="arousal")
    assert labels(alone) == {"toy/u000": (4.0,), "toy/u001": (1.0,)}
    assert target_of((4.0,), ()).dtype == np.float32


def test_licences_travel_and_choose(reader):
    free = reader.dataset(["pitch"], licence="CC0")
    assert free.licences == {"CC0": 5}
    assert free.counts == {"licence CC-BY-NC-4.0 was not asked for": 1}
    assert reader.dataset(["pitch"], licence=["CC0", "CC-BY-NC-4.0"]).licences == {
        "CC-BY-NC-4.0": 1,
        "CC0": 5,
    }
    assert reader.dataset(["pitch"], licence=lambda name: "NC" in name).licences == {"CC-BY-NC-4.0": 1}
    with pytest.raises(ConfigurationError, match=r"CC-BY-NC-4\.0, CC0"):
        reader.dataset(["pitch"], licence="CC0-1.0")


def test_corpora_languages_and_classes_choose(reader):
    assert labels(reader.dataset(["pitch"], corpora=["other"])) == {"other/u000": "boredom"}
    assert labels(reader.dataset(["pitch"], languages={"pl"})) == {"other/u000": "boredom"}
    few = reader.dataset(["pitch"], classes=("fear", "anger"))
    assert few.classes == ("fear", "anger")
    assert set(labels(few).values()) == {"fear", "anger"}
    assert few.counts["neutral is not among the classes"] == 1
    with pytest.raises(ConfigurationError, match="other, toy"):
        reader.dataset(["pitch"], corpora=["tpy"])
    with pytest.raises(ConfigurationError, match="a list of names"):
        reader.dataset(["pitch"], languages="pl")
    with pytest.raises(ConfigurationError, match="labels of hard"):
        reader.dataset(["pitch"], labels="harsh")
    with pytest.raises(StoreError, match="there are: mel"):
        reader.dataset(["mfcc"])


def test_a_split_gives_each_row_its_part(reader, tmp_path):
    folds = tuple({"train": ("toy/u000", "toy/u001"), "test": (f"toy/u00{k}", "gone/u1")} for k in (2, 3))
    split = Split(name="mine", snapshot="", manifest="", folds=folds)
    write_split(tmp_path / "mine.json", split)
    joined = reader.dataset(["mel"], split=tmp_path / "mine.json", fold=1)
    assert (joined.split, joined.fold) == (split.digest, 1)
    assert joined.parts == {"test": 1, "train": 2}
    assert labels(joined.part("test")) == {"toy/u003": "sadness"}
    reasons = Counter(item.reason for item in joined.skipped)
    assert reasons["in no part of the split"] == 3
    assert reasons["named by the split, not in the snapshot"] == 1
    with pytest.raises(SplitError, match="0 to 1"):
        reader.dataset(["mel"], split=split)
    with pytest.raises(ConfigurationError, match="test, train"):
        joined.part("dev")


def test_the_corpora_have_a_split_of_their_own(reader):
    joined = reader.dataset(["mel"], split="official", corpora=["toy"])
    assert {row.utterance: row.part for row in joined} == {
        "toy/u000": "train",
        "toy/u001": "validation",
        "toy/u002": "test",
    }
    with pytest.raises(SplitError, match="none in the manifest"):
        reader.dataset(["mel"], split="official", corpora=["other"])


def test_labels_split_and_licence_leave_as_one_table(reader):
    soft = reader.dataset(["pitch"], labels="soft", split="official").table()
    assert soft.column_names[-2:] == ["part", "label"]
    assert soft.column("licence").to_pylist() == ["CC0"] * 3
    assert soft.column("label").to_pylist()[0][1] == {"emotion": "fear", "share": 0.25}
    assert soft.schema.metadata[b"snapshot"].decode() == reader.snapshot_id
    rated = reader.dataset(["pitch"], labels="dimensions").table()
    assert rated.select(["arousal", "valence", "dominance"]).to_pylist() == [
        {"arousal": 4.0, "valence": 2.0, "dominance": 3.0}
    ]
    assert reader.dataset(["pitch"]).table().column("label").to_pylist()[0] == "boredom"


def test_a_view_travels_to_another_process_with_its_own_commit(store, reader):
    joined = reader.dataset(["mel"])
    with store.writer() as writer:
        commit(store, writer, MEL, ITEMS[:1], {ITEMS[0].id: values(MEL, 3, 0)})
    there = pickle.loads(pickle.dumps(joined))  # noqa: S301
    assert there.store.commit == reader.commit
    np.testing.assert_array_equal(there.read("toy/u002")["mel"], joined.read("toy/u002")["mel"])


def test_slices_read_a_part_of_an_utterance(store, reader):
    whole = reader.read("mel", "toy/u002")
    fast = FeatureStore.open(store.path, checked=False)
    for rows in (slice(1, 3), slice(None), slice(-2, None), slice(3, 1), slice(None, None, -2), slice(9, 12)):
        for opened in (reader, fast):
            np.testing.assert_array_equal(opened.read("mel", "toy/u002", rows=rows), whole[rows])


def test_a_slice_of_damaged_rows_is_an_error(store, reader):
    shard = store.layout.array(MEL.digest, "toy") / "c/0/0"
    data = bytearray(shard.read_bytes())
    data[20] ^= 1
    shard.write_bytes(bytes(data))
    with pytest.raises(StoreError, match="run verify"):
        reader.read("mel", "toy/u003", rows=slice(0, 1))


@pytest.mark.parametrize("block_bytes", [1, 100, 10_000])
def test_a_whole_corpus_is_lazy_and_in_the_order_of_the_index(reader, monkeypatch, block_bytes):
    monkeypatch.setattr("store.lazy.RUN_BYTES", block_bytes)
    for name in ("mel", "pitch"):
        whole = reader.whole(name, "toy")
        lengths = reader.index(name, "toy").to_pylist()
        expected = np.concatenate([reader.read(name, row["utterance"]) for row in lengths])
        assert (whole.shape, whole.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_array_equal(whole.compute(scheduler="synchronous"), expected)
        np.testing.assert_array_equal(whole[2:7].compute(scheduler="threads"), expected[2:7])


def test_one_layer_of_a_layered_feature_is_joined_and_lazy(store):
    feature = spec((3, 4), "float16", name="layered")
    item, rows = ITEMS[0], {ITEMS[0].id: values(spec((3, 4), "float16"), 6)}
    with store.writer() as writer:
        write(store, writer, feature, [item], rows)
        commit(store, writer, feature, [item], rows)
    reader = FeatureStore.open(store.path)
    joined = reader.dataset(["layered"], layers={"layered": -1})
    np.testing.assert_array_equal(joined.read(item.id)["layered"], rows[item.id][:, 2])
    np.testing.assert_array_equal(reader.whole("layered", "toy", layer=1).compute(), rows[item.id][:, 1])
    np.testing.assert_array_equal(reader.whole("layered", "toy").compute(), rows[item.id])
    np.testing.assert_array_equal(
        reader.read("layered", item.id, layer=0, rows=slice(2, 4)), rows[item.id][2:4, 0]
    )


def test_what_would_be_read_wrongly_in_silence_is_an_error(store):
    features = (spec(), spec(version=2))
    with store.writer() as writer:
        rows = {item.id: values(MEL, 3) for item in ITEMS[:2]}
        for feature in features:
            write(store, writer, feature, ITEMS[:2], rows)
        listed = [wanted(feature, item, 3) for feature in features for item in ITEMS[:2]]
        writer.commit(manifest=store.put_manifest(ITEMS[:2], []), alignments=[], wanted=listed, lineage={})
    reader = FeatureStore.open(store.path)
    with pytest.raises(ConfigurationError, match="twice: mel"):
        reader.dataset(features)
    with pytest.raises(ConfigurationError, match="found pitch"):
        reader.dataset([features[0]], layers={"pitch": -1})
    for wrong in ({"features": "mel"}, {"features": [features[0]], "classes": "anger"}):
        with pytest.raises(ConfigurationError, match="a list of names"):
            reader.dataset(**wrong)
