"""The metrics agree with scikit-learn wherever both define them, and with the laws of the specification."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from store.errors import TrainingError
from training.guards import f1_is_possible, grim
from training.metrics import confusion, macro_f1, out_of_set, recalls, uar, wa, weighted_f1

CLASSES = ("neutral", "happiness", "anger", "sadness")
pairs = st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1, max_size=60)


@given(pairs)
def test_agreement_with_scikit_learn(items: list[tuple[str, str]]) -> None:
    true, predicted = zip(*items, strict=True)
    present = [name for name in CLASSES if name in true]
    counts = confusion(true, predicted, CLASSES)
    np.testing.assert_array_equal(counts, confusion_matrix(true, predicted, labels=CLASSES))
    expected = recall_score(true, predicted, labels=present, average="macro", zero_division=0)
    assert uar(true, predicted, CLASSES) == pytest.approx(expected)
    assert wa(true, predicted, CLASSES) == pytest.approx(accuracy_score(true, predicted))
    expected = f1_score(true, predicted, labels=present, average="macro", zero_division=0)
    assert macro_f1(true, predicted, CLASSES) == pytest.approx(expected)
    expected = f1_score(true, predicted, labels=present, average="weighted", zero_division=0)
    assert weighted_f1(true, predicted, CLASSES) == pytest.approx(expected)
    assert math.isclose(np.nansum(recalls(counts)), uar(true, predicted, CLASSES) * len(present))
    assert np.isnan(recalls(counts)).sum() == len(CLASSES) - len(present)


@given(pairs)
def test_guards_hold_for_every_honest_score(items: list[tuple[str, str]]) -> None:
    true, predicted = zip(*items, strict=True)
    assert f1_is_possible(macro_f1(true, predicted, CLASSES), uar(true, predicted, CLASSES))
    printed = round(100 * wa(true, predicted, CLASSES), 2)
    correct = sum(a == b for a, b in items)
    assert correct in grim(printed, len(items))


def test_a_class_absent_from_the_reference_is_left_out_and_its_predictions_counted() -> None:
    true, predicted = ["anger", "anger", "sadness"], ["anger", "neutral", "sadness"]
    assert uar(true, predicted, CLASSES) == pytest.approx(0.75)
    assert out_of_set(confusion(true, predicted, CLASSES)) == 1


def test_a_worked_example() -> None:
    true = ["neutral"] * 4 + ["anger"] * 2
    predicted = ["neutral"] * 3 + ["anger"] * 3
    assert uar(true, predicted, CLASSES) == pytest.approx((3 / 4 + 2 / 2) / 2)
    assert wa(true, predicted, CLASSES) == pytest.approx(5 / 6)
    assert macro_f1(true, predicted, CLASSES) == pytest.approx((6 / 7 + 4 / 5) / 2)
    assert weighted_f1(true, predicted, CLASSES) == pytest.approx((4 * 6 / 7 + 2 * 4 / 5) / 6)


@pytest.mark.parametrize(
    ("true", "predicted", "match"),
    [
        ([], [], "at least one"),
        (["anger"], [], "0 predictions for 1"),
        (["joy"], ["anger"], "joy"),
        (["anger"], ["joy"], "joy"),
    ],
)
def test_unusable_labels_are_named(true: list[str], predicted: list[str], match: str) -> None:
    with pytest.raises(TrainingError, match=match):
        confusion(true, predicted, CLASSES)
