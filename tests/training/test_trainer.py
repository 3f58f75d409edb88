from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from store.errors import TrainingError
from training.adaptation import Adaptation, Problem
from training.dataset import load_corpus
from training.experiment import Experiment
from training.records import System
from training.sampling import bucketed
from training.trainer import Trained, Trainer, resolve_precision

SETTINGS = {
    "source": "one", "target": "two", "epochs": 7, "warm_up": 2, "patience": 2, "batch_size": 16,
    "learning_rate": 3e-3, "d_model": 16, "heads": 2, "feed_forward": 32, "classifier_width": 16,
    "attention_heads": 4, "precision": "float32", "pseudo_threshold": 0.4,
}  # fmt: skip
CL, GA, RA = (
    System(model="CL"),
    System(model="GA-CL", anchor_labels="pseudo"),
    System(model="RA-CL", anchor_labels="pseudo"),
)
AGA, ORACLE = (
    System(model="AGA-CL", anchor_labels="pseudo"),
    System(model="GA-CL", anchor_labels="oracle_val"),
)
UNLABELLED = System(model="GA-CL", anchor_labels="none")


@pytest.fixture(scope="module")
def problem(make_store: Callable) -> Problem:
    experiment = Experiment.model_validate(SETTINGS)
    store = make_store(speakers=4, repeats=2)
    source, target = (load_corpus(store, name, experiment, frames=True).data for name in ("one", "two"))
    part = np.arange(32)
    hidden = replace(target, labels=np.full(32, -1))
    return Problem(experiment, 0, 0, source, hidden, part[:24], part[24:], part[:16], part[16:])


def with_settings(problem: Problem, **changes: object) -> Problem:
    return replace(problem, experiment=Experiment.model_validate({**SETTINGS, **changes}))


def train(problem: Problem, *systems: System, oracle: NDArray[np.int64] | None = None) -> list[Trained]:
    trainer = Trainer(problem, use_frames=systems[0].model == "AGA-CL")
    return [trainer.train(system, oracle) for system in systems]


def same(one: Trained, other: Trained) -> bool:
    return bool((one.probabilities == other.probabilities).all()) and one.epochs == other.epochs


@pytest.mark.parametrize("system", [GA, AGA], ids=lambda system: system.model)
def test_training_is_deterministic(problem: Problem, system: System) -> None:
    first, second = train(problem, system)[0], train(problem, system)[0]
    assert same(first, second)
    assert first.anchors
    assert not same(first, train(replace(problem, seed=1), system)[0])


def test_systems_share_the_warm_up_but_do_not_influence_each_other(problem: Problem) -> None:
    cl, ra, ga = train(problem, CL, RA, GA)
    assert same(ga, train(problem, GA)[0])
    assert same(cl, train(problem, CL)[0])
    for number in range(2):
        assert (
            cl.epochs[number].emotion_loss == ga.epochs[number].emotion_loss == ra.epochs[number].emotion_loss
        )
    assert {row.system for row in ga.epochs} == {"GA-CL (pseudo)"}


def test_kept_epoch_is_the_best_after_the_warm_up_that_adapted(problem: Problem) -> None:
    for trained in train(problem, CL, GA):
        kept = [row for row in trained.epochs if row.kept]
        adapts = bool(trained.anchors)
        eligible = [row for row in trained.epochs if row.epoch >= 2 and (row.n_triplets > 0 or not adapts)]
        assert len(kept) == 1
        assert kept[0] in eligible
        assert kept[0].validation_uar == max(row.validation_uar for row in eligible)
        assert trained.epochs[-1].epoch in (6, kept[0].epoch + 2)  # patience is 2


def test_there_are_no_triplets_in_the_warm_up_nor_without_confident_predictions(problem: Problem) -> None:
    trained = train(problem, GA)[0]
    assert [row.n_triplets for row in trained.epochs[:2]] == [0, 0]
    assert trained.epochs[-1].n_triplets > 0
    unsure, plain = train(with_settings(problem, pseudo_threshold=1.0), GA, CL)
    assert all(
        row.absent in ("unlabelled", "source", "target", "both") and not row.chosen for row in unsure.anchors
    )
    assert {row.absent for row in unsure.anchors if row.vowel == "E"} == {"unlabelled"}
    assert {row.n_labelled for row in unsure.anchors} == {0}
    assert {row.n_adapt for row in unsure.anchors} == {16}
    assert all(row.n_triplets == 0 for row in unsure.epochs)
    # With nothing to adapt to the system is CL, epoch by epoch.
    shared = len(plain.epochs)
    assert [row.emotion_loss for row in unsure.epochs[:shared]] == [row.emotion_loss for row in plain.epochs]


