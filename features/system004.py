"""The input of system 004: 144,000 samples of every recording (SERCT thesis, Groningen 2024)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.clip import Clip, checked_samples
from store.records import FeatureSpec, FrameLaw
from store.vocabulary import NATIVE_RATE

SAMPLES = 144_000


def wave144k(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``samples`` (n,) cut, or padded with zeros at the end, to shape (144000,)."""
    fixed = np.zeros(SAMPLES, dtype=np.float32)
    fixed[: samples.size] = samples[:SAMPLES]
    return fixed


@dataclass(frozen=True)
class Wave144k:
    """`wave144k` as an extractor, at ``rate`` Hz; as published at the rate of each file, whatever it is."""

    rate: int = NATIVE_RATE

    @cached_property
    def spec(self) -> FeatureSpec:
        """One number for each sample; how many are sound follows from the length of the recording."""
        return FeatureSpec(
            name="wave144k" + ("" if self.rate == NATIVE_RATE else f"-{self.rate}"),
            version=1,
            params={"samples": SAMPLES, "shorter": "zeros", "longer": "head", "channels": "mean"},
            dims=(),
            dtype="float32",
            sample_rate=self.rate,
            law=FrameLaw(kind="fixed", rows=SAMPLES),
        )

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (144000,) float32 for each clip."""
        return [wave144k(checked_samples(clip, self.rate)) for clip in clips]
