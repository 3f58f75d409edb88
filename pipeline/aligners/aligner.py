"""What every aligner is: a name, an identity, and a stream of alignments or skipped utterances."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from store.digests import digest
from store.records import Alignment, PhoneInterval, Skipped, Utterance
from store.vocabulary import SILENCE

Load = Callable[[Utterance], NDArray[np.float32]]
"""Gives the samples of an utterance: mono float32 in [-1, 1] at COMMON_RATE."""

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""

STAGE = "align"


class Aligner(Protocol):
    """Gives the phones of utterances with their times."""

    name: str
    identity: str
    """Digest of the aligner, its parameters and its trained model."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of how far these times can be trusted, in one line each."""
        ...

    def key(self, utterance: Utterance) -> str:
        """Return the digest of everything that the utterance's alignment depends on."""
        ...

    def align(
        self, utterances: Sequence[Utterance], load: Load, progress: Progress | None = None
    ) -> Iterator[Alignment | Skipped]:
        """Yield one alignment, or one row with the reason why there is none, for each utterance in order."""
        ...


def alignment_key(utterance: Utterance, identity: str) -> str:
    """Return the digest of all that an alignment depends on: audio, text, language, speaker and aligner."""
    return digest({
        "audio": utterance.audio_sha256, "text": utterance.text, "language": utterance.language,
        "speaker": utterance.speaker_key, "aligner": identity,
    })  # fmt: skip


def skipped(utterance: Utterance, reason: str) -> Skipped:
    """Return the row of an utterance that has no alignment."""
    return Skipped(
        utterance=utterance.id, corpus=utterance.corpus, path=utterance.path, stage=STAGE, reason=reason
    )


def tiled(intervals: Sequence[PhoneInterval], n_samples: int) -> tuple[PhoneInterval, ...]:
    """Return the intervals with silence in every gap and at both ends, so that they tile [0, n_samples).

    Neighbouring silences become one; what reaches beyond the recording is cut.
    """
    result: list[PhoneInterval] = []
    edge = 0
    for item in [*intervals, _silence(n_samples, n_samples)]:
        start, stop = max(item.start, edge), min(item.stop, n_samples)
        if start > edge:
            _append(result, _silence(edge, min(start, n_samples)))
        if stop > start:
            _append(result, PhoneInterval(
                phone=item.phone, vowel=item.vowel, start=start, stop=stop, score=item.score
            ))  # fmt: skip
        edge = max(edge, stop)
    return tuple(result)


def _append(result: list[PhoneInterval], item: PhoneInterval) -> None:
    if result and item.phone == SILENCE and result[-1].phone == SILENCE:
        item = _silence(result.pop().start, item.stop)
    result.append(item)


def _silence(start: int, stop: int) -> PhoneInterval:
    return PhoneInterval(phone=SILENCE, vowel=None, start=start, stop=stop, score=0.0)
