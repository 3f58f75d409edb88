"""The embedded aligner: laws of its parts, and known times found in clean, padded and noisy speech."""

from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from pipeline import espeak
from pipeline.aligners import acoustics, graph, hmm, seed
from pipeline.aligners.embedded import EmbeddedAligner
from pipeline.aligners.embedded_training import seed_texts, train_embedded
from pipeline.aligners.model import from_bytes, nearest_unit, without_speakers
from pipeline.aligners.pronunciation import pronounce, slots
from pipeline.aligners.training import Recipe
from pipeline.phones import articulatory_class
from store.errors import AlignmentError
from store.records import Alignment, Utterance
from store.vocabulary import COMMON_RATE

TEXTS = (
    "Der Lappen liegt auf dem Tisch.", "Heute Abend kommt sie nach Hause.", "Was sind denn das für Tüten?",
    "Sie haben es gerade gesehen.", "Ich will das eben noch sagen.", "Karl hat gut und lange geschlafen.",
)  # fmt: skip
MANDARIN = (
    "我今天很高兴。", "他在中国学习汉语。", "请把门打开。", "你去哪里吃饭？", "这本书很好看。",
    "我们明天再见。", "孩子们在院子里玩。", "昨天下了一场大雨。",
)  # fmt: skip
VOICES = ("f3", "m2", "m5", "f5")
"""Voices that the seed is not made of."""
Samples = NDArray[np.float32]


def make(text: str, voice: str, language: str = "de") -> Utterance:
    return Utterance(
        id=f"toy/{voice}{text}", corpus="toy", path=voice, speaker=voice, gender="unknown",
        language=language, emotion="neutral", native_label="n", text=text, text_id=None,
        group=None, n_samples=2 * COMMON_RATE, sample_rate=COMMON_RATE, n_channels=1,
        audio_sha256=f"{text}{voice}", licence="none", synthetic=True,
    )  # fmt: skip


CORPUS = [make(text, voice) for text, voice in product(TEXTS, VOICES)]
CORPORA = {"de": CORPUS, "cmn": [make(text, voice, "cmn") for text, voice in product(MANDARIN, VOICES)]}


@cache
def speech(utterance: Utterance) -> espeak.Synthesis:
    return espeak.synthesise(utterance.text or "", utterance.language, variant=utterance.speaker)


def load(utterance: Utterance) -> Samples:
    return seed._to_common_rate(speech(utterance))


@cache
def aligner(language: str = "de") -> EmbeddedAligner:
    recipe = Recipe(shortest_training_s=20, passes=6)
    return EmbeddedAligner(train_embedded(CORPORA[language], load, recipe=recipe))


def vowel_errors(utterance: Utterance, samples: Samples, shift: float = 0.0) -> NDArray[np.float64]:
    """Distances (s) of the starts and ends of the true vowels to the nearest ones found."""
    found = aligner(utterance.language).align_samples(utterance, samples)
    assert isinstance(found, Alignment), found
    edges = {
        side: np.array([getattr(i, side) / COMMON_RATE - shift for i in found.phones if is_vowel(i.phone)])
        for side in ("start", "stop")
    }
    true = [s for s in seed.phone_segments(speech(utterance), utterance.language) if s[0] and is_vowel(s[0])]
    return np.array(
        [
            [np.abs(edges["start"] - start).min(), np.abs(edges["stop"] - stop).min()]
            for _, start, stop in true
        ]
    ).ravel()


def is_vowel(phone: str) -> bool:
    return articulatory_class(phone) == "vowel"


PAUSES = {"padded": (1.5, 1.5), "late": (6.0, 0.0), "early": (0.0, 6.0)}
"""Seconds of near-silence before and after the speech."""


def errors(change: "str") -> NDArray[np.float64]:
    """All vowel errors of two voices after a change of the recording."""
    rng = np.random.default_rng(3)
    collected = []
    for utterance in CORPUS[::3]:
        samples, shift = load(utterance), 0.0
        before, after = PAUSES.get(change, (0.0, 0.0))
        quiet = [rng.normal(0, 1e-4, int(s * COMMON_RATE)).astype(np.float32) for s in (before, after)]
        samples, shift = np.concatenate([quiet[0], samples, quiet[1]]), before
        if change == "noisy":
            noise = rng.normal(0, samples.std() / 10**0.5, len(samples))
            samples = (samples + noise).astype(np.float32)
        collected.append(vowel_errors(utterance, samples, shift))
    return np.concatenate(collected)


