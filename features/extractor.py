"""What an extractor is, and which extractors the names of a configuration stand for."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from features import pooling, segments
from features.clip import Clip
from features.contract import BUILT_IN_ENCODER, EncoderChoice, Extractor
from features.registry import base_names, extractor
from store.errors import ConfigurationError
from store.records import FeatureSpec

__all__ = [
    "BUILT_IN_ENCODER",
    "OPERATIONS",
    "Clip",
    "EncoderChoice",
    "Extractor",
    "build_extractors",
    "names",
]

OPERATIONS: Mapping[str, Callable[[FeatureSpec], Extractor]] = {
    "segments": segments.segments,
    "segments-interval": partial(segments.segments, window="interval"),
    "segments-frames": partial(segments.segments, kept=True),
    "segments-interval-frames": partial(segments.segments, window="interval", kept=True),
    "utterance-mean": pooling.utterance_pooling,
    "utterance-meanstd": partial(pooling.utterance_pooling, spread=True),
}
"""What can be derived from stored frames: ``OPERATION:NAME`` is OPERATION on the frames called NAME."""

_ALIASES = {"mfcc": "mfcc13", "segments": "segments:encoder"}


def names() -> tuple[str, ...]:
    """Return the names of all extractors that are not derived, installed ones included, without aliases."""
    return base_names()


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

    ``OPERATION:NAME`` brings its parent along, since it pools the stored rows of the parent; ``segments`` is
    short for ``segments:encoder``. Raises `ConfigurationError` on an unknown name, an installed extractor
    that cannot serve, or when ``encoder`` is wanted and not named, `ExtractionError` when the encoder cannot
    be found or the frames cannot be pooled.
    """
    choice = EncoderChoice(model=encoder, layers=layers, dtype=dtype, padding=padding, mirror=mirror)
    built: dict[str, Extractor] = {}
    found: dict[str, Extractor] = {}
    for asked in wanted:
        operation, name = _known(asked)
        if name not in found:
            found[name] = extractor(name, choice)
        parent = found[name]
        built.setdefault(parent.spec.digest, parent)
        if operation:
            derived = OPERATIONS[operation](parent.spec)
            built.setdefault(derived.spec.digest, derived)
    return tuple(built.values())


def _known(asked: str) -> tuple[str, str]:
    """Return (operation or "", name) of a feature as a configuration writes it."""
    full = _ALIASES.get(asked, asked)
    operation, _, name = full.rpartition(":")
    name = _ALIASES.get(name, name) if operation else name
    if (not operation or operation in OPERATIONS) and name in base_names(asked=name):
        return operation, name
    valid = (*base_names(), *_ALIASES)
    written = (*valid, *(f"{kind}:{each}" for kind in OPERATIONS for each in valid[: len(base_names())]))
    near = get_close_matches(asked, written, n=1, cutoff=0.0)
    raise ConfigurationError(
        "an extractor, or OPERATION:NAME",
        repr(asked),
        f"did you mean {near[0]!r}? 'phonanchor extractors' lists them",
    )
