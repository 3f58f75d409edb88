"""Exports come back through the real libraries bit for bit, and nothing half-written is ever there."""

import errno
import gc
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from store.catalogue import Store
from store.errors import ConfigurationError, StoreError
from store.export_log import FORMATS, listed
from store.exports import parquet_files, selection, writing
from store.exports.naming import attribute_name, field_name, sample_key
from store.exports.selection import Selection, Wanted
from store.exports.writing import export
from tests.store.export_cases import (
    FEATURES,
    HOSTILE,
    LONG,
    MEL,
    PHONES,
    PITCH,
    STATES,
    WHOLE,
    fill_all,
    intervals,
    opened,
)

NAMES = {spec.name: spec.name for spec in FEATURES} | {"text": f"text-{PITCH.digest[:12]}"}
ALL = Wanted()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return fill_all(Store.create(tmp_path_factory.mktemp("exports") / "store"))


def same(found, expected):
    """Bit for bit, NaN included."""
    found = np.ascontiguousarray(found)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert found.tobytes() == expected.tobytes()


def files(folder: Path):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_parquet_comes_back_through_datasets(made, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    export(opened(made), "parquet", tmp_path / "out", ALL, shard_bytes=20_000)
    parts = sorted(str(path) for path in (tmp_path / "out" / "data").iterdir())
    assert len(parts) > 1
    data = datasets.load_dataset(
        "parquet", data_files=parts, split="train", cache_dir=str(tmp_path / "cache")
    )
    assert data["id"] == [item.id for item in opened(made).utterances]
    arrays = data.with_format("numpy")
    for at, item in enumerate(opened(made).utterances):
        for spec in FEATURES:
            expected = made.rows.get((spec.name, item.id))
            if expected is None:
                assert data[at][NAMES[spec.name]] is None
            else:
                same(np.asarray(arrays[at][NAMES[spec.name]]).astype(spec.dtype), expected)


def test_parquet_keeps_every_bit_shape_and_label(made, tmp_path):
    export(opened(made), "parquet", tmp_path / "out", ALL)
    (path,) = (tmp_path / "out" / "data").iterdir()
    table = pq.read_table(path)
    assert str(table.schema.field("enc-1").type.value_type).startswith("fixed_size_list<")
    assert table.schema.field("enc-1").type.value_type.list_size == 3
    assert table.schema.field("enc-1").type.value_type.value_type.list_size == 2
    rows = {row["id"]: row for row in table.drop_columns(list(NAMES.values())).to_pylist()}
    assert rows.keys() == {item.id for item in made.utterances}
    for at, item in enumerate(opened(made).utterances):
        labels = {
            name: list(map(dict, value)) if name == "perceived" else value
            for name, value in asdict(item).items()
        }
        assert {name: rows[item.id][name] for name in labels} == labels
        assert rows[item.id]["seconds"] == item.seconds
        for spec in FEATURES:
            block = made.rows.get((spec.name, item.id))
            cell = table[NAMES[spec.name]][at]
            assert cell.is_valid == (block is not None)
            if block is not None:
                flat = cell.values
                for _ in spec.dims:
                    flat = flat.flatten()
                same(flat.to_numpy(zero_copy_only=False).reshape(block.shape), block)
    phones = rows["toy/u0"]["phones"]
    assert [(item["phone"], item["vowel"], item["start"], item["stop"]) for item in phones] == [
        (item.phone, item.vowel, item.start, item.stop) for item in intervals(16_000)
    ]
    assert phones[1]["score"] == -0.25
    assert np.isnan(phones[0]["score"])
    assert rows["Ähre & co/u008"]["phones"] is None
    described = json.loads(table.schema.metadata[parquet_files.METADATA])
    assert described["snapshot"] == opened(made).snapshot_id
    assert described == json.loads((tmp_path / "out" / "export.json").read_text())
    assert {row["name"]: row["spec"] for row in described["features"]} == json.loads(
        json.dumps({NAMES[spec.name]: spec.canonical() for spec in FEATURES})
    )


def test_lhotse_reads_the_cuts(made, tmp_path, monkeypatch):
    lhotse = pytest.importorskip("lhotse")
    fastcopy = lhotse.utils.fastcopy
    reader = opened(made)
    export(reader, "lhotse", tmp_path / "out", ALL)
    monkeypatch.chdir(tmp_path / "out")
    cuts = lhotse.CutSet.from_file("cuts.jsonl.gz").to_eager()
    recordings = lhotse.RecordingSet.from_file("recordings.jsonl.gz")
    supervisions = lhotse.SupervisionSet.from_file("supervisions.jsonl.gz")
    lhotse.validate(recordings)
    lhotse.validate(supervisions)
    assert len(cuts) == len(recordings) == len(supervisions) == len(made.utterances)
    assert {cut.recording_id for cut in cuts} == {item.id for item in recordings}
    assert list(supervisions) == [cut.supervisions[0] for cut in cuts]
    states = f"enc_1_{STATES.digest[:12]}"
    for item in made.utterances:
        cut = cuts[item.id]
        said = cut.supervisions[0]
        assert (said.text, said.language, said.speaker) == (item.text, item.language, item.speaker_key)
        assert (said.gender, said.custom["emotion"]) == (item.gender, item.emotion)
        assert said.custom["licence"] == item.licence
        assert cut.recording.num_samples == item.n_samples
        if ("logmel80", item.id) not in made.rows:
            assert not cut.has_features
            assert cut.duration == item.seconds
            continue
        lhotse.validate(cut)
        lhotse.validate(fastcopy(cut.drop_recording(), custom=None), read_data=True)
        assert 0 <= cut.duration - item.seconds <= 0.005
        same(cut.load_features(), made.rows["logmel80", item.id])
        for layer in range(3):
            frames = made.rows["enc-1", item.id][:, layer]
            same(cut.custom[f"{states}_layer{layer:02d}"].load(), np.ascontiguousarray(frames))
            part = cut.load_custom(f"{states}_layer{layer:02d}")
            assert len(frames) - len(part) in (0, 1)
        same(cut.custom[f"enc_1_{WHOLE.digest[:12]}"].load(), made.rows["enc_1", item.id])
        same(cut.custom[f"text_{PITCH.digest[:12]}"].load(), made.rows["text", item.id])
        if ("segments-enc.1", item.id) in made.rows:
            same(cut.load_custom("segments_enc_1_layer01"), made.rows["segments-enc.1", item.id][:, 1].copy())


def test_lhotse_has_the_phones_as_alignments(made, tmp_path, monkeypatch):
    lhotse = pytest.importorskip("lhotse")
    export(opened(made), "lhotse", tmp_path / "out", Wanted(features=("logmel80",)))
    cuts = lhotse.CutSet.from_file(tmp_path / "out" / "cuts.jsonl.gz").to_eager()
    tiers = cuts["toy/u0"].supervisions[0].alignment
    assert [item.symbol for item in tiers["phone"]] == ["", "a", "t"]
    assert [item.score for item in tiers["phone"]] == [None, -0.25, -1.5]
    assert [(round(item.start * 16_000), round(item.duration * 16_000)) for item in tiers["phone"]] == [
        (item.start, item.stop - item.start) for item in intervals(16_000)
    ]
    assert [item.symbol for item in tiers["vowel"]] == ["A"]
    assert cuts["Ähre & co/u008"].supervisions[0].alignment is None
    moved = cuts.with_features_path_prefix(tmp_path / "out")
    same(moved["toy/u0"].load_features(), made.rows["logmel80", "toy/u0"])


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_the_shards(made, tmp_path):
    webdataset = pytest.importorskip("webdataset")
    export(opened(made), "webdataset", tmp_path / "out", ALL, shard_bytes=20_000)
    shards = sorted(str(path) for path in (tmp_path / "out").glob("*.tar"))
    assert len(shards) > 1
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode())
    gc.collect()  # webdataset leaves its files to the garbage collector, which warns
    assert [item["json"]["id"] for item in samples] == [item.id for item in opened(made).utterances]
    by_id = {item["json"]["id"]: item for item in samples}
    for item in made.utterances:
        sample = by_id[item.id]
        assert sample["__key__"] == sample_key(item.id)
        labels = json.loads(json.dumps(asdict(item)))
        assert {name: sample["json"][name] for name in labels} == labels
        for spec in FEATURES:
            field = f"{field_name(NAMES[spec.name])}.npy"
            expected = made.rows.get((spec.name, item.id))
            assert (field in sample) == (expected is not None)
            if expected is not None:
                same(sample[field], expected)
    assert by_id["toy/u0"]["json"]["phones"][0]["score"] is None
    assert by_id["toy/u0"]["json"]["snapshot"] == opened(made).snapshot_id


