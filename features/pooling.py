"""Utterance pooling: one row for each recording from its stored frames of any spec, layer by layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.clip import Clip
from store.errors import ExtractionError
from store.records import FeatureSpec, FrameLaw

IN_TIME: tuple[str, ...] = ("centred", "ceil", "convolutional")
"""Laws under which row i lies at i x hop."""


def defined_mean(frames: NDArray[Any]) -> NDArray[np.float32]:
    """Return the mean of ``frames`` (rows, *dims) over the rows where each number is defined, in float32."""
    mean = frames.mean(axis=0, dtype=np.float32)
    undefined = np.isnan(mean)
    if undefined.any():
        there = ~np.isnan(frames)
        count = there.sum(axis=0)
        total = np.where(there, frames, 0).sum(axis=0, dtype=np.float32)
        mean = np.divide(total, count, out=np.full_like(mean, np.nan), where=count > 0)
    return np.asarray(mean, dtype=np.float32)


def defined_sd(frames: NDArray[Any], mean: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the standard deviation (ddof 0) of ``frames`` around ``mean``, NaN left out, in float32."""
    return np.sqrt(defined_mean((frames - mean) ** 2))


@dataclass(frozen=True)
class UtterancePooling:
    """The mean over all frames of a recording, ``spread`` puts the standard deviation behind it."""

    parent: FeatureSpec
    spread: bool = False

    @cached_property
    def spec(self) -> FeatureSpec:
        """One float32 row: (dim,) or (layers, dim), with ``spread`` (2 dim,) or (layers, 2 dim)."""
        *layers, dim = self.parent.dims
        return FeatureSpec(
            name=f"utterance-mean{'std' if self.spread else ''}-{self.parent.name}",
            version=1,
            params={"pooling": "mean, sd (ddof 0)" if self.spread else "mean", "undefined": "left out"},
            dims=(*layers, 2 * dim if self.spread else dim),
            dtype="float32",
            sample_rate=self.parent.sample_rate,
            law=FrameLaw(kind="utterance"),
            uses=self.parent.uses,
            parent=self.parent.digest,
        )

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (1, *dims) float32 for each clip; only ``clip.frames`` are read.

        Raises `ExtractionError` when a clip comes without the frames of the parent or with other dims.
        """
        return [self._row(parent_rows(clip, self.parent))[None] for clip in clips]

    def _row(self, frames: NDArray[Any]) -> NDArray[np.float32]:
        mean = defined_mean(frames)
        return np.concatenate([mean, defined_sd(frames, mean)], axis=-1) if self.spread else mean


def utterance_pooling(parent: FeatureSpec, *, spread: bool = False) -> UtterancePooling:
    """Return the extractor that pools the frames of ``parent``; raises `ExtractionError` without frames."""
    check_frames(parent, in_time=False)
    return UtterancePooling(parent, spread)


def parent_rows(clip: Clip, parent: FeatureSpec) -> NDArray[Any]:
    """Return the stored rows of ``parent`` that come with a clip; raises `ExtractionError` on others."""
    frames = clip.frames
    if frames is None or frames.shape[1:] != parent.dims:
        found = "none" if frames is None else f"rows of shape {frames.shape[1:]}"
        raise ExtractionError(f"stored rows of {parent.name}", found, "extract the parent first")
    return frames


def check_frames(parent: FeatureSpec, *, in_time: bool) -> None:
    """Raise `ExtractionError` where a spec has no frames to pool; ``in_time`` asks for frames at i x hop."""
    law = parent.law
    fine = (law.kind in IN_TIME and law.hop > 0) or (law.kind == "fixed" and not in_time)
    if not fine or not parent.dims:
        raise ExtractionError(
            "a spec with frames in time", f"{parent.name} ({law.kind})", "pool another spec"
        )
