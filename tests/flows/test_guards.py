"""A build is refused before its work on too small a disk, and before its commit with too much unusable."""

import os
from collections import namedtuple

import pytest

from flows import guards
from flows.configuration import load
from pipeline.ingest import Ingested
from pipeline.items import Limits
from pipeline.plan import plan
from pipeline.tally import BuildReport
from store.catalogue import Store
from store.errors import StoreError, TooManyQuarantinedError
from store.records import Skipped
from tests.store.store_cases import spec, utterance

FEATURES = ("features", "--workers", "0", "--set", "build.features=logmel80,encoder")
Usage = namedtuple("Usage", "total used free")


def planned(count):
    """A plan of ``count`` utterances of one second: 101 rows of 16 float32 each."""
    return plan(
        [utterance(number) for number in range(count)], {}, [spec((16,))], {}, limits=Limits.for_audio(1)
    )


BYTES = 10 * 101 * 16 * 4


@pytest.mark.parametrize(("free", "fits"), [(BYTES * 2, True), (BYTES * 1.1, True), (BYTES * 1.1 - 1, False)])
def test_a_build_needs_its_forecast_and_a_tenth(tmp_path, monkeypatch, capsys, free, fits):
    monkeypatch.setattr(guards.shutil, "disk_usage", lambda _: Usage(0, 0, free))
    if fits:
        guards.check_space(tmp_path, planned(10))
    else:
        with pytest.raises(StoreError, match=r"10% margin.*most is for mel") as caught:
            guards.check_space(tmp_path, planned(10))
        assert caught.value.exit_code == 2
    out = capsys.readouterr().out
    assert "forecast: mel: 1010 rows, 63.1 KiB before compression" in out
    assert f"free in {tmp_path}" in out


def test_nothing_to_compute_needs_no_space(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(guards.shutil, "disk_usage", lambda _: Usage(0, 0, 0))
    guards.check_space(tmp_path, planned(0))
    assert capsys.readouterr().out == ""


def bad(number, reason="no audio"):
    name = f"bad{number}"
    return Skipped(utterance=f"toy/{name}", corpus="toy", path=f"{name}.wav", stage="ingest", reason=reason)


def ingested(good, quarantined):
    return {
        "toy": Ingested(
            corpus="toy",
            utterances=tuple(utterance(number) for number in range(good)),
            quarantined=tuple(quarantined),
            excluded=tuple(bad(number, "another emotion") for number in range(100, 200)),
            hashed=good,
            cached=0,
        )
    }


def report(failed):
    none = {"seconds_audio": 0.0, "seconds_reading": 0.0, "seconds": 0.0, "specs": (), "obtained": ()}
    return BuildReport(
        kept=0,
        computed=0,
        quarantined=tuple(failed),
        unavailable=(bad(5, "not aligned"),),
        bytes_written=0,
        **none,
    )


def test_the_share_of_a_corpus_that_may_be_unusable():
    guards.check_quarantined(ingested(95, map(bad, range(5))), 5.0)
    with pytest.raises(TooManyQuarantinedError, match=r"5 %.*found 5 of 99, 5 of them as bad0.wav: no audio"):
        guards.check_quarantined(ingested(94, map(bad, range(5))), 5.0)
    guards.check_quarantined(ingested(0, map(bad, range(5))), 100.0)
    guards.check_quarantined(ingested(9, []), 0.0)
    with pytest.raises(TooManyQuarantinedError):
        guards.check_quarantined(ingested(999, [bad(1)]), 0.0)


def test_recordings_that_fail_in_the_build_count_once():
    failed = [
        Skipped(utterance=f"toy/u{number:03d}", corpus="toy", path="x.wav", stage="extract", reason=reason)
        for number in range(3)
        for reason in ("NaN", "too short")
    ]
    other = Skipped(utterance="other/a", corpus="other", path="x.wav", stage="extract", reason="NaN")
    guards.check_quarantined(ingested(98, map(bad, range(2))), 5.0, report([*failed, other]))
    with pytest.raises(TooManyQuarantinedError, match="found 6 of 100"):
        guards.check_quarantined(ingested(97, map(bad, range(3))), 5.0, report(failed))


def test_the_limit_is_no_part_of_what_results_depend_on():
    assert load(assignments=["build.max_quarantined=50"]).digest == load().digest


def clips(pair):
    return sorted((pair / "sample-cmn" / "wav").glob("*.wav"))


@pytest.mark.slow
def test_a_run_with_too_much_damage_ends_with_code_3_and_commits_nothing(phonanchor, pair, tmp_path):
    for clip in clips(pair)[:2]:  # of 24
        clip.write_bytes(b"RIFF")
    code, out, err = phonanchor(*FEATURES, "--corpora", pair)
    assert code == 3
    assert "found 2 of 24" in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "work" / "store" / "HEAD").exists()

    code, out, err = phonanchor(*FEATURES, "--corpora", pair, "--max-quarantined", "10")
    assert code == 0, err
    assert "forecast: logmel80: " in out
    assert out.count("left out by ingest: 1 of sample-cmn") == 2
    store = Store.open(tmp_path / "work" / "store")
    (first,) = store.commits()

    for clip in clips(pair)[2:4]:  # damaged unseen: size and time stay, so that only the extractors notice
        before = clip.stat()
        clip.write_bytes(bytes(before.st_size))
        os.utime(clip, ns=(before.st_atime_ns, before.st_mtime_ns))
    more = ("--set", "build.features=logmel80,mfcc,encoder", "--max-quarantined", "10")
    code, out, err = phonanchor(*FEATURES, "--corpora", pair, *more)
    assert code == 3, out + err
    assert "found 4 of 24" in err
    assert store.commits() == (first,)


def test_a_run_without_room_is_refused_before_the_work(phonanchor, pair, tmp_path, monkeypatch):
    monkeypatch.setattr(guards, "free_bytes", lambda _: 10_000)
    code, out, err = phonanchor(*FEATURES, "--corpora", pair)
    assert code == 2
    assert "found 9.8 KiB free" in err
    assert "forecast: logmel80: " in out
    store = Store.open(tmp_path / "work" / "store")
    assert store.commits() == ()
    assert not store.layout.arrays.exists()