@pytest.mark.parametrize(
    ("change", "median", "within_50"),
    [("clean", 0.015, 0.93), *((name, 0.015, 0.93) for name in PAUSES), ("noisy", 0.025, 0.8)],
)
def test_known_vowel_times_are_found(change: str, median: float, within_50: float) -> None:
    found = errors(change)
    assert np.median(found) <= median
    assert (found <= 0.05).mean() >= within_50


def test_mandarin_vowels_lie_where_espeak_spoke_them_in_voices_not_of_the_seed() -> None:
    """Vowel times come straight from espeak's events: the repair of closures does not touch them."""
    found = np.concatenate([vowel_errors(utterance, load(utterance)) for utterance in CORPORA["cmn"]])
    assert np.median(found) <= 0.01
    assert (found <= 0.02).mean() >= 0.85
    assert (found <= 0.05).mean() >= 0.97


def test_a_pause_between_words_becomes_silence() -> None:
    utterance = CORPUS[4]
    samples = load(utterance)
    words = pronounce(utterance.text or "", "de")
    whole = aligner().align_samples(utterance, samples)
    assert isinstance(whole, Alignment)
    boundary = whole.phones[len(words[0])].start
    quiet = np.random.default_rng(1).normal(0, 1e-4, COMMON_RATE).astype(np.float32)
    found = aligner().align_samples(
        utterance, np.concatenate([samples[:boundary], quiet, samples[boundary:]])
    )
    assert isinstance(found, Alignment)
    inner = [
        item for item in found.intervals if not item.phone and item.start > 0 and item.stop < len(samples)
    ]
    assert max((item.stop - item.start for item in inner), default=0) > 0.8 * COMMON_RATE


def test_the_score_tells_wrong_texts() -> None:
    right, wrong = [], []
    for utterance in CORPUS:
        other = TEXTS[(TEXTS.index(utterance.text or "") + 1) % len(TEXTS)]
        for text, scores in ((utterance.text, right), (other, wrong)):
            found = aligner().align_samples(make(text or "", utterance.speaker), load(utterance))
            scores.append(found.score if isinstance(found, Alignment) else -np.inf)
    assert np.mean(np.array(right)[:, None] > np.array(wrong)[None, :]) > 0.99


def test_training_is_repeatable_and_the_model_survives_its_bytes() -> None:
    few = CORPUS[:3]
    one, two = (train_embedded(few, load) for _ in range(2))
    assert one == two
    assert from_bytes(one).to_bytes() == one
    assert from_bytes(one).trained_s == 0  # under a minute: the seed alone
    assert set(from_bytes(one).speakers) == {f"toy/{u.speaker}" for u in few}
    assert EmbeddedAligner(one).identity != EmbeddedAligner(one, Recipe(acoustic_scale=0.5)).identity


def test_a_forgotten_speaker_leaves_the_model_and_the_keys_of_others_stay() -> None:
    few = CORPUS[:3]
    gone, other = few[0].speaker_key, next(u for u in CORPUS if u.speaker != few[0].speaker)
    data = train_embedded([*few, other], load)
    less = without_speakers(data, lambda name: name == gone)
    assert gone.encode() in data
    assert gone.encode() not in less
    before, after = EmbeddedAligner(data), EmbeddedAligner(less)
    assert after.identity == before.identity
    assert after.key(other) == before.key(other)
    assert after.key(few[0]) != before.key(few[0])
    assert list(after.align([other], load)) == list(before.align([other], load))
    assert without_speakers(data, lambda _: False) is data
    assert without_speakers(b"of mfa", lambda _: True) == b"of mfa"


def test_the_number_of_threads_does_not_matter() -> None:
    several = [utterance for utterance in CORPUS if utterance.speaker in ("f3", "m2")]
    recipe = Recipe(shortest_training_s=5, passes=3, snapshots=1)
    results = set()
    for threads in (1, 4):
        with ThreadpoolController().limit(limits=threads, user_api="blas"):
            data = train_embedded(several, load, recipe=recipe)
            found = tuple(EmbeddedAligner(data, recipe, workers=threads).align(several, load))
        results.add((data, found))
    assert len(results) == 1


