"""Aligning a corpus: every utterance is accounted for, what is stored is not computed again."""

import hashlib
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline import espeak
from pipeline.align import AlignedCorpus, align, seed_only
from pipeline.aligners.model import from_bytes
from pipeline.aligners.seed import _to_common_rate
from store.errors import AlignmentError, AudioError, ConfigurationError
from store.records import Alignment, Utterance
from store.vocabulary import COMMON_RATE

TEXTS = ("Kids are talking by the door.", "Dogs are sitting by the door.", "It is a new day.")


class MemoryStore:
    """What aligning needs of the catalogue, in memory."""

    def __init__(self) -> None:
        self.models: dict[str, list[bytes]] = {}
        self.alignments: tuple[Alignment, ...] = ()

    def put_model(self, name: str, data: bytes) -> str:
        self.models.setdefault(name, []).append(data)
        return hashlib.sha256(data).hexdigest()

    def latest_model(self, name: str) -> tuple[str, bytes] | None:
        data = self.models.get(name)
        return (hashlib.sha256(data[-1]).hexdigest(), data[-1]) if data else None

    def latest_alignments(self, corpus: str, aligner_digest: str) -> tuple[Alignment, ...]:
        assert corpus == "toy"
        assert len(aligner_digest) == 64
        return self.alignments


def make(name: str, text: str | None, *, language: str = "en", speaker: str = "f2") -> Utterance:
    return Utterance(
        id=f"toy/{name}", corpus="toy", path=f"{name}.wav", speaker=speaker, gender="female",
        language=language, emotion="neutral", native_label="n", text=text, text_id=None, group=None,
        n_samples=COMMON_RATE, sample_rate=COMMON_RATE, n_channels=1, audio_sha256=f"{name}{text}",
        licence="none", synthetic=True,
    )  # fmt: skip


def load(utterance: Utterance) -> NDArray[np.float32]:
    if utterance.path == "broken.wav":
        raise AudioError("a recording", "noise", "restore it")
    if utterance.path == "short.wav":
        return np.zeros(100, np.float32)
    return _to_common_rate(espeak.synthesise(utterance.text or "", "en", variant="f5"))


CORPUS = [make(f"u{k}", text) for k, text in enumerate(TEXTS)]


def run(store: MemoryStore, utterances: list[Utterance], **options: bool) -> AlignedCorpus:
    result = align(store, "toy", utterances, load, **options)
    store.alignments += result.alignments
    return result


def test_every_utterance_has_tiled_phones_or_a_reason() -> None:
    rows = [*CORPUS, make("none", None), make("dots", "..."), make("broken", "Yes."), make("short", "Yes."),
            make("long", " ".join(TEXTS * 40))]  # fmt: skip

    def long_text(u: Utterance) -> NDArray[np.float32]:
        return load(replace(u, text="Yes.") if u.path == "long.wav" else u)

    result = align(MemoryStore(), "toy", rows, long_text)
    assert [item.utterance for item in result.alignments] == [u.id for u in CORPUS]
    for item, utterance in zip(result.alignments, CORPUS, strict=True):
        edges = [(piece.start, piece.stop) for piece in item.intervals]
        assert edges[0][0] == 0
        assert all(a[1] == b[0] for a, b in pairwise(edges))
        assert edges[-1][1] == len(load(utterance))
    reasons = {row.utterance: row.reason for row in result.unaligned}
    assert reasons["toy/none"] == "no text"
    assert "without any word" in reasons["toy/dots"]
    assert "restore it" in reasons["toy/broken"]
    assert "too short" in reasons["toy/short"]
    assert "too long for the recording" in reasons["toy/long"]
    assert {row.stage for row in result.unaligned} == {"align"}
    assert (result.reused, result.computed) == (0, 3)
    assert "less certain" in result.notes[0]  # a few seconds of speech: the seed alone


