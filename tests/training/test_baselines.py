"""The linear baseline learns what is linear, sees no target label, and standardises by speaker."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from store.errors import TrainingError
from store.records import Utterance
from training.baselines import LinearOutcome, pool_frames, run_linear, standardise_speakers
from training.guards import Ledger
from training.metrics import uar
from training.records import System
from training.splits import folds

CLASSES = ("neutral", "happiness", "anger", "sadness")
LINEAR = System(model="linear")
SPEAKER = System(model="linear", standardisation="speaker")


def corpus(name: str, n_speakers: int = 6) -> list[Utterance]:
    return [
        Utterance(
            id=f"{name}/{speaker}-{emotion}-{take}", corpus=name, path="x", speaker=f"{speaker}",
            gender="female" if speaker % 2 else "male", language="en", emotion=emotion, native_label=emotion,
            text="a", text_id="1", group=None, n_samples=16000, sample_rate=16000, n_channels=1,
            audio_sha256=f"{name}{speaker}{emotion}{take}", licence="x",
        )
        for speaker in range(n_speakers)
        for emotion in CLASSES
        for take in range(4)
    ]  # fmt: skip


def features(
    utterances: list[Utterance], shift: float = 0.0, layers: int = 2, good: int = 1
) -> dict[str, np.ndarray]:
    """Noise; the classes lie apart in layer ``good``; each speaker lies elsewhere, by about ``shift``."""
    rng = np.random.default_rng(0)
    places = {name: rng.normal(size=8) for name in sorted({item.speaker_key for item in utterances})}
    centres = 2 * np.eye(4, 8)
    found = {}
    for item in utterances:
        values = rng.normal(size=(layers, 8)) + shift * places[item.speaker_key]
        values[good] += centres[CLASSES.index(item.emotion)]
        found[item.id] = values.astype(np.float32)
    return found


SOURCE, TARGET = corpus("source"), corpus("target")


def run(
    values: dict[str, np.ndarray], system: System = LINEAR, target: list[Utterance] = TARGET
) -> LinearOutcome:
    return run_linear(
        values,
        SOURCE,
        target,
        folds(TARGET),
        (0, 1, 2),
        classes=CLASSES,
        system=system,
        strengths=(0.01, 1.0),
    )


def score(outcome: LinearOutcome) -> float:
    return uar([p.emotion for p in outcome.predictions], [p.predicted for p in outcome.predictions], CLASSES)


def test_it_learns_chooses_the_layer_and_predicts_everything_once_a_seed() -> None:
    outcome = run(features(SOURCE + TARGET))
    assert score(outcome) > 0.6
    assert {choice.layer for choice in outcome.choices} == {1}
    assert [choice.seed for choice in outcome.choices] == [0, 1, 2]
    assert all(choice.converged and choice.strength in (0.01, 1.0) for choice in outcome.choices)
    for seed in range(3):
        assert sorted(p.utterance for p in outcome.predictions if p.seed == seed) == sorted(
            u.id for u in TARGET
        )
    for prediction in outcome.predictions:
        assert sum(prediction.probabilities) == pytest.approx(1)
        assert CLASSES[int(np.argmax(prediction.probabilities))] == prediction.predicted
    by_fold = {(p.fold, p.speaker) for p in outcome.predictions}
    assert by_fold == {(fold.number, name) for fold in folds(TARGET) for name in fold.test_speakers}


def test_target_labels_change_no_prediction() -> None:
    values = features(SOURCE + TARGET)
    relabelled = [dataclasses.replace(item, emotion="anger") for item in TARGET]
    for system in (LINEAR, SPEAKER):
        one, other = run(values, system), run(values, system, relabelled)
        assert [p.predicted for p in one.predictions] == [p.predicted for p in other.predictions]


def test_speaker_standardisation_removes_speaker_shifts() -> None:
    values = features(SOURCE + TARGET, shift=4.0)
    plain, standardised = run(values), run(values, SPEAKER)
    assert score(standardised) > 0.6
    assert score(standardised) > score(plain) + 0.1
    assert {p.system for p in standardised.predictions} == {"linear (per-speaker z)"}


def test_seeds_change_the_source_split() -> None:
    outcome = run(features(SOURCE + TARGET))
    rows = {tuple(p.probabilities for p in outcome.predictions if p.seed == seed) for seed in range(3)}
    assert len(rows) > 1


def test_its_ledger_is_unsupervised() -> None:
    ledger = Ledger()
    run_linear(
        features(SOURCE + TARGET),
        SOURCE,
        TARGET,
        folds(TARGET),
        (0,),
        classes=CLASSES,
        system=LINEAR,
        ledger=ledger,
    )
    assert ledger.unsupervised("linear")
    assert {entry.stage for entry in ledger.entries} == {"training", "selection", "evaluation"}


@given(
    hnp.arrays(np.float32, (12, 2, 3), elements=st.floats(-100, 100, width=32)),
    st.lists(st.sampled_from("abc"), min_size=12, max_size=12),
)
def test_each_speaker_gets_mean_zero_and_sd_one(pooled: np.ndarray, speakers: list[str]) -> None:
    result = standardise_speakers(pooled, speakers)
    for name in set(speakers):
        rows = result[np.array(speakers) == name].astype(np.float64)
        np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-4)
        sd = rows.std(axis=0)
        assert np.all((np.abs(sd - 1) < 1e-3) | (sd == 0))


def test_pooling_is_mean_and_sd_over_time() -> None:
    frames = np.arange(24, dtype=np.float16).reshape(4, 2, 3)
    pooled = pool_frames(frames)
    assert pooled.shape == (2, 6)
    np.testing.assert_allclose(pooled[:, :3], frames.mean(axis=0))
    np.testing.assert_allclose(pooled[:, 3:], np.asarray(frames, dtype=np.float64).std(axis=0))
    np.testing.assert_allclose(pool_frames(frames[:, 0]), pooled[:1])


@pytest.mark.parametrize("shape", [(0, 3), (3,), (1, 1, 1, 1)])
def test_unusable_frames(shape: tuple[int, ...]) -> None:
    with pytest.raises(TrainingError, match="frames"):
        pool_frames(np.zeros(shape))


def test_unusable_input_is_named() -> None:
    values = features(SOURCE + TARGET)
    with pytest.raises(TrainingError, match="none of target/0-neutral-0"):
        run({name: rows for name, rows in values.items() if name != "target/0-neutral-0"})
    with pytest.raises(TrainingError, match="one shape"):
        run({**values, "target/0-neutral-0": np.zeros((1, 8), np.float32)})
    with pytest.raises(TrainingError, match="boredom"):
        run(values, target=[dataclasses.replace(TARGET[0], emotion="boredom"), *TARGET[1:]])
    with pytest.raises(TrainingError, match="one strength"):
        run_linear(values, SOURCE, TARGET, folds(TARGET), (0,), classes=CLASSES, system=LINEAR, strengths=())
