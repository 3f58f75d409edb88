"""The summary of a run: its numbers add up, and terminal, file and Prefect's artifact say the same."""

import json
import re

import numpy as np
import pytest
import soundfile

from flows.summary_text import FEATURES
from store.catalogue import Store
from store.receipts import receipts

SETTINGS = ("--workers", "0", "--set", "features=logmel80,formants", "--max-quarantined", "10")
SPECS = 2


@pytest.fixture
def clips(part):
    return sorted((part("sample-en") / "wav").glob("*.wav"))


@pytest.fixture
def build(phonanchor, clips, tmp_path):
    """Build one corpus; return what is printed, and the summary as JSON."""

    def run(*options):
        corpora, path = clips[0].parents[2], tmp_path / "summary.json"
        code, out, err = phonanchor(
            "features", "--corpus", "sample-en", "--corpora", corpora, "--summary", path, *SETTINGS, *options
        )
        assert code == 0, err
        return out, json.loads(path.read_text(encoding="utf-8"))

    return run


def receipted(work):
    """The bytes of all shard files by the receipts of a store."""
    store = Store.open(work / "store")
    specs = store.head().specs
    found = [receipt for spec in specs for receipt in receipts(store.layout, spec, "sample-en")]
    return sum(size for receipt in found for _, size in receipt.shards)


def published():
    """The JSON in the newest artifact that Prefect keeps, and the text above it."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
    from prefect.client.schemas.sorting import ArtifactSort

    with get_client(sync_client=True) as client:
        (newest,) = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["summary"])),
            sort=ArtifactSort.CREATED_DESC,
            limit=1,
        )
    text, _, rest = newest.data.partition("```json\n")
    return json.loads(rest.removesuffix("```\n")), text


def test_the_numbers_of_a_run_add_up_and_stand_everywhere(build, clips, tmp_path):
    clips[0].write_bytes(b"RIFF")
    out, summary = build()
    usable = len(clips) - 1
    assert (summary["computed"], summary["kept"], summary["wanted"]) == (SPECS * usable, 0, SPECS * usable)
    assert summary["quarantined"] == 1
    ((left_out),) = summary["left_out"]
    assert (left_out["stage"], left_out["corpus"], left_out["count"]) == ("ingest", "sample-en", 1)
    assert f"left out by ingest: 1 of sample-en: {left_out['reason']}" in out
    assert summary["bytes_written"] == receipted(tmp_path / "work") > 0
    features = {row["feature"]: row for row in summary["features"]}
    assert set(features) == {"logmel80", "formants"}
    assert sum(row["bytes_written"] for row in features.values()) == summary["bytes_written"]
    assert sum(row["rows"] for row in features.values()) == summary["rows_written"]
    mel = features["logmel80"]
    assert mel["ratio"] == pytest.approx(mel["bytes_written"] / (mel["rows"] * 80 * 4))
    assert mel["x_real_time"] == pytest.approx(summary["hours_computed"] * 3600 / mel["seconds"])
    assert 0 < summary["hours_computed"] == pytest.approx(summary["hours"])

    printed = dict(zip(FEATURES, re.search(r"^logmel80 .*$", out, re.MULTILINE)[0].split(), strict=False))
    assert [printed["kept"], printed["computed"], printed["rows"]] == ["0", str(usable), str(mel["rows"])]
    assert re.search(rf"sample-en +{usable} +\d\.\d\d +{len(clips)} +0 ", out)
    kept, text = published()
    assert kept == summary
    assert f"computed {SPECS * usable} row blocks" in text
    assert "| logmel80 | 0 |" in text


def test_a_second_run_has_nothing_to_do_and_a_third_computes_what_changed(build, clips, tmp_path):
    first = build()[1]
    out, second = build()
    assert "nothing to do: all 48 row blocks are there" in out
    assert "x real time" not in out
    assert second["nothing_to_do"]
    assert second["snapshot"] == first["snapshot"]
    assert (second["kept"], second["wanted"], second["bytes_written"]) == (48, 48, 0)
    assert second["corpora"][0]["files_known"] == len(clips)
    assert published()[0] == second

    clips[0].unlink()
    rate = soundfile.info(clips[1]).samplerate
    soundfile.write(clips[1], np.random.default_rng(0).normal(scale=0.1, size=rate), rate)
    before = receipted(tmp_path / "work")
    out, third = build()
    assert third["snapshot"] != second["snapshot"]
    assert (third["computed"], third["kept"], third["dropped"]) == (SPECS, 44, 2 * SPECS)
    assert third["wanted"] == SPECS * (len(clips) - 1)
    assert [(row["kept"], row["computed"]) for row in third["features"]] == [(22, 1), (22, 1)]
    assert (third["corpora"][0]["files_read"], third["corpora"][0]["files_known"]) == (1, 22)
    assert third["hours_computed"] == pytest.approx(1 / 3600)
    assert receipted(tmp_path / "work") - before == third["bytes_written"]
    assert f"computed {SPECS} row blocks, kept 44, dropped {2 * SPECS}, quarantined 0" in out


def test_a_summary_that_could_not_be_written_is_said_before_the_work(phonanchor, tmp_path):
    for path in (tmp_path, tmp_path / "nowhere" / "summary.json"):
        code, out, err = phonanchor("features", "--summary", path)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "a file in an existing folder for --summary" in err
    code, _, err = phonanchor("train-crosslingual", "--only", "train", "--summary", tmp_path / "s.json")
    assert (code, err.count("\n")) == (2, 1)
