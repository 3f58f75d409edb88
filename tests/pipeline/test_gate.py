"""The quality gate: what it rejects and with which words, and that it finds wrong texts on EMO-DB."""

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline import audio
from pipeline.align import AlignedCorpus, align
from pipeline.corpora.emodb import TEXTS
from pipeline.gate import FEWEST, Gate, Quality, faults, measure_quality
from store.records import Alignment, PhoneInterval, Utterance
from store.vocabulary import COMMON_RATE

SHARED = Path(__file__).parents[2].parent / "shared" / "corpora" / "emodb"
needs_emodb = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the EMO-DB recordings are not beside the project"
)

Change = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def alignment(*lengths: float, score: float = -0.3, silence: float = 0.5) -> Alignment:
    """Phones of these lengths in seconds after a silence."""
    edges = np.round(np.cumsum([0, silence, *lengths]) * COMMON_RATE).astype(int).tolist()
    intervals = tuple(
        PhoneInterval(phone="a" if k else "", vowel=None, start=first, stop=stop, score=0.0)
        for k, (first, stop) in enumerate(pairwise(edges))
    )
    return Alignment(utterance="toy/x", key="k", aligner="embedded", score=score, intervals=intervals)


def quality(n: int = FEWEST) -> Quality:
    """A corpus in which nothing is wrong."""
    return Quality(
        np.linspace(-0.4, -0.2, n), np.full(n, 2), np.full(n, 10), np.full(n, 12.0),
        last_score=np.linspace(-0.4, -0.2, n), last_length=np.linspace(0.07, 0.1, n),
        open_end=np.zeros(n, dtype=bool),
    )  # fmt: skip


def cut_short(place: int = 4) -> Quality:
    """The usual corpus with one recording that stops in the middle of its text."""
    usual = quality()
    return replace(
        usual,
        last_score=with_value(usual.last_score, place, -2.0),
        last_length=with_value(usual.last_length, place, 0.04),
        open_end=np.arange(len(usual.open_end)) == place,
    )


def with_value(values: NDArray[Any], place: int, value: float) -> NDArray[Any]:
    return np.where(np.arange(len(values)) == place, value, values)


def test_measurements_count_speech_only() -> None:
    found = measure_quality([alignment(0.03, 0.07, 0.1), alignment(0.031, 0.169, silence=3.0), alignment()])
    assert found.at_floor.tolist() == [1, 0, 0]
    assert found.phones.tolist() == [3, 2, 0]
    assert found.rate == pytest.approx([15.0, 10.0, 0.0])
    assert found.last_length[:2] == pytest.approx([(0.03 * 0.07 * 0.1) ** (1 / 3), (0.031 * 0.169) ** 0.5])
    assert np.isnan(found.last_length[2])
    assert found.last_score[:2].tolist() == [0.0, 0.0]
    assert found.open_end.tolist() == [True, True, False]


def test_the_last_three_phones_are_measured_and_silence_after_them_is_seen() -> None:
    row = alignment(0.5, 0.5, 0.04, 0.04, 0.04)
    scores = (0.0, -9.0, -9.0, -1.0, -2.0, -3.0)
    row = replace(
        row, intervals=tuple(replace(i, score=s) for i, s in zip(row.intervals, scores, strict=True))
    )
    end = row.intervals[-1].stop
    pause = PhoneInterval(phone="", vowel=None, start=end, stop=end + 80, score=0.0)
    found = measure_quality([row, replace(row, intervals=(*row.intervals, pause))])
    assert found.last_score.tolist() == [-2.0, -2.0]
    assert found.last_length == pytest.approx([0.04, 0.04])
    assert found.open_end.tolist() == [True, False]


def test_nothing_measured() -> None:
    assert faults(measure_quality([]), Gate()) == []


def test_a_usual_corpus_passes() -> None:
    assert faults(quality(), Gate()) == [None] * FEWEST


def test_each_fault_has_its_number_and_threshold() -> None:
    usual = quality()
    bad = replace(
        usual,
        score=with_value(usual.score, 0, -1.5),
        rate=with_value(with_value(usual.rate, 1, 30.0), 2, 3.0),
        at_floor=with_value(usual.at_floor, 3, 8),
    )
    found = faults(bad, Gate())
    assert found[0] == "score -1.50, the text may be another (gate_score: at least -0.85)"
    assert found[1] is not None
    assert found[1].startswith("30.0 phones/s, the corpus has 12.0 (gate_slowest, gate_fastest: 0.4 to 2")
    assert found[2] is not None
    assert found[2].startswith("3.0 phones/s")
    assert found[3] == "80 % of its phones last 30 ms or less (gate_floor: at most 50 %)"
    assert found[4:] == [None] * (FEWEST - 4)


