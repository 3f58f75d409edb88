from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from store.errors import SplitError, StoreError, TrainingError
from training import saved_runs
from training.experiment import Experiment
from training.metrics import uar
from training.reports.assemble import protocol_lines
from training.run import Outcome, RunProgress, run_experiment

SMALL = Experiment(
    source="one", target="two", seeds=(0,), folds=2, epochs=9, warm_up=2, batch_size=16, learning_rate=3e-3,
    d_model=16, heads=2, feed_forward=32, classifier_width=16, attention_heads=4, precision="float32",
    pseudo_threshold=0.4,
)  # fmt: skip


def scores(outcome: Outcome) -> dict[str, float]:
    found = {}
    for system in outcome.systems:
        rows = [row for row in outcome.predictions if row.system == system.label]
        found[system.label] = uar([r.emotion for r in rows], [r.predicted for r in rows], SMALL.classes)
    return found


@pytest.fixture(scope="module")
def outcome(make_store: Callable) -> Outcome:
    return run_experiment(make_store(), SMALL.model_copy(update={"seeds": (0, 1)}))


def test_all_systems_beat_chance_clearly(outcome: Outcome) -> None:
    assert set(scores(outcome)) == {system.label for system in SMALL.systems}
    assert min(scores(outcome).values()) > 0.6


def test_every_target_utterance_is_scored_once_per_system_and_seed(outcome: Outcome) -> None:
    counts = Counter((row.system, row.seed, row.utterance) for row in outcome.predictions)
    assert len(counts) == len(SMALL.systems) * 2 * 48
    assert set(counts.values()) == {1}
    held_out = {(fold.number, speaker) for fold in outcome.folds for speaker in fold.test_speakers}
    assert {(row.fold, row.speaker) for row in outcome.predictions} == held_out
    assert all(sum(row.probabilities) == pytest.approx(1, abs=1e-5) for row in outcome.predictions)


def test_ledger_names_supervision(outcome: Outcome) -> None:
    supervised = [s.label for s in outcome.systems if not outcome.ledger.unsupervised(s.label)]
    assert supervised == ["GA-CL (oracle_val)", "AGA-CL (oracle_val)"]
    assert outcome.selected_on == "source_val"
    assert "target: train (anchors), test (evaluation)" in outcome.ledger.summary("GA-CL (oracle_val)")


def test_absent_vowels_are_named(outcome: Outcome) -> None:
    assert outcome.absent_vowels == {"u": "source", "aI": "both", "eI": "both", "aU": "both", "oU": "both"}
    assert {row.absent for row in outcome.anchors if row.vowel == "aI"} == {"both"}


def test_only_oracle_modes_read_target_labels(make_store: Callable, outcome: Outcome) -> None:
    """Other target labels change nothing but the scores, except where true labels are asked for."""
    store = make_store()
    labels = {item.id: item.emotion for item in store.items if item.corpus == "two"}
    turned = dict(zip(labels, [*list(labels.values())[1:], *list(labels.values())[:1]], strict=True))
    store.items = [replace(item, emotion=turned.get(item.id, item.emotion)) for item in store.items]
    other = run_experiment(store, SMALL.model_copy(update={"models": SMALL.models[1:]}))
    before = {(row.system, row.utterance): row.probabilities for row in outcome.predictions if row.seed == 0}
    changed = {
        row.system for row in other.predictions if before[row.system, row.utterance] != row.probabilities
    }
    assert changed == {"GA-CL (oracle_val)", "AGA-CL (oracle_val)"}
    relabelled = {row.utterance: row.emotion for row in other.predictions}
    assert relabelled == turned


