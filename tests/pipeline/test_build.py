import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from distributed import LocalCluster
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from pipeline.build import BuildInputs, Rebuilt, rebuild
from pipeline.items import Limits
from store.catalogue import Store, read_placed
from store.errors import ConfigurationError, ExtractionError
from store.feature_store import FeatureStore
from tests.pipeline.build_cases import Deadly, Fragile, Loudness, PhoneMeans, Slow, inputs, recorded

FRAMES = Loudness()
MEANS = PhoneMeans(FRAMES.spec)
BOTH = (MEANS, FRAMES)
TREE = Path(__file__).parents[2]
SMALL = Limits(seconds=60, recordings=3)


class PulledPlugError(Exception):
    """Stands for a kill between two work items."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "toy"


def values(store: Store, given: BuildInputs, extractors=BOTH) -> dict[tuple[str, str], NDArray[np.generic]]:
    """Every placed row block of the inputs' corpus, by (feature, row key)."""
    with store.writer() as writer:
        return {
            (extractor.spec.name, key): read_placed(str(store.path), extractor.spec, "toy", placement)
            for extractor in extractors
            for key, placement in writer.placed(extractor.spec, "toy").items()
        }


def same(left: dict, right: dict) -> bool:
    return left.keys() == right.keys() and all(np.array_equal(left[key], right[key]) for key in left)


def stop_after(items: int):
    def stop(progress):
        if progress.items == items:
            raise PulledPlugError

    return stop


def computed(built: Rebuilt) -> dict[str, int]:
    return {spec.name: spec.blocks for spec in built.report.specs}