@pytest.mark.parametrize("kind", FORMATS)
def test_equal_selections_give_equal_bytes(made, tmp_path, kind):
    for name in ("a", "b"):
        export(opened(made), kind, tmp_path / name / "out", ALL)
    first = files(tmp_path / "a" / "out")
    assert first == files(tmp_path / "b" / "out")
    assert {"README.md", "export.json"} < first.keys()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_part_is_chosen(made, tmp_path, kind):
    wanted = Wanted(features=("enc-1",), corpora=("toy",), licences=("CC0",), layers=(-1, 0))
    entry = export(opened(made), kind, tmp_path / "out", wanted).entry
    assert (entry.features, entry.corpora, entry.licences, entry.layers) == (
        ("enc-1",),
        ("toy",),
        ("CC0",),
        (0, 2),
    )
    assert entry.utterances == 5
    (feature,) = json.loads((tmp_path / "out" / "export.json").read_text())["features"]
    assert feature["shape"] == ["rows", 2, 2]
    if kind == "parquet":
        (path,) = (tmp_path / "out" / "data").iterdir()
        found = pq.read_table(path)
        at = found["id"].to_pylist().index("toy/u0")
        flat = found["enc-1"][at].values.flatten().flatten().to_numpy(zero_copy_only=False)
        same(flat.reshape(-1, 2, 2), made.rows["enc-1", "toy/u0"][:, [0, 2]].copy())


