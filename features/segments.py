"""Phone segments: stored frames of any spec, averaged around the centre of each phone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.clip import Clip
from features.framing import row_count
from store.errors import ExtractionError
from store.records import FeatureSpec, FrameLaw, PhoneInterval
from store.vocabulary import COMMON_RATE

HALF_WINDOW = 0.120
"""Seconds on each side of the centre of a phone (system 002: 13 frames at a hop of 20 ms)."""


def segment_bounds(
    phones: Sequence[PhoneInterval], rows: int, *, hop: int, rate: int = COMMON_RATE
) -> NDArray[np.int64]:
    """Return the frames [first, last) of each phone, shape (phones, 2), clipped to 0 .. ``rows``.

    The centre frame is c = round(t_c / hop), a half rounded up, with t_c the centre of the interval; the
    window is c - h .. c + h with h = round(0.12 s / hop). ``hop`` is in samples at ``rate``; ``phones`` are
    speech phones timed at COMMON_RATE. A centre beyond the last frame counts as the last frame, so that a
    window is empty only where ``rows`` is 0.
    """
    half = int(HALF_WINDOW * rate / hop + 0.5)
    twice = np.array([phone.start + phone.stop for phone in phones], dtype=np.int64) * rate
    step = 2 * hop * COMMON_RATE
    centre = np.minimum((twice + step // 2) // step, max(rows - 1, 0))
    return np.stack([np.maximum(centre - half, 0), np.minimum(centre + half + 1, rows)], axis=1)


def pool(frames: NDArray[Any], bounds: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the mean of ``frames`` (rows, *dims) in each window, shape (windows, *dims), in float32.

    A window without frames is NaN: the recording is shorter than one frame.
    """
    pooled = np.full((len(bounds), *frames.shape[1:]), np.nan, dtype=np.float32)
    for row, (first, last) in enumerate(bounds):
        if last > first:
            pooled[row] = frames[first:last].mean(axis=0, dtype=np.float32)
    return pooled


@dataclass(frozen=True)
class Segments:
    """Phone-segment embeddings of the frames that ``parent`` describes."""

    parent: FeatureSpec

    @cached_property
    def spec(self) -> FeatureSpec:
        """One row for each speech phone, of the parent's dims, as float16."""
        return FeatureSpec(
            name=f"segments-{self.parent.name}",
            version=1,
            params={"half_window": HALF_WINDOW, "centre": "round(t/hop), half up", "pooling": "mean"},
            dims=self.parent.dims,
            dtype="float16",
            sample_rate=self.parent.sample_rate,
            law=FrameLaw(kind="phones", hop=self.parent.law.hop),
            uses=tuple(sorted({*self.parent.uses, "alignment"})),
            parent=self.parent.digest,
        )

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float16]]:
        """Return (phones, *dims) float16 for each clip; only ``clip.frames`` and ``clip.phones`` are read.

        Raises `ExtractionError` when a clip comes without the frames of the parent or with other dims.
        """
        return [self._rows(clip) for clip in clips]

    def _rows(self, clip: Clip) -> NDArray[np.float16]:
        frames = clip.frames
        if frames is None or frames.shape[1:] != self.parent.dims:
            found = "none" if frames is None else f"rows of shape {frames.shape[1:]}"
            raise ExtractionError(f"stored rows of {self.parent.name}", found, "extract the parent first")
        bounds = segment_bounds(
            clip.phones, len(frames), hop=self.parent.law.hop, rate=self.parent.sample_rate
        )
        return pool(frames, bounds).astype(np.float16)


def segments(parent: FeatureSpec) -> Segments:
    """Return the extractor of phone segments for the frames of ``parent``.

    Raises `ExtractionError` when ``parent`` has no frames in time.
    """
    if row_count(parent.law, COMMON_RATE, 0) < 2 or not parent.law.hop:
        raise ExtractionError(
            "a spec with frames in time", f"{parent.name} ({parent.law.kind})", "pool another spec"
        )
    return Segments(parent)
