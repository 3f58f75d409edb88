"""The waveform itself as a feature, at any rate, for models that read samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.clip import Clip, checked_samples
from store.records import FeatureSpec, FrameLaw


@dataclass(frozen=True)
class Waveform:
    """Mono samples in [-1, 1] at ``rate`` Hz: one row for each sample."""

    rate: int = 16_000

    @cached_property
    def spec(self) -> FeatureSpec:
        """One number for each sample."""
        return FeatureSpec(
            name=f"waveform-{self.rate}",
            version=1,
            params={"channels": "mean", "resampler": "soxr HQ"},
            dims=(),
            dtype="float32",
            sample_rate=self.rate,
            law=FrameLaw(kind="ceil", hop=1),
        )

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (samples,) float32 for each clip."""
        return [checked_samples(clip, self.rate) for clip in clips]