def test_the_ledger_knows_each_export(tmp_path):
    made = fill_all(Store.create(tmp_path / "store"))
    for kind in FORMATS:
        done = export(opened(made), kind, tmp_path / kind, Wanted(corpora=("toy",)))
        assert done.unregistered == ""
        assert done.entry in listed(made.store.layout, {"toy"})
    assert {item.format for item in listed(made.store.layout)} == set(FORMATS)
    assert listed(made.store.layout, {"Ähre & co"}) == ()
    found = listed(made.store.layout)[0]
    assert found.destination == str(tmp_path / found.format)
    assert found.bytes == sum(len(data) for data in files(tmp_path / found.format).values())


def test_a_store_that_cannot_be_written_is_exported_all_the_same(made, tmp_path, monkeypatch):
    def refuse(*_):
        raise StoreError("to write exports", "Read-only file system", "choose another")

    monkeypatch.setattr(writing, "record", refuse)
    done = export(opened(made), "webdataset", tmp_path / "out", ALL)
    assert done.unregistered == "Read-only file system"
    assert (tmp_path / "out" / "shard-000000.tar").exists()


@pytest.mark.parametrize("occupant", ["file", "folder", "link"])
def test_an_occupied_folder_is_refused(made, tmp_path, occupant):
    target = tmp_path / "out"
    if occupant == "file":
        target.write_text("mine")
    elif occupant == "folder":
        (target / "deep").mkdir(parents=True)
    else:
        target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="a new or an empty folder"):
        export(opened(made), "parquet", target, ALL)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_filled(made, tmp_path):
    (tmp_path / "out").mkdir()
    export(opened(made), "webdataset", tmp_path / "out", ALL)
    assert (tmp_path / "out" / "README.md").exists()


