"""The contract that every extractor fulfils, built in or installed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from features.clip import Clip
from store.records import FeatureSpec

Rows = NDArray[Any]
BUILT_IN_ENCODER = "logmel"
"""The encoder that needs no download: its frames are the log-mel frames themselves."""


@runtime_checkable
class Extractor(Protocol):
    """Turns recordings into rows.

    An extractor is light and can be pickled; heavy state (weights) is loaded on first use and kept for the
    process. The rows of a clip do not depend on the clips beside it.
    """

    @property
    def spec(self) -> FeatureSpec:
        """Everything that the values depend on, apart from the clip."""
        ...

    def extract_many(self, clips: Sequence[Clip]) -> list[Rows]:
        """Return one array (rows, *spec.dims) of ``spec.dtype`` for each clip; rows follow ``spec.law``.

        Raises `ExtractionError` on an empty clip, a clip at another rate than ``spec.sample_rate``, or a
        model that cannot be loaded.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderChoice:
    """Which speech encoder, and what is kept of it.

    ``model`` is a short name, a hub id, a folder or ``"logmel"``; ``layers`` is ``"all"`` or numbers from 1;
    ``dtype`` is that of the stored rows; ``padding`` is one of `features.whisper.PADDINGS` and concerns
    Whisper only; ``mirror`` is a folder of models that is searched before the hub.
    """

    model: str | None
    layers: str | tuple[int, ...] = "all"
    dtype: str = "float16"
    padding: str | None = None
    mirror: Path | None = None
