"""The guards find what they are there for, and keep quiet otherwise."""

import dataclasses

import numpy as np
import pytest

from store.errors import SplitError, TrainingError
from store.records import Utterance
from training.guards import (
    EVALUATION,
    Ledger,
    LockedLabels,
    check_split,
    f1_is_possible,
    floors,
    grim,
    majority_floor,
    text_only_predictions,
)
from training.splits import folds


def utterance(
    name: str, *, speaker: str, text: str | None = "Hello there.", emotion: str = "anger"
) -> Utterance:
    return Utterance(
        id=f"toy/{name}", corpus="toy", path=name, speaker=speaker, gender="female", language="en",
        emotion=emotion, native_label=emotion, text=text, text_id="1", group=None, n_samples=1,
        sample_rate=16000, n_channels=1, audio_sha256=name, licence="x",
    )  # fmt: skip


def test_shared_texts_are_reported_but_allowed() -> None:
    report = check_split([utterance("a", speaker="1")], [utterance("b", speaker="2", text="hello, THERE")])
    assert report.clean
    assert report.texts == ("hello there",)


def test_unknown_texts_compare_by_corpus_and_text_id() -> None:
    one, other = utterance("a", speaker="1", text=None), utterance("b", speaker="2", text=None)
    assert check_split([one], [other]).texts == ("toy/1",)
    assert check_split([one], [dataclasses.replace(other, corpus="second")]).texts == ()
    assert check_split([one], [dataclasses.replace(other, text_id=None)]).texts == ()


@pytest.mark.parametrize(
    ("other", "match"),
    [
        (utterance("b", speaker="1"), r"1 speakers shared \(toy/1\)"),
        (utterance("a", speaker="2"), r"1 recordings shared \(a\)"),
    ],
)
def test_leaks_are_errors_when_strict_and_reported_otherwise(other: Utterance, match: str) -> None:
    with pytest.raises(SplitError, match=match):
        check_split([utterance("a", speaker="1")], [other])
    assert not check_split([utterance("a", speaker="1")], [other], strict=False).clean


def test_an_empty_side_is_an_error() -> None:
    with pytest.raises(SplitError, match="1 and 0"):
        check_split([utterance("a", speaker="1")], [])


def test_same_speaker_name_in_two_corpora_is_two_speakers() -> None:
    other = dataclasses.replace(utterance("b", speaker="1"), corpus="second")
    assert check_split([utterance("a", speaker="1")], [other]).speakers == ()


def test_the_ledger_knows_unsupervised_systems() -> None:
    ledger = Ledger()
    ledger.note("CL", "training", "source", "train", "cross-entropy")
    ledger.note("CL", "training", "source", "train", "cross-entropy")
    ledger.note("CL", "selection", "source", "validation", "early stopping")
    ledger.note("CL", EVALUATION, "target", "test", "scores")
    ledger.note("AGA-CL (oracle_val)", "anchors", "target", "train", "anchor selection")
    assert len(ledger.entries) == 4
    assert ledger.unsupervised("CL")
    assert not ledger.unsupervised("AGA-CL (oracle_val)")
    assert (
        ledger.summary("CL") == "source: train (training), validation (selection); target: test (evaluation)"
    )
    copy = Ledger()
    copy.extend(ledger.entries)
    assert copy.entries == ledger.entries


def test_the_ledger_refuses_an_unknown_role() -> None:
    with pytest.raises(TrainingError, match="source, target"):
        Ledger().note("CL", "training", "english", "train", "cross-entropy")


def test_labels_are_noted_as_they_are_handed_over() -> None:
    ledger = Ledger()
    labels = LockedLabels(np.array([2, 0, 1, 1]), "target", ledger)
    assert ledger.entries == ()
    found = labels.hand_over(
        np.array([1, 2]), system="GA-CL", stage="anchors", split="train", purpose="centroids"
    )
    assert found.tolist() == [-1, 0, 1, -1]
    assert not ledger.unsupervised("GA-CL")
    assert ledger.unsupervised("CL")
    labels.hand_over(np.array([3]), system="CL", stage=EVALUATION, split="test", purpose="scores")
    assert ledger.unsupervised("CL")


def test_grim_finds_the_counts_behind_a_printed_accuracy() -> None:
    assert grim(66.67, 3) == (2,)
    assert grim(50.0, 3) == ()
    assert grim(47.5, 339, 1) == (161,)
    assert grim(0.0, 10) == (0,)
    assert grim(100.0, 10) == (10,)


def test_f1_above_the_bound_of_uar_is_impossible() -> None:
    assert f1_is_possible(0.66, 0.5)
    assert not f1_is_possible(0.67, 0.5)


def test_floors() -> None:
    assert majority_floor(["a", "b", "b"]) == pytest.approx(2 / 3)
    with pytest.raises(TrainingError, match="at least one label"):
        majority_floor([])
    train = [
        utterance("a", speaker="1", text="one", emotion="anger"),
        utterance("b", speaker="1", text="two", emotion="sadness"),
        utterance("c", speaker="2", text="two", emotion="sadness"),
        utterance("d", speaker="2", text="one", emotion="neutral"),
    ]
    test = [utterance(text, speaker="3", text=text) for text in ("One!", "two", "three")]
    assert text_only_predictions(train, test) == ("anger", "sadness", "sadness")
    with pytest.raises(TrainingError, match="training utterances"):
        text_only_predictions([], test)


def test_floors_of_a_corpus_whose_texts_give_the_label_away() -> None:
    emotions = {"one": "anger", "two": "sadness"}
    items = [
        utterance(f"{speaker}{text}", speaker=speaker, text=text, emotion=emotion)
        for speaker in "1234"
        for text, emotion in emotions.items()
    ]
    found = floors(items, folds(items), ("neutral", "anger", "sadness"))
    assert (found.chance_uar, found.majority_wa, found.text_uar, found.text_wa) == (0.5, 0.5, 1.0, 1.0)


def test_floors_of_a_corpus_whose_texts_say_nothing() -> None:
    items = [
        utterance(f"{speaker}{emotion}", speaker=speaker, emotion=emotion)
        for speaker in "1234"
        for emotion in ("anger", "anger ", "sadness")
    ]
    items = [dataclasses.replace(item, emotion=item.emotion.strip()) for item in items]
    found = floors(items, folds(items), ("anger", "sadness"))
    assert found.majority_wa == pytest.approx(2 / 3)
    assert (found.text_uar, found.text_wa) == (0.5, pytest.approx(2 / 3))