def test_a_second_run_computes_nothing_and_a_new_file_keeps_the_model() -> None:
    store = MemoryStore()
    first = run(store, CORPUS[:2])
    second = run(store, CORPUS[:2])
    assert (second.reused, second.computed) == (2, 0)
    assert second.alignments == first.alignments
    third = run(store, CORPUS)
    assert (third.reused, third.computed) == (2, 1)
    assert third.identity == first.identity
    assert len(store.models["embedded-toy"]) == 1


def test_a_model_that_the_corpus_has_outgrown_is_said_with_the_remedy() -> None:
    store = MemoryStore()
    assert "--retrain" not in " ".join(run(store, CORPUS[:1]).notes)
    grown = run(store, CORPUS)
    assert any("trained when 1 of these 3 utterances were there: --retrain" in note for note in grown.notes)
    assert "--retrain" not in " ".join(run(store, CORPUS[:2]).notes)
    assert "--retrain" not in " ".join(run(store, CORPUS, retrain=True).notes)


@pytest.mark.parametrize(("seconds", "asked", "said"), [(90.0, False, 1), (90.0, True, 0), (0.0, False, 0)])
def test_a_trained_model_from_before_contexts_is_said_with_the_remedy(
    seconds: float, asked: bool, said: int
) -> None:
    store = MemoryStore()
    run(store, CORPUS)
    stored = replace(from_bytes(store.models["embedded-toy"][-1]), trained_s=seconds, asked_contexts=asked)
    store.put_model("embedded-toy", stored.to_bytes())
    assert sum("knows no contexts of phones: --retrain" in note for note in run(store, CORPUS).notes) == said
    assert "contexts" not in " ".join(run(store, CORPUS, retrain=True).notes)


def test_what_aligning_took_is_told_apart_from_making_the_model() -> None:
    store = MemoryStore()
    first, second = run(store, CORPUS), run(store, CORPUS)
    assert first.cost is not None
    assert second.cost is not None
    assert first.cost.audio == pytest.approx(sum(u.seconds for u in CORPUS))
    assert first.cost.prepared > first.cost.aligned > 0
    assert second.cost.audio == 0


def test_only_a_model_without_training_is_the_seed_alone() -> None:
    store = MemoryStore()
    assert not seed_only(store, "toy")
    run(store, CORPUS[:1])
    assert seed_only(store, "toy")


def test_a_changed_text_or_audio_is_aligned_again() -> None:
    store = MemoryStore()
    run(store, CORPUS[:2])
    assert run(store, [replace(CORPUS[0], text=TEXTS[1]), CORPUS[1]]).computed == 1
    assert run(store, [CORPUS[0], replace(CORPUS[1], audio_sha256="other")]).computed == 1


def test_retraining_replaces_the_model_and_all_alignments() -> None:
    store = MemoryStore()
    first = run(store, CORPUS[:1])
    again = run(store, CORPUS, retrain=True)
    assert len(store.models["embedded-toy"]) == 2
    assert again.identity != first.identity
    assert again.computed == len(CORPUS)


def test_the_order_of_the_corpus_does_not_matter() -> None:
    forwards, backwards = run(MemoryStore(), CORPUS), run(MemoryStore(), CORPUS[::-1])
    assert forwards.identity == backwards.identity
    assert set(forwards.alignments) == set(backwards.alignments)


def test_a_language_without_a_voice_is_one_clear_error() -> None:
    with pytest.raises(AlignmentError, match=r"espeak-ng speaks; found 'xx' in toy.*TextGrid"):
        align(MemoryStore(), "toy", [make("a", "Hm", language="xx")], load)


def test_an_unknown_aligner_is_one_clear_error() -> None:
    with pytest.raises(ConfigurationError, match=r"embedded.*found 'magic'"):
        align(MemoryStore(), "toy", CORPUS, load, aligner="magic")


def test_a_corpus_without_texts_and_an_empty_one() -> None:
    assert [row.reason for row in run(MemoryStore(), [make("a", None)]).unaligned] == ["no text"]
    assert run(MemoryStore(), []).alignments == ()
