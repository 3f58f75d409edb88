"""One recording on its way through the extractors."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.errors import ExtractionError
from store.records import PhoneInterval
from store.vocabulary import NATIVE_RATE


@dataclass(frozen=True, eq=False)
class Clip:
    """The samples of one recording and what its rows may depend on beside them.

    ``samples`` is float32 mono, shape (n,), in [-1, 1], at ``rate``; ``phones`` are the speech phones, timed
    at COMMON_RATE; ``frames`` are the stored rows of the parent spec, for derived specs only. ``shared``
    holds what several extractors compute from these samples, see `once`.
    """

    samples: NDArray[np.float32]
    rate: int
    gender: str = "unknown"
    phones: tuple[PhoneInterval, ...] = ()
    frames: NDArray[Any] | None = None
    shared: dict[Hashable, NDArray[Any]] = field(default_factory=dict)

    def once(self, key: Hashable, compute: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return ``compute()``, computed once for these samples and read-only from then on.

        ``key`` names everything that the result depends on beside the samples.
        """
        if key not in self.shared:
            value = compute()
            value.setflags(write=False)
            self.shared[key] = value
        return self.shared[key]


def checked_samples(clip: Clip, rate: int) -> NDArray[np.float32]:
    """Return the samples as contiguous float32, shape (n,); a ``rate`` of `NATIVE_RATE` takes any.

    Raises `ExtractionError` when the clip is empty, not mono, not finite or not at ``rate``.
    """
    if rate not in (NATIVE_RATE, clip.rate):
        raise ExtractionError(
            f"samples at {rate} Hz", f"{clip.rate} Hz", "resample the clip before extraction"
        )
    if clip.samples.ndim != 1 or clip.samples.size == 0:
        raise ExtractionError("mono samples", f"an array of shape {clip.samples.shape}", "leave the clip out")
    samples = np.ascontiguousarray(clip.samples, dtype=np.float32)
    if not np.isfinite(samples).all():
        raise ExtractionError("finite samples", "NaN or infinity", "leave the clip out or mend the file")
    return samples
