"""A small store in memory with two corpora that share what their emotions sound like."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from store.records import Alignment, FeatureSpec, FrameLaw, PhoneInterval, Utterance
from store.vocabulary import FOUR_CLASSES, SHARED_VOWELS

WIDTH = 16
HOP = 320


class MemoryStore:
    """The part of the store's reader that training uses, over arrays in memory."""

    def __init__(self) -> None:
        law = FrameLaw(kind="ceil", hop=HOP)
        frames = FeatureSpec(
            name="encoder", version=1, dims=(WIDTH,), dtype="float32", sample_rate=16_000, law=law
        )
        segments = FeatureSpec(
            name="segments-encoder", version=1, dims=(WIDTH,), dtype="float32", sample_rate=16_000,
            law=FrameLaw(kind="phones", hop=HOP), parent=frames.digest,
        )  # fmt: skip
        self.specs = {"encoder": frames, "segments-encoder": segments}
        self.items: list[Utterance] = []
        self.alignments: dict[str, Alignment] = {}
        self.rows: dict[tuple[str, str], NDArray[np.float32]] = {}

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        return tuple(self.items)

    def has(self, spec: FeatureSpec, utterance: str) -> bool:
        return (spec.name, utterance) in self.rows

    def alignment(self, utterance: str) -> Alignment | None:
        return self.alignments.get(utterance)

    def spec(self, name: str) -> FeatureSpec:
        return self.specs[name]

    def read_many(
        self, spec: FeatureSpec, ids: Sequence[str], layer: int | None = None
    ) -> dict[str, NDArray[np.float32]]:
        assert layer is None
        return {name: self.rows[spec.name, name] for name in ids}


def build_store(
    *,
    speakers: int = 4,
    repeats: int = 3,
    signal: float = 1.0,
    target_vowels: Sequence[str] = SHARED_VOWELS[:6],
) -> MemoryStore:
    """Two corpora of ``speakers`` x 4 emotions x ``repeats``; emotions shift the same dimensions in both."""
    rng = np.random.default_rng(7)
    store = MemoryStore()
    emotions = rng.normal(size=(4, WIDTH)) * signal
    vowels = rng.normal(size=(len(SHARED_VOWELS), WIDTH))
    for corpus, language, inventory in (
        ("one", "en", SHARED_VOWELS[:5]),
        ("two", "de", tuple(target_vowels)),
    ):
        shift = rng.normal(size=WIDTH) * 0.3
        for number in range(speakers * 4 * repeats):
            speaker, emotion = number // (4 * repeats), number % 4
            said = [inventory[at] for at in rng.integers(0, len(inventory), 4 + number % 3)]
            _add(
                store, corpus=corpus, language=language, number=number, speaker=speaker, emotion=emotion,
                said=said, offset=emotions[emotion] + shift, vowels=vowels, rng=rng,
            )  # fmt: skip
    return store


def _add(
    store: MemoryStore, *, corpus: str, language: str, number: int, speaker: int, emotion: int,
    said: Sequence[str], offset: NDArray[np.float64], vowels: NDArray[np.float64], rng: np.random.Generator,
) -> None:  # fmt: skip
    name = f"{corpus}/{number:03d}"
    starts = [1600 + 2000 * at for at in range(len(said))]
    phones = [
        PhoneInterval(phone=vowel.lower(), vowel=vowel, start=start, stop=start + 2000, score=1.0)
        for vowel, start in zip(said, starts, strict=True)
    ]
    samples = starts[-1] + 2000 + 3200
    store.items.append(
        Utterance(
            id=name, corpus=corpus, path=f"{number}.wav", speaker=f"s{speaker}",
            gender=("female", "male")[speaker % 2], language=language, emotion=FOUR_CLASSES[emotion],
            native_label="x", text=None, text_id=None, group=None, n_samples=samples, sample_rate=16_000,
            n_channels=1, audio_sha256=name, licence="none", synthetic=True,
        )
    )  # fmt: skip
    store.alignments[name] = Alignment(
        utterance=name, key=name, aligner="toy", score=1.0, intervals=tuple(phones)
    )
    frames = rng.normal(size=(-(-samples // HOP), WIDTH)) * 0.5 + offset
    spoken = np.array([SHARED_VOWELS.index(vowel) for vowel in said])
    for at, start in zip(spoken, starts, strict=True):
        frames[start // HOP : (start + 2000) // HOP] += vowels[at]
    centres = [(start + 1000 + HOP // 2) // HOP for start in starts]
    store.rows["encoder", name] = frames.astype(np.float32)
    store.rows["segments-encoder", name] = np.stack(
        [frames[max(0, c - 6) : c + 7].mean(axis=0) for c in centres]
    ).astype(np.float32)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Keep torch to one thread: the models are small and the tests may share the machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def make_store() -> Callable[..., MemoryStore]:
    """Return `build_store`, since tests cannot import each other."""
    return build_store