def test_texts_too_long_for_every_recording_leave_the_seed() -> None:
    crowded = [make(" ".join(TEXTS * 4) + f" {k}", "f3") for k in range(2)]
    hurry = Recipe(shortest_training_s=0.1)
    data = train_embedded(crowded, lambda _: load(CORPUS[0]), recipe=hurry)
    assert from_bytes(data).trained_s == 0


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a model", b"\x80\x04."])
def test_a_damaged_model_is_one_clear_error(data: bytes) -> None:
    with pytest.raises(AlignmentError, match=r"a model of the embedded aligner.*--retrain"):
        from_bytes(data)


def test_an_unheard_phone_is_lent_its_nearest_neighbour() -> None:
    assert nearest_unit("œ", ("a", "t", "s", "")) == "a"
    assert nearest_unit("tʃ", ("t", "ts", "a")) == "ts"
    found = aligner().align_samples(make("Schöne Öfen.", "f3"), load(CORPUS[0]))
    assert isinstance(found, Alignment)
    assert any(item.phone.startswith("ø") for item in found.phones)


def test_a_new_speaker_is_aligned_by_his_own_mean() -> None:
    utterance = make(TEXTS[0], "m7")
    assert utterance.speaker_key not in aligner().model.speakers
    assert np.median(vowel_errors(utterance, load(utterance))) < 0.02


def test_seed_texts_are_few_and_cover_all_units() -> None:
    long = " ".join(TEXTS * 3)
    many = [make(text, "f1") for text in (*TEXTS, long)]
    chosen = seed_texts(many)
    assert (long, "de") not in chosen
    assert {text for text, _ in chosen} == set(TEXTS)


def test_espeaks_closures_belong_to_the_stop_in_mandarin() -> None:
    said = espeak.synthesise("我今天很高兴，他在中国学习。", "cmn")
    segments = seed.phone_segments(said, "cmn")
    assert all(a[2] == pytest.approx(b[1]) for a, b in pairwise(segments))
    for (phone, start, stop), following in pairwise(segments[1:-1]):
        if not phone and articulatory_class(following[0]) in ("stop", "affricate"):
            assert stop - start > seed.LONGEST_CLOSURE_S
    raw = [phone for phone, _, _ in said.phones[1:-1]]
    assert raw.count("") > sum(not phone for phone, _, _ in segments[1:-1])


