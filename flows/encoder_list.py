"""The command `encoders`: the speech encoders with a short name, and which of them are at hand."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from features import weights
from features.encoder_names import PUBLISHED, Published
from flows.stages import model_mirror

FRAMES_PER_MINUTE = 50 * 60
FLOAT16_BYTES = 2


def encoder_lines(folder: Path | None, *, as_json: bool) -> Iterator[str]:
    """Yield one line an encoder, or one JSON document: name, hub id, size of its states, whether at hand."""
    mirror = model_mirror(str(folder) if folder else None)
    found = [(entry, weights.at_hand(entry.name, mirror)) for entry in PUBLISHED]
    if as_json:
        rows = [{**asdict(entry), "mb_per_minute": _megabytes(entry), "at_hand": at} for entry, at in found]
        yield json.dumps(rows, indent=2)
        return
    yield f"{'name':<20} {'hub id':<32} {'layers':>6} {'dim':>5} {'MB/min':>7}  at hand"
    for entry, at in found:
        sizes = f"{entry.layers:>6} {entry.dim:>5} {_megabytes(entry):>7.1f}"
        yield f"{entry.name:<20} {entry.hub:<32} {sizes}  {at or 'no: downloaded on first use'}"
    yield "MB/min: all layers as float16, before compression; --set layers=6,12 keeps some"


def _megabytes(entry: Published) -> float:
    """Return the megabytes that a minute of audio gives at 50 frames a second, all layers in float16."""
    return round(entry.layers * entry.dim * FRAMES_PER_MINUTE * FLOAT16_BYTES / 1e6, 1)