def test_oracle_mode_uses_the_labels_it_is_given(problem: Problem) -> None:
    labels = np.full(32, -1)
    labels[:16] = np.arange(16) % 4
    swapped = np.where(labels >= 0, 3 - labels, -1)
    first, second = (train(problem, ORACLE, oracle=given)[0] for given in (labels, swapped))
    assert not same(first, second)
    with pytest.raises(TrainingError, match="found none for GA-CL"):
        train(problem, ORACLE)
    with pytest.raises(TrainingError, match="found labels for GA-CL"):
        train(problem, GA, oracle=labels)


def test_a_target_with_labels_never_reaches_training(problem: Problem) -> None:
    leaking = replace(problem.target, labels=np.where(np.arange(32) == 5, 1, -1))
    with pytest.raises(TrainingError, match="found 1 labels"):
        replace(problem, target=leaking)


def test_centroids_use_training_speakers_only(problem: Problem) -> None:
    """Test and validation utterances may change at will: the evidence of the anchors stays the same."""
    labels = np.where(np.arange(32) < 16, np.arange(32) % 4, -1)

    def evidence(case: Problem) -> tuple[object, ...]:
        adaptation = Adaptation(case, ORACLE, labels)
        adaptation.refresh(np.full((16, 4), 0.25, dtype=np.float32))
        return tuple(str(row) for row in adaptation.scores())

    noisy = []
    for data, items in ((problem.source, problem.validation), (problem.target, problem.test)):
        values = data.segments.values.copy()
        values[data.segments.rows_of(items)] += 100
        noisy.append(replace(data, segments=replace(data.segments, values=values)))
    assert evidence(problem) == evidence(replace(problem, source=noisy[0], target=noisy[1]))
    values = noisy[1].segments.values + 1
    changed = replace(noisy[1], segments=replace(noisy[1].segments, values=values))
    assert evidence(problem) != evidence(replace(problem, target=changed))


def test_centroids_of_many_utterances_are_drawn(problem: Problem) -> None:
    labels = np.where(np.arange(32) < 16, np.arange(32) % 4, -1)
    few = Adaptation(with_settings(problem, utterances_per_emotion=2), ORACLE, labels)
    assert np.bincount(few.labels[few.labels >= 0]).tolist() == [2, 2, 2, 2]


def test_anchors_without_any_label_are_per_vowel(problem: Problem) -> None:
    trained = train(problem, UNLABELLED)[0]
    assert {row.emotion for row in trained.anchors} == {"any"}
    assert trained.epochs[-1].n_triplets > 0


def test_anchors_chosen_once_stay(problem: Problem) -> None:
    def rows(refresh: str) -> tuple[list[str], list[str]]:
        adaptation = Adaptation(with_settings(problem, anchor_refresh=refresh), GA, None)
        found = []
        for shift in (0, 1):
            sure = np.eye(4, dtype=np.float32)[(np.arange(16) + shift) % 4]
            adaptation.refresh(sure)
            found.append([str(row) for row in adaptation.scores()])
        return found[0], found[1]

    first, second = rows("once")
    assert first == second
    first, second = rows("epoch")
    assert first != second


def test_attention_of_validation_items_is_a_choice(problem: Problem) -> None:
    def losses(attention: str) -> list[float]:
        return [
            row.emotion_loss
            for row in train(with_settings(problem, validation_attention=attention), AGA)[0].epochs
        ]

    cross, alone = losses("cross"), losses("self")
    assert cross[:3] == alone[:3]  # validation never feeds back into training


def test_bfloat16_is_close_to_float32(problem: Problem) -> None:
    exact, rough = (
        train(with_settings(problem, precision=precision, epochs=3), CL)[0]
        for precision in ("float32", "bfloat16")
    )
    assert not np.array_equal(exact.probabilities, rough.probabilities)
    np.testing.assert_allclose(exact.probabilities, rough.probabilities, atol=0.1)


def test_precision_is_resolved() -> None:
    assert resolve_precision("float32") == "float32"
    assert resolve_precision("auto") in ("float32", "bfloat16")


def test_batches_hold_every_item_once_with_little_padding() -> None:
    rng = np.random.default_rng(0)
    items, lengths = np.arange(100, 300), rng.integers(1, 90, 200)
    batches = bucketed(items, lengths, 16, rng)
    assert sorted(np.concatenate(batches).tolist()) == items.tolist()
    padded = sum(len(batch) * lengths[batch - 100].max() for batch in batches)
    assert padded < 1.5 * lengths.sum()