def test_finished_runs_are_reused_until_something_changes(
    make_store: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = SMALL.model_copy(update={"models": ("CL", "GA-CL"), "epochs": 4})

    def run(experiment: Experiment, **changes: object) -> tuple[Outcome, list[bool]]:
        seen: list[RunProgress] = []
        outcome = run_experiment(make_store(**changes), experiment, seen.append, tmp_path)
        assert [item.done for item in seen] == list(range(seen[-1].total + 1))
        reused = [item.reused for item in seen[1:]]
        assert (outcome.reused, outcome.runs) == (sum(reused), len(reused))
        return outcome, reused

    first, reused = run(experiment)
    assert reused == [False] * 6
    second, reused = run(experiment)
    assert reused == [True] * 6
    assert (second.predictions, second.epochs) == (first.predictions, first.epochs)
    assert str(second.anchors) == str(first.anchors)
    assert second.ledger.entries == first.ledger.entries
    victim = sorted(tmp_path.glob("GA-CL-pseudo-*"))[0]
    victim.write_text(victim.read_text(encoding="utf-8")[:100], encoding="utf-8")  # killed in the middle
    third, reused = run(experiment)
    assert sorted(reused) == [False] + [True] * 5
    assert third.predictions == first.predictions
    assert not any(run(experiment.model_copy(update={"beta": 0.4}))[1])
    assert not any(run(experiment, repeats=4)[1])
    with monkeypatch.context() as patch:
        patch.setattr(saved_runs, "code_digest", lambda: "other sources")
        assert not any(run(experiment)[1])
    assert all(run(experiment.model_copy(update={"precision": "float32", "workers": 0}))[1])
    assert not any(run(experiment.model_copy(update={"precision": "bfloat16"}))[1])
    _, reused = run(experiment.model_copy(update={"seeds": (0, 1)}))
    assert reused == [True] * 6 + [False] * 6


def test_a_run_that_cannot_be_saved_is_a_one_line_error(make_store: Callable, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    experiment = SMALL.model_copy(update={"models": ("CL",), "epochs": 3})
    with pytest.raises(StoreError, match="free space"):
        run_experiment(make_store(), experiment, folder=tmp_path / "file")


def test_the_code_digest_follows_what_training_does_not_what_reports_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "training"
    (package / "reports").mkdir(parents=True)
    source = package / "losses.py"
    source.write_text("a = 1")
    monkeypatch.setattr(saved_runs, "__file__", str(package / "saved_runs.py"))
    first = saved_runs.code_digest.__wrapped__()
    (package / "reports" / "page.py").write_text("b = 1")
    assert saved_runs.code_digest.__wrapped__() == first
    source.write_text("a = 2")
    assert saved_runs.code_digest.__wrapped__() != first


@pytest.mark.slow
def test_processes_give_the_same_results(make_store: Callable, tmp_path: Path) -> None:
    experiment = SMALL.model_copy(update={"models": ("CL", "AGA-CL"), "epochs": 4})
    alone = run_experiment(make_store(), experiment)
    shared = run_experiment(make_store(), experiment.model_copy(update={"workers": 2}), folder=tmp_path)
    assert shared.predictions == alone.predictions
    assert shared.epochs == alone.epochs


def test_unaligned_utterances_are_listed_and_long_ones_are_cut(make_store: Callable) -> None:
    store = make_store()
    del store.alignments["two/005"], store.rows["segments-encoder", "one/007"]
    experiment = SMALL.model_copy(update={"models": ("CL",), "epochs": 3, "max_phones": 5})
    outcome = run_experiment(store, experiment)
    assert "two/005" not in {row.utterance for row in outcome.predictions}
    reasons = Counter(row.reason for row in outcome.skipped)
    assert reasons["no phones: not aligned"] == 1
    assert reasons["no stored rows of segments-encoder"] == 1
    assert reasons["only the first 5 of 6 phones are used"] > 10


def test_emotions_may_count_as_a_class(make_store: Callable) -> None:
    """IEMOCAP's usual four classes: excitement counts as happiness."""
    store, before = make_store(), make_store()
    store.items = [
        replace(item, emotion="excitement") if item.emotion == "happiness" and at % 2 else item
        for at, item in enumerate(store.items)
    ]
    linear = SMALL.model_copy(update={"models": ("linear",)})
    merged = linear.model_copy(update={"relabel": {"excitement": "happiness"}})
    outcome = run_experiment(store, merged)
    assert outcome.predictions == run_experiment(before, linear).predictions
    assert {item.emotion for item in outcome.source} == set(merged.classes)
    assert "Recordings of excitement count as happiness." in protocol_lines(outcome)
    assert merged.digest != linear.digest
    assert len(run_experiment(store, linear).predictions) < len(outcome.predictions)


@pytest.mark.parametrize("rows", ["encoder", "segments-encoder"])
def test_frames_that_are_undefined_somewhere_are_an_error(make_store: Callable, rows: str) -> None:
    store = make_store()
    store.rows[rows, "one/003"][0, 0] = np.nan
    with pytest.raises(TrainingError, match=f"all rows of {rows}; found undefined ones .NaN. in one/003"):
        run_experiment(store, SMALL.model_copy(update={"models": ("linear",)}))


def test_no_common_vowel_is_an_error_before_training(make_store: Callable) -> None:
    with pytest.raises(TrainingError, match="at least one vowel in both corpora"):
        run_experiment(make_store(target_vowels=("aI", "oU")), SMALL)


def test_one_emotion_only_is_an_error(make_store: Callable) -> None:
    store = make_store()
    store.items = [item for item in store.items if item.corpus == "one" or item.emotion == "anger"]
    with pytest.raises(TrainingError, match=r"two or more of .* in two; found anger"):
        run_experiment(store, SMALL)


def test_shared_audio_is_an_error_in_strict_mode(make_store: Callable) -> None:
    store = make_store()
    twin = store.items[0].audio_sha256
    store.items[-1] = replace(store.items[-1], audio_sha256=twin)
    with pytest.raises(SplitError, match="source/target"):
        run_experiment(store, SMALL)
