"""The tests of significance agree with scipy and with known worked values."""

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from store.errors import TrainingError
from training.metrics import uar
from training.records import Prediction
from training.significance import bootstrap_speakers, holm, paired_t, stars

CLASSES = ("neutral", "happiness", "anger", "sadness")


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=3, max_size=10))
def test_paired_t_is_that_of_scipy(runs: list[tuple[int, int]]) -> None:
    first = {seed: a / 100 for seed, (a, _) in enumerate(runs)}
    second = {seed: b / 100 for seed, (_, b) in enumerate(runs)}
    found = paired_t(first, second)
    differences = np.array([a - b for a, b in runs]) / 100
    if np.ptp(differences) < 1e-9:
        assert found.no_spread
        assert isnan(found.p)
        return
    expected = stats.ttest_rel(list(first.values()), list(second.values()))
    assert found.t == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.df == expected.df == len(runs) - 1
    assert found.d_z == pytest.approx(differences.mean() / differences.std(ddof=1))


def test_pairs_by_seed_not_by_order() -> None:
    first, second = {2: 0.5, 0: 0.7, 1: 0.6}, {0: 0.6, 1: 0.55, 2: 0.4}
    found = paired_t(first, second)
    assert found.mean_difference == pytest.approx(0.25 / 3)
    assert found.t == pytest.approx(stats.ttest_1samp([0.1, 0.05, 0.1], 0).statistic)


def test_degenerate_runs() -> None:
    for second in ({0: 0.5, 1: 0.6}, {0: 0.4, 1: 0.5}):  # the same runs, and shifted by a constant
        found = paired_t({0: 0.5, 1: 0.6}, second)
        assert [isnan(value) for value in (found.t, found.p, found.d_z)] == [True] * 3
        assert found.no_spread
        assert stars(found.p) == ""
    single = paired_t({0: 0.5}, {0: 0.4})
    assert isnan(single.p)
    assert isnan(single.t)
    assert not single.no_spread
    assert single.mean_difference == pytest.approx(0.1)


def test_unequal_seeds_are_an_error() -> None:
    with pytest.raises(TrainingError, match="same seeds"):
        paired_t({0: 0.5, 1: 0.5}, {0: 0.5})
    with pytest.raises(TrainingError, match="same seeds"):
        paired_t({}, {})


def test_holm_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_laws(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= a <= min(1, p * len(p_values)) + 1e-12 for p, a in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert list(np.diff(np.array(adjusted)[order]) >= 0) == [True] * max(0, len(p_values) - 1)


def test_holm_leaves_nan_out_of_the_count() -> None:
    adjusted = holm([0.02, nan, 0.03])
    assert isnan(adjusted[1])
    assert (adjusted[0], adjusted[2]) == pytest.approx((0.04, 0.04))


@pytest.mark.parametrize(
    ("p", "paper", "usual"),
    [(0.2, "", ""), (0.07, "*", ""), (0.03, "**", "*"), (0.0005, "***", "***"), (nan, "", "")],
)
def test_stars(p: float, paper: str, usual: str) -> None:
    assert stars(p, "paper") == paper
    assert stars(p) == usual


def test_unknown_stars() -> None:
    with pytest.raises(TrainingError, match="paper, usual"):
        stars(0.1, "many")


def one(system: str, seed: int, speaker: int, *, place: int, emotion: str, predicted: str) -> Prediction:
    return Prediction(
        system=system, seed=seed, fold=0, utterance=f"{speaker}/{place}", speaker=str(speaker),
        emotion=emotion, predicted=predicted, probabilities=(0.25,) * 4,
    )  # fmt: skip


def predictions(
    n_speakers: int = 8, seeds: int = 2, system: str = "CL", accuracy: float = 0.6
) -> list[Prediction]:
    rng = np.random.default_rng(1)
    found = []
    for seed in range(seeds):
        for speaker in range(n_speakers):
            for place in range(12):
                emotion = CLASSES[place % 4]
                predicted = emotion if rng.random() < accuracy else CLASSES[int(rng.integers(4))]
                found.append(one(system, seed, speaker, place=place, emotion=emotion, predicted=predicted))
    return found


def test_bootstrap_holds_the_estimate_and_repeats() -> None:
    items = predictions()
    interval = bootstrap_speakers(items, CLASSES)
    score = uar([i.emotion for i in items], [i.predicted for i in items], CLASSES)
    assert interval.low < score < interval.high
    assert (interval.draws, interval.n_speakers, interval.level) == (2000, 8, 0.95)
    assert bootstrap_speakers(list(reversed(items)), CLASSES) == interval
    assert bootstrap_speakers(items, CLASSES, seed=1) != interval


def test_bootstrap_is_that_of_a_plain_loop() -> None:
    items = predictions(n_speakers=4)
    weights = np.random.default_rng(3).multinomial(4, np.full(4, 0.25), size=50)
    scores = []
    for draw in weights:
        by_seed = []
        for seed in (0, 1):
            of_seed = [item for item in items if item.seed == seed]
            drawn = [i for s, times in enumerate(draw) for i in of_seed * times if i.speaker == str(s)]
            by_seed.append(uar([i.emotion for i in drawn], [i.predicted for i in drawn], CLASSES))
        scores.append(np.mean(by_seed))
    interval = bootstrap_speakers(items, CLASSES, draws=50, seed=3)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(scores, [0.025, 0.975])))


def test_bootstrap_widens_with_fewer_speakers_of_their_own_kind() -> None:
    items = predictions(n_speakers=3, accuracy=0.0)
    perfect = [i if i.speaker != "0" else Prediction(**{**_fields(i), "predicted": i.emotion}) for i in items]
    assert bootstrap_speakers(perfect, CLASSES).high > bootstrap_speakers(items, CLASSES).high


def _fields(item: Prediction) -> dict[str, object]:
    return {name: getattr(item, name) for name in Prediction.__dataclass_fields__}


def test_bootstrap_refuses_mixed_or_incomplete_predictions() -> None:
    with pytest.raises(TrainingError, match="one system"):
        bootstrap_speakers(predictions() + predictions(system="GA-CL"), CLASSES)
    with pytest.raises(TrainingError, match="one system"):
        bootstrap_speakers([], CLASSES)
    with pytest.raises(TrainingError, match="every speaker in every seed"):
        bootstrap_speakers([i for i in predictions() if (i.seed, i.speaker) != (1, "3")], CLASSES)
