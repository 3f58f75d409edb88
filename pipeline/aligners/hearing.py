"""What the embedded aligner hears of one recording: cepstra, where the speech lies, which frames are loud."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.aligners.acoustics import HOP, Array, cepstra, energy_db, speech_span, with_deltas

SHORTEST_SAMPLES = 5 * HOP
_LOUD_DB = 30.0
_QUIETEST = 1e-4


@dataclass(frozen=True)
class Heard:
    """Static cepstra (frames, 13) at ``hop`` samples a frame, the frames [start, stop) of the speech, and
    which frames are loud.
    """

    static: Array
    hop: int
    start: int
    stop: int
    loud: NDArray[np.bool_]

    def features(self, mean: Array) -> Array:
        """Return the features (stop - start, 39) of the speech with ``mean`` (13,) removed."""
        return with_deltas(self.static - mean, HOP // self.hop)[self.start : self.stop]


def hear(samples: Array, hop: int = HOP) -> Heard:
    """Analyse mono samples (n,) at 16 kHz with one frame for each ``hop`` samples (a divisor of HOP)."""
    energy, fine = energy_db(samples), HOP // hop
    start, stop = speech_span(energy)
    static = cepstra(samples, hop)
    loud = np.repeat(energy >= np.percentile(energy, 95) - _LOUD_DB, fine)[: len(static)]
    return Heard(static, hop, start * fine, min(stop * fine, len(static)), loud)


def mean_cepstrum(heard: Sequence[Heard]) -> Array:
    """Return the mean cepstrum (13,) of the loud frames of one speaker's recordings."""
    return np.asarray(np.concatenate([one.static[one.loud] for one in heard]).mean(axis=0), dtype=np.float32)


def why_unheard(samples: Array) -> str | None:
    """Return why a recording cannot be aligned as far as its sound tells, or None."""
    if len(samples) < SHORTEST_SAMPLES:
        return f"too short to align: {len(samples)} samples"
    if not np.isfinite(samples).all() or float(np.abs(samples).max()) < _QUIETEST:
        return "silence, or samples that are not numbers"
    return None
