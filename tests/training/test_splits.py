"""Laws of the speaker-disjoint splits and the published folds."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.errors import SplitError
from store.records import Utterance
from training.splits import folds, source_split

SHARED = Path(__file__).parents[2].parent / "shared"
EMODB = {"03": "male", "08": "female", "09": "female", "10": "male", "11": "male", "12": "male",
         "13": "female", "14": "female", "15": "male", "16": "female"}  # fmt: skip
RAVDESS = {f"{n:02d}": "male" if n % 2 else "female" for n in range(1, 25)}
CLASSES = ("anger", "happiness", "neutral", "sadness")


def utterances(
    genders: dict[str, str], corpus: str = "toy", classes: tuple[str, ...] = CLASSES
) -> list[Utterance]:
    return [
        Utterance(
            id=f"{corpus}/{speaker}-{emotion}", corpus=corpus, path="x.wav", speaker=speaker, gender=gender,
            language="en", emotion=emotion, native_label=emotion, text="a", text_id="1", group=None,
            n_samples=16000, sample_rate=16000, n_channels=1, audio_sha256=f"{speaker}{emotion}", licence="x",
        )
        for speaker, gender in genders.items()
        for emotion in classes
    ]  # fmt: skip


speakers = st.dictionaries(
    st.text("abcdef0123456789", min_size=1, max_size=4), st.sampled_from(["female", "male", "unknown"]),
    min_size=2, max_size=30,
)  # fmt: skip


@given(speakers)
def test_each_speaker_is_tested_exactly_once(genders: dict[str, str]) -> None:
    found = folds(utterances(genders))
    assert sorted(name for fold in found for name in fold.test_speakers) == sorted(genders)
    assert [fold.number for fold in found] == list(range(len(found)))
    for fold in found:
        assert fold.test_speakers
        assert set(fold.test_speakers) | set(fold.train_speakers) == set(genders)
        assert not set(fold.test_speakers) & set(fold.train_speakers)


@given(speakers, st.randoms())
def test_folds_are_balanced_and_independent_of_order(genders: dict[str, str], random: object) -> None:
    items = utterances(genders)
    found = folds(items)
    random.shuffle(items)  # type: ignore[attr-defined]
    assert folds(items) == found
    for gender in {*genders.values(), None}:
        sizes = [sum(gender in (None, genders[name]) for name in fold.test_speakers) for fold in found]
        assert max(sizes) - min(sizes) <= 1


def test_emodb_has_five_folds_of_one_woman_and_one_man() -> None:
    found = folds(utterances(EMODB, "emodb"))
    assert len(found) == 5
    for fold in found:
        assert sorted(EMODB[name] for name in fold.test_speakers) == ["female", "male"]


def test_ravdess_and_emovo_folds_are_those_of_emobox() -> None:
    path = SHARED / "protocols" / "emobox.json"
    if not path.exists():
        pytest.skip("the published fold lists lie outside the project")
    published = json.loads(path.read_text())["corpora"]
    emovo = {name: "female" if name[0] == "f" else "male" for name in ("f1", "f2", "f3", "m1", "m2", "m3")}
    for corpus, genders in (("ravdess", RAVDESS), ("emovo", emovo)):
        found = folds(utterances(genders, corpus))
        assert [sorted(fold.test_speakers) for fold in found] == [
            sorted(f) for f in published[corpus]["folds"]
        ]


def test_published_folds_shrink_to_the_speakers_present_and_divide() -> None:
    items = utterances({name: EMODB[name] for name in ("03", "08", "16")}, "emodb")
    found = folds(items)
    assert [fold.test_speakers for fold in found] == [("03", "08"), ("16",)]
    train, test = found[0].divide(items)
    assert {item.speaker for item in train} == {"16"}
    assert {item.speaker for item in test} == {"03", "08"}


def test_number_of_folds_overrides_published_ones() -> None:
    assert len(folds(utterances(RAVDESS, "ravdess"), n_folds=4)) == 4


@pytest.mark.parametrize(
    ("items", "n_folds", "match"),
    [
        (utterances({"99": "male", "03": "male", "08": "female"}, "emodb"), None, "also 99"),
        (utterances({"a": "male"}), None, "two speakers"),
        ([], None, "utterances of one corpus"),
        (utterances({"a": "male"}) + utterances({"a": "male"}, "other"), None, "other, toy"),
        (utterances({"a": "male"}) + utterances({"a": "female"}), None, "one gender of a"),
        (utterances({"a": "male", "b": "male"}), 3, "2 to 2 folds"),
        (utterances({"03": "male", "08": "female"}, "emodb"), None, "speakers of two folds"),
    ],
)
def test_impossible_folds_are_named(items: list[Utterance], n_folds: int | None, match: str) -> None:
    with pytest.raises(SplitError, match=match):
        folds(items, n_folds)


@given(speakers, st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
def test_source_split_is_speaker_disjoint_and_complete(
    genders: dict[str, str], seed: int, share: float
) -> None:
    items = utterances(genders)
    train, validation = source_split(items, seed, share)
    assert train | validation == {item.id for item in items}
    assert not train & validation
    sides = [{item.speaker for item in items if item.id in ids} for ids in (train, validation)]
    assert not sides[0] & sides[1]
    assert all(sides)
    for ids in (train, validation):
        assert {item.emotion for item in items if item.id in ids} == set(CLASSES)


def test_source_split_takes_the_share_balanced_by_gender() -> None:
    for seed in range(10):
        items = utterances(EMODB, "emodb")
        _, validation = source_split(items, seed)
        names = sorted({item.speaker for item in items if item.id in validation})
        assert sorted(EMODB[name] for name in names) == ["female", "male"]


def test_seeds_differ_and_repeat() -> None:
    items = utterances(RAVDESS, "ravdess")
    drawn = [source_split(items, seed) for seed in range(5)]
    assert len({validation for _, validation in drawn}) > 1
    assert drawn == [source_split(list(reversed(items)), seed) for seed in range(5)]


def test_a_rare_class_is_kept_on_both_sides_or_refused() -> None:
    items = utterances(RAVDESS, "ravdess")
    rare = [item for item in items if item.emotion != "anger" or item.speaker in ("01", "02")]
    for seed in range(5):
        train, validation = source_split(rare, seed)
        assert all(any(i.emotion == "anger" for i in rare if i.id in ids) for ids in (train, validation))
    alone = [item for item in items if item.emotion != "anger" or item.speaker == "01"]
    with pytest.raises(SplitError, match="every emotion"):
        source_split(alone, 0)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
def test_an_impossible_share_is_refused(share: float) -> None:
    with pytest.raises(SplitError, match="share between 0 and 1"):
        source_split(utterances(RAVDESS), 0, share)