def test_a_folder_inside_the_store_is_refused(made):
    with pytest.raises(StoreError, match="outside the store"):
        export(opened(made), "parquet", made.store.path / "arrays" / "new", ALL)


def test_a_folder_that_was_filled_meanwhile_stays(made, tmp_path, monkeypatch):
    def fill(folder, *rest):
        (tmp_path / "out" / "other").mkdir(parents=True)
        return 0

    monkeypatch.setitem(writing._WRITERS, "parquet", fill)
    with pytest.raises(StoreError, match="Directory not empty"):
        export(opened(made), "parquet", tmp_path / "out", ALL)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["other"]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_full_disk_leaves_nothing(made, tmp_path, monkeypatch, kind):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing, "write_card", full)
    with pytest.raises(StoreError, match="No space left on device"):
        export(opened(made), kind, tmp_path / "out", ALL)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_too_small_is_seen_before(made, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6, 5000))
    with pytest.raises(StoreError, match="for the export"):
        export(opened(made), "parquet", tmp_path / "out", ALL)
    assert not list(tmp_path.iterdir())


def test_damaged_values_end_an_export(tmp_path):
    made = fill_all(Store.create(tmp_path / "store"))
    (made.store.layout.array(MEL.digest, "toy") / "c/0/0").unlink()
    with pytest.raises(StoreError, match="committed rows of logmel80"):
        export(opened(made), "parquet", tmp_path / "out", ALL)
    assert not (tmp_path / "out").exists()
    assert listed(made.store.layout) == ()


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted(corpora=("toys",)), "a corpus of the snapshot: toy, Ähre & co"),
        (Wanted(licences=("GPL",)), "a licence of the snapshot: CC-BY-4.0, CC0"),
        (Wanted(features=("logmel80",), layers=(0,)), "a feature with layers"),
        (Wanted(layers=(3,)), "layers of enc-1 from 0 to 2"),
        (Wanted(corpora=("toy",), licences=("CC-BY-4.0",)), "utterances to export"),
    ],
)
def test_what_is_not_there_is_named(made, wanted, message):
    with pytest.raises(ConfigurationError, match=message):
        Selection(opened(made), wanted)


def test_a_missing_library_is_one_clear_line(made, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lhotse", None)
    with pytest.raises(ConfigurationError, match="-m pip install lhotse h5py"):
        export(opened(made), "lhotse", tmp_path / "out", ALL)
    assert not list(tmp_path.iterdir())


def test_the_card_escapes_names(made, tmp_path):
    wanted = Wanted(features=(PHONES.name,))
    export(opened(made), "parquet", tmp_path / "out", wanted)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "Ähre &#38; co" in card
    assert "| CC-BY-4.0 |" in card
    assert "SYNTHETIC" in card


def test_keys_are_safe_and_distinct():
    ids = ["a/b", "a.b", "a%2Fb", "a/..", "a//b", ".", "", HOSTILE, LONG, LONG + "x", "a/b/c", "a:b"]
    keys = [sample_key(name) for name in ids]
    assert len(set(keys)) == len(ids)
    for key in keys:
        assert "." not in key
        assert all(0 < len(part) <= 120 for part in key.split("/"))
    assert attribute_name("enc-1") == "enc_1"
    assert attribute_name("3é").isidentifier()


def test_a_disk_that_fills_up_meanwhile_ends_before_hdf5_meets_it(made, tmp_path, monkeypatch):
    pytest.importorskip("lhotse")
    free = iter([10**9, 10**9, 5000])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**6, next(free)))
    monkeypatch.setattr(selection, "BATCH_BYTES", 10_000)
    with pytest.raises(StoreError, match="for the export"):
        export(opened(made), "lhotse", tmp_path / "out", ALL)
    assert next(free, None) is None
    assert not list(tmp_path.iterdir())
