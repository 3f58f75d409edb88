"""The seed of the embedded aligner: speech of the user's own texts by espeak-ng, with exact phone times."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.aligners.acoustics import HOP, cepstra, frame_count, with_deltas
from pipeline.aligners.graph import STATES
from pipeline.aligners.pronunciation import unit_of
from pipeline.espeak import Synthesis, synthesise
from pipeline.phones import articulatory_class, split_espeak
from store.vocabulary import COMMON_RATE, SILENCE

VARIANTS = ("", "m1", "m3", "m7", "f1", "f2", "f4")
"""espeak voices of the seed: the plain one and six variants."""

LONGEST_CLOSURE_S = 0.12
SHORTEST_PAUSE_S = 0.03

Segment = tuple[str, float, float]


def seed_frames(
    texts: Sequence[tuple[str, str]],
) -> Iterator[tuple[NDArray[np.float32], list[tuple[str, int]]]]:
    """Yield features (frames, 39) and the (unit, state) of each frame for every text in every voice.

    ``texts`` are (text, language). The cepstral mean of the speech of each rendering is removed.
    """
    for text, language in texts:
        for variant in VARIANTS:
            speech = synthesise(text, language, variant=variant)
            samples = _to_common_rate(speech)
            segments = phone_segments(speech, language)
            labels = _labels(segments, frame_count(len(samples)))
            spoken = np.array([unit != SILENCE for unit, _ in labels])
            if spoken.any():
                static = cepstra(samples)
                yield with_deltas(static - static[spoken].mean(axis=0)), labels


def phone_segments(speech: Synthesis, language: str) -> list[Segment]:
    """Return (IPA, start s, stop s) of one rendering, "" for pauses.

    espeak announces the closure of a stop as a silence of its own; inside the utterance such a gap belongs to
    the stop or affricate after it (in Mandarin it stands at nearly every syllable). Other gaps too short
    for a pause go to the phone after them.
    """
    raw: list[Segment] = []
    for symbol, start, stop in speech.phones:
        edge, length = start / speech.rate, (stop - start) / speech.rate
        parts = split_espeak(symbol, language) if symbol else ()
        for name, share in parts or ((SILENCE, 1.0),):
            raw.append((name, edge, edge + share * length))
            edge += share * length
    return list(_without_closures(raw))


def _without_closures(raw: list[Segment]) -> Iterator[Segment]:
    held: float | None = None  # start of a gap that the next phone takes
    for place, (name, start, stop) in enumerate(raw):
        if name == SILENCE and 0 < place < len(raw) - 1:
            following = articulatory_class(raw[place + 1][0])
            longest = LONGEST_CLOSURE_S if following in ("stop", "affricate") else SHORTEST_PAUSE_S
            begin = start if held is None else held
            if following != "silence" and stop - begin <= longest:
                held = begin
                continue
        yield name, start if held is None else held, stop
        held = None


def _labels(segments: list[Segment], n_frames: int) -> list[tuple[str, int]]:
    """Return the unit and state of each frame: a phone's frames are shared out evenly over its states."""
    middles = (np.arange(n_frames) + 0.5) * HOP / COMMON_RATE
    stops = np.array([stop for _, _, stop in segments])
    owners = np.minimum(np.searchsorted(stops, middles, side="right"), len(segments) - 1)
    labels = []
    for middle, owner in zip(middles, owners, strict=True):
        name, start, stop = segments[owner]
        state = int(STATES * (middle - start) / max(stop - start, 1e-6))
        labels.append((unit_of(name), min(max(state, 0), STATES - 1)))
    return labels


def _to_common_rate(speech: Synthesis) -> NDArray[np.float32]:
    from scipy.signal import resample_poly  # slow to import, and needed for training alone

    divisor = np.gcd(COMMON_RATE, speech.rate)
    samples = speech.samples.astype(np.float32) / 32768
    return np.asarray(
        resample_poly(samples, COMMON_RATE // divisor, speech.rate // divisor), dtype=np.float32
    )
