"""What an extractor is, and how extractors are found by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from features import formants, segments, self_supervised, spectral
from features.clip import Clip
from store.errors import ConfigurationError
from store.records import FeatureSpec

__all__ = ["BUILT_IN_ENCODER", "Clip", "EncoderChoice", "Extractor", "build_extractors", "names"]

Rows = NDArray[Any]
BUILT_IN_ENCODER = "logmel"
"""The encoder that needs no download: its frames are the log-mel frames themselves."""


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


def _encoder(choice: EncoderChoice) -> Extractor:
    if choice.model is None:
        raise ConfigurationError(
            "an encoder beside the feature 'encoder'",
            "none",
            f"name a transformers model (hub id or folder) or {BUILT_IN_ENCODER!r}",
        )
    if choice.model == BUILT_IN_ENCODER:
        return spectral.LogMel()
    return self_supervised.encoder(
        choice.model,
        layers=choice.layers,
        dtype=np.dtype(choice.dtype).name,
        padding=choice.padding,
        mirror=choice.mirror,
    )


_FACTORIES: dict[str, Callable[[EncoderChoice], Extractor]] = {
    "logmel80": lambda _: spectral.LogMel(),
    "mfcc13": lambda _: spectral.Mfcc(),
    "formants": lambda _: formants.Formants(),
    "encoder": _encoder,
}
_ALIASES = {"mfcc": "mfcc13", "segments": "segments:encoder"}


def names() -> tuple[str, ...]:
    """Return the names that `build_extractors` knows, apart from aliases."""
    derived = tuple(f"segments:{name}" for name in _FACTORIES)
    return (*_FACTORIES, *derived)


def build_extractors(
    wanted: Sequence[str],
    *,
    encoder: str | None,
    layers: str | tuple[int, ...] = "all",
    dtype: str = "float16",
    padding: str | None = None,
    mirror: Path | None = None,
) -> tuple[Extractor, ...]:
    """Return the extractors called ``wanted``, parents before what is derived from them, none twice.

    ``segments`` (short for ``segments:encoder``) brings its parent along, since it pools the stored rows
    of the parent. Raises `ConfigurationError` on an unknown name or when ``encoder`` is wanted and not
    named, `ExtractionError` when the encoder cannot be found.
    """
    choice = EncoderChoice(model=encoder, layers=layers, dtype=dtype, padding=padding, mirror=mirror)
    built: dict[str, Extractor] = {}
    found: dict[str, Extractor] = {}
    for asked in wanted:
        name = _known(asked)
        parent_name = name.removeprefix("segments:")
        if parent_name not in found:
            found[parent_name] = _FACTORIES[parent_name](choice)
        parent = found[parent_name]
        built.setdefault(parent.spec.digest, parent)
        if name != parent_name:
            derived = segments.segments(parent.spec)
            built.setdefault(derived.spec.digest, derived)
    return tuple(built.values())


def _known(asked: str) -> str:
    name = _ALIASES.get(asked, asked)
    if name in names():
        return name
    valid = (*names(), *_ALIASES)
    near = get_close_matches(asked, valid, n=1, cutoff=0.0)
    raise ConfigurationError(f"an extractor of {', '.join(sorted(valid))}", repr(asked), f"write {near[0]!r}")