def test_a_build_stores_what_the_extractors_return(store, root):
    items = [recorded(root, number) for number in range(1, 8)]
    given = inputs(store, root, items)
    built = rebuild(store, given, BOTH, limits=SMALL)
    assert computed(built) == {"loudness": 7, "phone-means": 7}
    assert built.report.quarantined == built.report.unavailable == ()
    held = values(store, given)
    for item in items:
        rows = held["loudness", FRAMES.spec.row_key(item.audio_sha256)]
        assert rows.shape == (1 + item.n_samples // 160, 2)
        assert rows[:, 1].max() == pytest.approx(0.5, abs=1e-4)
        means = held[
            "phone-means", MEANS.spec.row_key(item.audio_sha256, alignment=f"key of {item.audio_sha256}")
        ]
        np.testing.assert_allclose(means[0], rows[:5].mean(axis=0), rtol=1e-6)


def test_a_second_build_computes_nothing_and_needs_no_audio(store, root):
    given = inputs(store, root, [recorded(root, number) for number in range(1, 4)])
    first = rebuild(store, given, BOTH)
    second = rebuild(store, replace(given, roots={}), BOTH, workers=4, scheduler="tcp://127.0.0.1:1")
    assert second.commit.snapshot == first.commit.snapshot
    assert (second.report.kept, second.report.computed, second.report.bytes_written) == (6, 0, 0)


def test_shuffled_input_gives_the_same_snapshot_and_values(tmp_path, root):
    items = [recorded(root, number) for number in range(1, 8)]
    built = []
    for name, order in (("a", items), ("b", items[::-1])):
        store = Store.create(tmp_path / name)
        given = inputs(store, root, order)
        built.append((rebuild(store, given, BOTH, limits=SMALL).commit.snapshot, values(store, given)))
    assert built[0][0] == built[1][0]
    assert same(built[0][1], built[1][1])


def test_a_changed_file_recomputes_its_rows_alone(store, root):
    items = [recorded(root, number) for number in range(1, 6)]
    first = rebuild(store, inputs(store, root, items), BOTH)
    items[2] = recorded(root, 3, seed=99)
    second = rebuild(store, inputs(store, root, items), BOTH)
    assert computed(second) == {"loudness": 1, "phone-means": 1}
    assert second.report.kept == 8
    assert second.commit.snapshot != first.commit.snapshot


def test_a_changed_parameter_recomputes_the_extractor_and_what_is_derived(store, root):
    given = inputs(store, root, [recorded(root, number) for number in range(1, 4)])
    other = Loudness(name="other")
    rebuild(store, given, (*BOTH, other))
    louder = Loudness(gain=2.0)
    second = rebuild(store, given, (louder, PhoneMeans(louder.spec), other))
    assert computed(second) == {"loudness": 3, "phone-means": 3, "other": 0}


def test_derived_rows_come_from_stored_parents_without_audio(store, root):
    items = [recorded(root, number) for number in range(1, 4)]
    given = inputs(store, root, items)
    rebuild(store, given, [FRAMES])
    for item in items:
        (root / item.path).unlink()
    second = rebuild(store, given, BOTH)
    assert computed(second) == {"loudness": 0, "phone-means": 3}
    assert second.report.quarantined == ()


def test_a_clip_that_an_extractor_cannot_handle_becomes_a_row(store, root):
    items = [recorded(root, 1), recorded(root, 2, peak=0.85), recorded(root, 3, peak=0.95), recorded(root, 4)]
    built = rebuild(store, inputs(store, root, items), (Fragile(), PhoneMeans(Fragile().spec), FRAMES))
    assert computed(built) == {"fragile": 2, "phone-means": 2, "loudness": 4}
    reasons = {(row.utterance, row.stage, row.path): row.reason for row in built.report.quarantined}
    assert built.report.quarantined[0].reason == "fragile: ValueError: too loud"
    assert len(built.report.quarantined) == 4
    assert {row.utterance for row in built.report.quarantined} == {items[1].id, items[2].id}
    short = [row.reason for row in built.report.quarantined if row.utterance == items[2].id]
    assert any("by its frame law" in reason for reason in short)
    assert any("derived from failed" in reason for reason in short)
    assert ("toy/u0002", "extract", "u0002.wav") in reasons
    wanted = {(rows.utterance, rows.spec) for rows in built.report.obtained}
    assert (items[1].id, Fragile().spec.digest) not in wanted
    assert (items[1].id, FRAMES.spec.digest) in wanted


def test_a_file_that_is_gone_or_changed_since_ingest_becomes_a_row(store, root):
    items = [recorded(root, number) for number in range(1, 4)]
    given = inputs(store, root, items)
    (root / items[0].path).unlink()
    recorded(root, 2, seed=5)
    built = rebuild(store, given, BOTH)
    reasons = {row.utterance: row.reason for row in built.report.quarantined}
    assert "cannot be opened" in reasons[items[0].id]
    assert "the file changed" in reasons[items[1].id]
    assert computed(built) == {"loudness": 1, "phone-means": 1}


def test_identical_audio_is_computed_once_and_both_utterances_have_it(store, root):
    items = [recorded(root, 1), replace(recorded(root, 11, seed=1), id="toy/u0011")]
    assert items[0].audio_sha256 == items[1].audio_sha256
    built = rebuild(store, inputs(store, root, items), [FRAMES])
    assert computed(built) == {"loudness": 1}
    assert [rows.utterance for rows in built.report.obtained] == ["toy/u0001", "toy/u0011"]


def test_builds_on_top_of_each_other_end_as_a_clean_one(tmp_path, store, root):
    items = [recorded(root, number) for number in range(1, 10)]
    for part in (items[4:], items[2:5], items[::-1][:7]):  # comes, goes and comes back
        rebuild(store, inputs(store, root, part), BOTH, limits=SMALL)
    items[1] = recorded(root, 2, seed=77)
    clean = Store.create(tmp_path / "clean")
    wanted, again = inputs(clean, root, items), inputs(store, root, items)
    assert (
        rebuild(store, again, BOTH).commit.snapshot
        == rebuild(clean, wanted, BOTH, limits=SMALL).commit.snapshot
    )
    left, right = FeatureStore.open(store.path), FeatureStore.open(clean.path)
    for item in items:
        for name in ("loudness", "phone-means"):
            np.testing.assert_array_equal(left.read(name, item.id), right.read(name, item.id))


def test_an_interrupted_build_goes_on_where_it_stopped(tmp_path, root):
    items = [recorded(root, number) for number in range(1, 10)]
    whole = Store.create(tmp_path / "whole")
    clean = rebuild(whole, inputs(whole, root, items), BOTH, limits=SMALL)
    store = Store.create(tmp_path / "store")
    given = inputs(store, root, items)
    for finished in (1, 2):
        with pytest.raises(PulledPlugError):
            rebuild(store, given, BOTH, limits=SMALL, progress=stop_after(1))
        with store.writer() as writer:
            assert len(writer.placed(FRAMES.spec, "toy")) == 3 * finished
    last = rebuild(store, given, BOTH, limits=SMALL)
    assert computed(last) == {"loudness": 3, "phone-means": 3}
    assert last.commit.snapshot == clean.commit.snapshot
    assert same(values(store, given), values(whole, given))


def test_extractors_run_with_one_blas_thread_so_that_every_build_has_the_same_bits(store, root):
    seen = []

    class Watching(Loudness):
        def one(self, clip):
            seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
            return super().one(clip)

    with threadpool_limits(limits=2, user_api="blas"):
        rebuild(store, inputs(store, root, [recorded(root, 1)]), [Watching()])
        after = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert set(seen) == {1}
    assert set(after) == {2}


def test_progress_ends_at_the_whole(store, root):
    seen = []
    given = inputs(store, root, [recorded(root, number) for number in range(1, 8)])
    rebuild(store, given, BOTH, limits=SMALL, progress=seen.append)
    assert [progress.items for progress in seen] == [1, 2, 3]
    assert seen[-1].seconds_audio == pytest.approx(seen[-1].of_seconds_audio)


def test_workers_that_do_not_start_are_a_clear_error(store, root, monkeypatch):
    monkeypatch.setattr("distributed.nanny.WorkerProcess._run", lambda *_, **__: os._exit(1))
    with pytest.raises(ExtractionError, match=r"2 worker processes.*build again"):
        rebuild(
            store,
            inputs(store, root, [recorded(root, 1), recorded(root, 2)]),
            [FRAMES],
            workers=2,
            limits=Limits(seconds=60, recordings=1),
        )


def test_a_corpus_without_a_folder_and_a_scheduler_that_is_not_there_are_clear_errors(
    store, root, monkeypatch
):
    monkeypatch.setattr("pipeline.cluster.CONNECT_SECONDS", 1)
    given = inputs(store, root, [recorded(root, 1)])
    with pytest.raises(ConfigurationError, match="the folder of corpus toy"):
        rebuild(store, replace(given, roots={}), BOTH)
    with pytest.raises(ConfigurationError, match=r"a Dask scheduler with workers at tcp://127\.0\.0\.1:1;"):
        rebuild(store, given, BOTH, scheduler="tcp://127.0.0.1:1")


@pytest.mark.slow
def test_worker_processes_give_the_snapshot_and_values_of_this_process(tmp_path, root):
    items = [recorded(root, number) for number in range(1, 12)]
    built = []
    for workers in (0, 1, 2, 4):
        store = Store.create(tmp_path / f"store{workers}")
        given = inputs(store, root, items)
        done = rebuild(store, given, BOTH, workers=workers, limits=SMALL)
        built.append((done.commit.snapshot, computed(done), values(store, given)))
    assert built[0][:2] == built[1][:2] == built[2][:2] == built[3][:2]
    assert all(same(built[0][2], other[2]) for other in built[1:])


def test_a_running_scheduler_takes_the_work_and_a_killed_worker_does_not_end_it(tmp_path, store, root):
    items = [recorded(root, number, peak=0.85 if number == 4 else 0.5) for number in range(1, 9)]
    given = inputs(store, root, items)
    once = Deadly(marker=str(tmp_path / "died"))
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1", silence_logs=50
    ) as cluster:
        said = []
        built = rebuild(
            store, given, [once], scheduler=cluster.scheduler_address, limits=SMALL, announce=said.append
        )
        assert said == [f"dashboard: {cluster.dashboard_link}"]
    assert (tmp_path / "died").exists()
    assert computed(built) == {"deadly": 8}
    assert built.report.quarantined == ()