def test_a_recording_that_stops_before_its_text_is_rejected() -> None:
    found = faults(cut_short(), Gate())
    assert found[4] == (
        "it ends in speech, and its last 3 phones last 40 ms (the corpus's 85 ms) with a score of -2.00: "
        "it may be cut (gate_cut: 5 robust SD under the corpus's median, -0.68)"
    )
    assert [k for k, why in enumerate(found) if why] == [4]


@pytest.mark.parametrize("as_usual", ["last_score", "last_length", "open_end"])
def test_all_three_signs_of_a_cut_are_needed(as_usual: str) -> None:
    one_sign_less = replace(cut_short(), **{as_usual: getattr(quality(), as_usual)})
    assert faults(one_sign_less, Gate()) == [None] * FEWEST


def test_ends_in_speech_are_no_sign_where_they_are_usual() -> None:
    for share, rejected in ((0.3, [4]), (0.4, [])):
        some = replace(cut_short(), open_end=np.arange(FEWEST) < FEWEST * share)
        assert [place for place, why in enumerate(faults(some, Gate())) if why] == rejected


def test_a_cut_is_told_by_scores_of_a_trained_model_in_a_corpus_only() -> None:
    assert faults(cut_short(), Gate(cut=100)) == [None] * FEWEST
    assert faults(cut_short(), Gate(), certain=False) == [None] * FEWEST
    assert faults(cut_short(), Gate(), scored=False) == [None] * FEWEST
    few = {name: values[: FEWEST - 1] for name, values in asdict(cut_short()).items()}
    assert faults(Quality(**few), Gate()) == [None] * (FEWEST - 1)


@pytest.mark.parametrize("alike", ["last_score", "last_length"])
def test_nothing_is_cut_where_most_ends_are_the_same(alike: str) -> None:
    """Without a spread every end a hair below the median would be far below it."""
    one = float(np.median(getattr(cut_short(), alike)))
    same = with_value(np.full(FEWEST, one), 4, one - 1e-4)
    assert faults(replace(cut_short(), **{alike: same}), Gate()) == [None] * FEWEST


def test_a_score_far_below_the_corpus_is_rejected_though_it_is_above_the_fixed_threshold() -> None:
    clear = replace(quality(), score=with_value(np.linspace(-0.09, -0.05, FEWEST), 5, -0.6))
    assert [why is not None for why in faults(clear, Gate())] == [k == 5 for k in range(FEWEST)]
    assert faults(clear, Gate(score_spread=100)) == [None] * FEWEST


def test_what_compares_with_the_corpus_needs_one() -> None:
    few = FEWEST - 1
    odd = replace(quality(few), rate=with_value(np.full(few, 12.0), 0, 50.0), score=np.full(few, -0.7))
    assert faults(odd, Gate()) == [None] * few


def test_scores_of_the_seed_model_are_held_against_their_median_only() -> None:
    seed = replace(quality(), score=with_value(np.linspace(-2.1, -1.7, FEWEST), 3, -9.0))
    found = faults(seed, Gate(), certain=False)
    assert [k for k, why in enumerate(found) if why] == [3]
    assert faults(seed, Gate(), scored=False) == [None] * FEWEST
    assert all(faults(seed, Gate()))


@given(st.lists(st.floats(-5, 0), min_size=1, max_size=60), st.floats(-3, -0.1))
def test_a_stricter_gate_rejects_no_fewer(scores: list[float], threshold: float) -> None:
    n = len(scores)
    measured = replace(quality(n), score=np.array(scores))
    loose = faults(measured, Gate(score=threshold - 0.05))
    strict = faults(measured, Gate(score=threshold))
    assert all(why is not None for why, before in zip(strict, loose, strict=True) if before is not None)
    assert all(why is not None for why, score in zip(strict, scores, strict=True) if score < threshold)


def some_of_emodb(speakers: str) -> list[Utterance]:
    return [
        Utterance(
            id=f"emodb/{path.stem}", corpus="emodb", path=path.name, speaker=path.stem[:2], gender="unknown",
            language="de", emotion="neutral", native_label=path.stem[5], text=TEXTS[path.stem[2:5]],
            text_id=None, group=None, n_samples=3 * COMMON_RATE, sample_rate=COMMON_RATE, n_channels=1,
            audio_sha256=path.stem, licence="CC0",
        )
        for path in sorted((SHARED / "wav").iterdir()) if path.stem[:2] in speakers.split()
    ]  # fmt: skip


def load(utterance: Utterance) -> NDArray[np.float32]:
    return audio.load(SHARED / "wav" / utterance.path)


