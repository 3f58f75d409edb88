"""`store export`, `store exports` and `store html` from the command line."""

import json

import pytest

from store.catalogue import Store
from store.errors import StoreError
from store.exports import writing
from tests.store.export_cases import fill_all, opened


@pytest.fixture
def made(tmp_path):
    return fill_all(Store.create(tmp_path / "work" / "store"))


def test_an_export_is_made_and_listed(made, tmp_path, phonanchor):
    code, out, err = phonanchor(
        "store", "export", "webdataset", tmp_path / "out", "--features", "enc-1", "--features", "logmel80",
        "--corpora", "toy", "--licence", "CC0", "--layers", "-1", "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    entry = json.loads(out)
    assert entry.pop("registered") is True
    assert entry["layers"] == [2]
    assert (tmp_path / "out" / "shard-000000.tar").exists()
    assert json.loads(phonanchor("store", "exports", "--json")[1]) == [entry]
    assert "enc-1, logmel80 of toy (5 utterances" in phonanchor("store", "exports")[1]


def test_a_tag_names_the_snapshot(made, tmp_path, phonanchor):
    made.store.tag("paper", None)
    code, out, _ = phonanchor("store", "export", "parquet", tmp_path / "out", "--snapshot", "paper")
    assert code == 0
    assert opened(made).snapshot_id[:12] in out


def test_an_export_that_could_not_be_noted_says_so(made, tmp_path, phonanchor, monkeypatch):
    def refuse(*_):
        raise StoreError("to write exports", "Read-only file system", "choose another")

    monkeypatch.setattr(writing, "record", refuse)
    code, out, err = phonanchor("store", "export", "parquet", tmp_path / "out", "--json")
    assert code == 0
    assert json.loads(out)["registered"] is False
    assert err == "phonanchor: the export is not in the store's ledger: Read-only file system\n"


def test_faults_are_one_line_and_code_2(made, tmp_path, phonanchor):
    for arguments in (
        ("excel", tmp_path / "out"),
        ("parquet", tmp_path),
        ("lhotse", made.store.path / "new"),
    ):
        code, out, err = phonanchor("store", "export", *arguments)
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1


def test_the_catalogue_page_is_written_beside_the_store(made, tmp_path, phonanchor):
    code, out, err = phonanchor("store", "html")
    assert (code, err) == (0, "")
    assert out == f"wrote {tmp_path / 'work' / 'catalogue.html'}\n"
    assert opened(made).snapshot_id in (tmp_path / "work" / "catalogue.html").read_text(encoding="utf-8")
    code, _, err = phonanchor("store", "html", tmp_path)
    assert code == 2
    assert "the name of a file" in err


@pytest.mark.parametrize(
    "command",
    [
        ("store", "export", "parquet", "s3://bucket/out"),
        ("store", "html", "s3://bucket/page.html"),
        ("split", "make", "s3://bucket/split.json", "--corpus", "toy"),
    ],
)
def test_an_address_is_no_folder_of_this_machine(made, tmp_path, phonanchor, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    code, _, err = phonanchor(*command)
    assert (code, "a place on this machine; found s3://bucket/" in err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["work"]