@given(st.integers(1, 40_000))
@settings(max_examples=20, deadline=None)
def test_frames_cover_the_recording(n_samples: int) -> None:
    samples = np.random.default_rng(n_samples).normal(0, 0.1, n_samples).astype(np.float32)
    for hop in (80, 160):
        static = acoustics.cepstra(samples, hop)
        assert static.shape == (-(-n_samples // hop), 13)
        assert np.isfinite(acoustics.with_deltas(static)).all()
    start, stop = acoustics.speech_span(acoustics.energy_db(samples))
    assert 0 <= start < stop <= acoustics.frame_count(n_samples)


def test_silence_around_speech_is_trimmed() -> None:
    tone = np.sin(np.arange(COMMON_RATE) / 5).astype(np.float32) * 0.3
    quiet = np.zeros(2 * COMMON_RATE, np.float32)
    start, stop = acoustics.speech_span(acoustics.energy_db(np.concatenate([quiet, tone, quiet])))
    assert 180 <= start <= 200
    assert 300 <= stop <= 320


@given(st.lists(st.booleans(), min_size=1, max_size=3), st.integers(0, 10**6), st.integers(1, 11))
@settings(max_examples=60, deadline=None)
def test_the_best_path_is_the_best_of_all_paths(optional: list[bool], number: int, n_frames: int) -> None:
    places = [graph.Slot("a", str(k), flag) for k, flag in enumerate(optional)]
    built = graph.build_graph(places, np.arange(3 * len(places)).reshape(-1, 3))
    rng = np.random.default_rng(number)
    scores = rng.normal(0, 3, (n_frames, 3 * len(places))).astype(np.float32)
    stay = np.log(rng.uniform(0.1, 0.9, 3 * len(places))).astype(np.float32)
    leave = np.log1p(-np.exp(stay)).astype(np.float32)
    best = -np.inf
    for chosen in product(*[(True, False) if flag else (True,) for flag in optional]):
        states = [3 * k + j for k, used in enumerate(chosen) if used for j in range(3)]
        for counts in product(range(1, n_frames + 1), repeat=len(states)) if len(states) <= 6 else ():
            if states and sum(counts) == n_frames:
                best = max(best, _value(states, counts, scores, stay, leave))
    path = graph.best_path(built, scores, stay, leave)
    if path is None:
        assert best == -np.inf or sum(not flag for flag in optional) * 3 > n_frames
    elif sum(optional) + len(optional) <= 3 and len(optional) <= 2:
        runs = [(int(state), int((path == state).sum())) for state in dict.fromkeys(path.tolist())]
        found = _value([s for s, _ in runs], [n for _, n in runs], scores, stay, leave)
        assert found == pytest.approx(best, abs=1e-3)
        assert {state // 3 for state, _ in runs} >= {k for k, flag in enumerate(optional) if not flag}


def _value(
    states: list[int], counts: "tuple[int, ...] | list[int]", scores: Samples, stay: Samples, leave: Samples
) -> float:
    total, frame = 0.0, 0
    for state, count in zip(states, counts, strict=True):
        total += float(scores[frame : frame + count, state].sum() + (count - 1) * stay[state] + leave[state])
        frame += count
    return total


def log_likelihood(mixtures: hmm.Mixtures, frames: Samples) -> Samples:
    """The whole mixture's density of each frame in each state."""
    return np.asarray(np.logaddexp.reduceat(mixtures.joint(frames), mixtures.first[:-1], axis=1))


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_an_em_step_raises_the_likelihood_and_splitting_keeps_it_a_density(number: int) -> None:
    rng = np.random.default_rng(number)
    frames = np.concatenate([rng.normal(m, 1, (80, 4)) for m in (-2, 1, 3)]).astype(np.float32)
    states = np.repeat([0, 1], [160, 80])
    mixtures = hmm.split(hmm.single_gaussians(frames, states, 2), np.bincount(states), 6)
    previous = -np.inf
    for _ in range(5):
        for state in range(2):
            own = slice(int(mixtures.first[state]), int(mixtures.first[state + 1]))
            assert np.exp(mixtures.log_weights[own]).sum() == pytest.approx(1, abs=1e-4)
        now = log_likelihood(mixtures, frames)[np.arange(len(frames)), states].mean()
        assert now >= previous - 1e-3
        previous = now
        mixtures = hmm.update(mixtures, frames, states)


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_the_peak_lies_just_below_the_sum(number: int) -> None:
    rng = np.random.default_rng(number)
    frames = rng.normal(0, 2, (50, 4)).astype(np.float32)
    states = np.arange(50) % 2
    mixtures = hmm.split(hmm.single_gaussians(frames, states, 2), np.array([200, 200]), 6)
    gap = log_likelihood(mixtures, frames) - mixtures.peak_log_likelihood(frames)
    assert (gap >= -1e-4).all()
    assert (gap <= np.log(np.diff(mixtures.first)) + 1e-4).all()


@given(st.integers(0, 1000), st.sets(st.integers(0, 4), min_size=1))
@settings(max_examples=15, deadline=None)
def test_some_states_have_the_likelihood_they_have_among_all(number: int, chosen: set[int]) -> None:
    rng = np.random.default_rng(number)
    frames, states = rng.normal(0, 2, (60, 4)).astype(np.float32), np.arange(60) % 5
    mixtures = hmm.split(hmm.single_gaussians(frames, states, 5), np.array([900, 30, 200, 12, 500]), 11)
    some = np.array(sorted(chosen))
    whole = mixtures.peak_log_likelihood(frames)
    assert mixtures.peak_log_likelihood(frames, some) == pytest.approx(whole[:, some], abs=1e-3)


def test_averaging_keeps_equal_mixtures_and_lies_between_others() -> None:
    frames = np.random.default_rng(1).normal(0, 2, (90, 4)).astype(np.float32)
    one = hmm.split(hmm.single_gaussians(frames, np.arange(90) % 2, 2), np.array([400, 400]), 6)
    other = hmm.update(one, frames, np.arange(90) % 2)
    assert np.array_equal(hmm.averaged([one, one, one]).means, one.means)
    assert hmm.averaged([one, other]).means == pytest.approx((one.means + other.means) / 2, abs=1e-5)


def test_passes_that_are_averaged_split_no_gaussians() -> None:
    for passes in (1, 3, 6, 18):
        recipe = Recipe(passes=passes)
        assert passes in recipe.kept_passes()
        assert min(recipe.kept_passes()) >= recipe.growing


def test_a_droppable_schwa_may_be_skipped_and_other_vowels_may_not() -> None:
    flags = {slot.phone: slot.optional for slot in slots(pronounce("Lappen", "de"))}
    assert flags["ə"]
    assert not flags["a"]
    assert flags[""]
    assert not any(slot.optional for slot in slots(pronounce("Name", "de")) if slot.phone)