class OneModel:
    """A store that keeps the one model and no alignments."""

    def __init__(self) -> None:
        self.model: bytes | None = None

    def put_model(self, _name: str, data: bytes) -> str:
        self.model = data
        return "digest"

    def latest_model(self, _name: str) -> tuple[str, bytes] | None:
        return None if self.model is None else ("digest", self.model)

    def latest_alignments(self, _corpus: str, _aligner_digest: str) -> tuple[Alignment, ...]:
        return ()


@cache
def trained() -> OneModel:
    """A store with the model of two speakers."""
    store = OneModel()
    align(store, "emodb", some_of_emodb("10 11"), load)
    return store


@needs_emodb
def test_swapped_texts_of_emodb_are_rejected_and_right_ones_kept() -> None:
    store, right = trained(), some_of_emodb("10 11")
    names = sorted(TEXTS)
    next_text = {TEXTS[a]: TEXTS[b] for a, b in zip(names, names[5:] + names[:5], strict=True)}
    swapped = {utterance.id for utterance in right[::5]}

    def run(rows: list[Utterance]) -> AlignedCorpus:
        return align(store, "emodb", rows, load, gate=Gate())

    before = run(right)
    assert before.unaligned == ()
    assert "phones last no longer than 30 ms" in before.notes[0]
    wrong = [replace(u, text=next_text[u.text or ""]) if u.id in swapped else u for u in right]
    after = run(wrong)
    assert len(swapped) >= 12
    assert {row.utterance for row in after.unaligned} == swapped
    assert {row.stage for row in after.unaligned} == {"align"}
    assert any("alignments rejected by the gate" in note for note in after.notes)
    assert all("gate_" in row.reason or "text is too long" in row.reason for row in after.unaligned)
    without = align(store, "emodb", wrong, load)
    assert all("text is too long" in row.reason for row in without.unaligned)


def spoiled(change: Change) -> tuple[set[str], set[str], NDArray[np.float64]]:
    """Change every fifth recording: ids changed, ids rejected, and how far vowels of the others have moved.

    Compared are the starts (s) of the vowels that end 0.2 s before the end of the changed recording.
    """
    rows = some_of_emodb("10 11")
    changed = {utterance.id for utterance in rows[::5]}

    def spoil(utterance: Utterance) -> NDArray[np.float32]:
        return change(load(utterance)) if utterance.id in changed else load(utterance)

    before = {row.utterance: row for row in align(trained(), "emodb", rows, load).alignments}
    after = align(trained(), "emodb", rows, spoil, gate=Gate())
    moved = [
        np.abs(starts(row) - start).min()
        for row in after.alignments if row.utterance in changed
        for start in starts(before[row.utterance], until=row.intervals[-1].stop / COMMON_RATE - 0.2)
    ]  # fmt: skip
    return changed, {row.utterance for row in after.unaligned}, np.array(moved)


def starts(row: Alignment, until: float = np.inf) -> NDArray[np.float64]:
    vowels = [item for item in row.phones if item.vowel and item.stop / COMMON_RATE <= until]
    return np.array([item.start for item in vowels]) / COMMON_RATE


@needs_emodb
@pytest.mark.parametrize("kept", [0.5, 0.7, 0.85])
def test_clips_cut_in_mid_word_are_rejected_or_right_up_to_the_cut(kept: float) -> None:
    changed, rejected, moved = spoiled(lambda samples: samples[: int(kept * len(samples))])
    assert rejected <= changed
    assert kept > 0.5 or len(rejected) >= 0.9 * len(changed)
    assert (moved > 0.05).sum() <= 0.03 * len(moved)


@needs_emodb
def test_most_clips_without_the_last_tenth_of_their_speech_are_rejected_as_cut() -> None:
    rows = some_of_emodb("10 11")
    whole = {row.utterance: row.phones for row in align(trained(), "emodb", rows, load).alignments}
    changed = {utterance.id for utterance in rows[::5]}

    def cut(utterance: Utterance) -> NDArray[np.float32]:
        samples, phones = load(utterance), whole[utterance.id]
        end = phones[0].start + 0.9 * (phones[-1].stop - phones[0].start)
        return samples[: int(end)] if utterance.id in changed else samples

    found = align(trained(), "emodb", rows, cut, gate=Gate())
    assert {row.utterance for row in found.unaligned} <= changed
    assert sum("it may be cut" in row.reason for row in found.unaligned) >= 0.6 * len(changed)


@needs_emodb
def test_noise_at_10_db_is_rejected_or_leaves_most_vowels_in_place() -> None:
    def noisy(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        noise = np.random.default_rng(1).normal(0, samples.std() / 10**0.5, len(samples))
        return (samples + noise).astype(np.float32)

    changed, rejected, moved = spoiled(noisy)
    assert rejected <= changed
    assert len(rejected) >= 0.2 * len(changed)
    assert (moved <= 0.05).mean() > 0.85