def test_a_scheduler_that_goes_away_is_a_clear_error_and_the_work_is_kept(store, root):
    given = inputs(store, root, [recorded(root, number) for number in range(1, 20)])
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster:
        address = cluster.scheduler_address
        with pytest.raises(ExtractionError, match="a Dask scheduler until the end of the build"):
            rebuild(
                store, given, [Slow()], scheduler=address, limits=SMALL, progress=lambda _: cluster.close()
            )
    resumed = rebuild(store, given, [FRAMES])
    assert resumed.report.kept >= 3
    assert resumed.report.kept + resumed.report.computed == 19


@pytest.mark.slow
def test_a_recording_that_kills_every_worker_becomes_a_row_and_the_others_are_built(store, root):
    items = [recorded(root, number, peak=0.85 if number == 2 else 0.5) for number in range(1, 5)]
    deadly = Deadly(name="treacherous")  # after loudness, whose rows are written before the process dies
    given, pairs = inputs(store, root, items), Limits(seconds=60, recordings=2)
    built = rebuild(store, given, [FRAMES, deadly], workers=2, limits=pairs)
    assert [row.utterance for row in built.report.quarantined] == ["toy/u0002"]
    assert "worker process died" in built.report.quarantined[0].reason
    assert computed(built)["treacherous"] == 3
    survivors = {rows.utterance for rows in built.report.obtained if rows.spec == deadly.spec.digest}
    assert survivors == {"toy/u0001", "toy/u0003", "toy/u0004"}


@pytest.mark.parametrize(("workers", "items_done"), [(0, 2), (2, 1), (2, 2), (2, 4)])
def test_a_build_killed_with_its_workers_is_resumed_to_the_same_snapshot(tmp_path, root, workers, items_done):
    store = Store.create(tmp_path / "store")
    arguments = f"{str(store.path)!r}, {str(root)!r}, 12, {workers}"
    call = f"from tests.pipeline.build_cases import slow_build; slow_build({arguments})"
    with subprocess.Popen(
        [sys.executable, "-c", call], cwd=TREE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        finished = [process.stdout.readline() for _ in range(items_done)]
        os.killpg(process.pid, signal.SIGKILL)
    assert finished == [f"{number + 1}\n" for number in range(items_done)]
    whole = Store.create(tmp_path / "whole")
    items = [recorded(root, number) for number in range(1, 13)]
    clean = rebuild(whole, inputs(whole, root, items), BOTH)
    resumed = rebuild(store, inputs(store, root, items), BOTH)
    assert resumed.report.kept >= 2 * 2 * items_done
    assert resumed.report.kept + resumed.report.computed == 24
    assert resumed.commit.snapshot == clean.commit.snapshot
    assert same(values(store, inputs(store, root, items)), values(whole, inputs(whole, root, items)))
