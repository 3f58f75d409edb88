"""Phone segments: stored frames of any spec, pooled over the window of each phone or kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.clip import Clip
from features.pooling import check_frames, defined_mean, parent_rows
from store.digests import Json
from store.records import FeatureSpec, FrameLaw, PhoneInterval
from store.vocabulary import COMMON_RATE

HALF_WINDOW = 0.120
"""Seconds on each side of the centre of a phone (system 002: 13 frames at a hop of 20 ms)."""


Window = Literal["centre", "interval"]
"""Which frames belong to a phone: +-120 ms around its centre, or those within its own interval."""


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


def interval_bounds(
    phones: Sequence[PhoneInterval], rows: int, *, hop: int, rate: int = COMMON_RATE
) -> NDArray[np.int64]:
    """Return the frames [first, last) whose time i x hop lies within each phone, shape (phones, 2).

    A phone between two frames, or beyond the last, has the frame nearest to its centre: a window is empty
    only where ``rows`` is 0. Arguments as for `segment_bounds`.
    """
    times = np.array([(phone.start, phone.stop) for phone in phones], dtype=np.int64).reshape(-1, 2)
    step = hop * COMMON_RATE
    bounds = np.minimum(-(-times * rate // step), rows)
    centre = np.minimum((times.sum(axis=1) * rate + step) // (2 * step), max(rows - 1, 0))
    nearest = np.stack([centre, np.minimum(centre + 1, rows)], axis=1)
    return np.where(bounds[:, 1:] > bounds[:, :1], bounds, nearest)


def bounds_of(spec: FeatureSpec, phones: Sequence[PhoneInterval], rows: int) -> NDArray[np.int64]:
    """Return the frames [first, last) of the parent that a segment ``spec`` takes for each phone.

    ``rows`` is the number of the parent's frames; shape (phones, 2).
    """
    bounds = segment_bounds if spec.params.get("window", "centre") == "centre" else interval_bounds
    return bounds(phones, rows, hop=spec.law.hop, rate=spec.sample_rate)


def kept_rows(spec: FeatureSpec, phones: Sequence[PhoneInterval], rows: int) -> int:
    """Return how many rows a spec that keeps all frames has, for ``rows`` frames of its parent."""
    return int(np.diff(bounds_of(spec, phones, rows)).sum())


def phone_offsets(spec: FeatureSpec, phones: Sequence[PhoneInterval], rows: int) -> NDArray[np.int64]:
    """Return where the rows of each phone begin and end in stored rows of a spec that keeps all frames.

    Phone k has rows ``offsets[k]:offsets[k + 1]``; shape (phones + 1,). ``rows`` is the number of the
    parent's frames for the recording.
    """
    counts = np.diff(bounds_of(spec, phones, rows))[:, 0]
    return np.concatenate([[0], np.cumsum(counts)])


def pool(frames: NDArray[Any], bounds: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the mean of ``frames`` (rows, *dims) in each window, shape (windows, *dims), in float32.

    NaN is left out; a window without frames or with nothing but NaN is NaN.
    """
    pooled = np.full((len(bounds), *frames.shape[1:]), np.nan, dtype=np.float32)
    for row, (first, last) in enumerate(bounds):
        if last > first:
            pooled[row] = defined_mean(frames[first:last])
    return pooled


@dataclass(frozen=True)
class Segments:
    """The frames that ``parent`` describes, averaged over the window of each phone or all of them kept."""

    parent: FeatureSpec
    window: Window = "centre"
    kept: bool = False

    @cached_property
    def spec(self) -> FeatureSpec:
        """Rows of the parent's dims and dtype: one for each speech phone, or all frames of each."""
        operation = "segments" + ("-interval" if self.window == "interval" else "")
        interval: dict[str, Json] = {
            "window": "interval",
            "frames": "start <= i x hop < stop, or the nearest",
        }
        centre: dict[str, Json] = {"half_window": HALF_WINDOW, "centre": "round(t/hop), half up"}
        return FeatureSpec(
            name=f"{operation}{'-frames' if self.kept else ''}-{self.parent.name}",
            version=2,
            params={
                **(interval if self.window == "interval" else centre),
                "pooling": "none" if self.kept else "mean",
            },
            dims=self.parent.dims,
            dtype=self.parent.dtype,
            sample_rate=self.parent.sample_rate,
            law=FrameLaw(kind="phone-frames" if self.kept else "phones", hop=self.parent.law.hop),
            uses=tuple(sorted({*self.parent.uses, "alignment"})),
            parent=self.parent.digest,
        )

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[Any]]:
        """Return (phones, *dims), or (frames of all phones, *dims), for each clip.

        Only ``clip.frames`` and ``clip.phones`` are read. Raises `ExtractionError` when a clip comes without
        the frames of the parent or with other dims.
        """
        return [self._rows(clip) for clip in clips]

    def _rows(self, clip: Clip) -> NDArray[Any]:
        frames = parent_rows(clip, self.parent)
        bounds = bounds_of(self.spec, clip.phones, len(frames))
        if not self.kept:
            return pool(frames, bounds).astype(self.parent.dtype)
        parts = [frames[first:last] for first, last in bounds]
        return np.concatenate([frames[:0], *parts]).astype(self.parent.dtype)


def segments(parent: FeatureSpec, window: Window = "centre", *, kept: bool = False) -> Segments:
    """Return the extractor of phone segments for the frames of ``parent``.

    Raises `ExtractionError` when ``parent`` has no frames in time.
    """
    check_frames(parent, in_time=True)
    return Segments(parent, window, kept)
