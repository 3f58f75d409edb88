"""The labels, texts and phones that travel with the features of an utterance, the same in every format."""

from dataclasses import asdict
from math import isnan
from typing import Any

import pyarrow as pa

from store.records import Alignment, Utterance

_TEXT, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int64()
_SHARE = pa.struct([("emotion", _TEXT), ("share", _NUMBER)])
_PHONE = pa.struct([
    ("phone", _TEXT), ("vowel", _TEXT), ("start", _COUNT), ("stop", _COUNT), ("score", _NUMBER),
])  # fmt: skip

LABELS: dict[str, pa.DataType] = {
    "id": _TEXT, "corpus": _TEXT, "path": _TEXT, "speaker": _TEXT, "gender": _TEXT, "language": _TEXT,
    "emotion": _TEXT, "native_label": _TEXT, "perceived": pa.list_(_SHARE), "arousal": _NUMBER,
    "valence": _NUMBER, "dominance": _NUMBER, "split": _TEXT, "text": _TEXT, "text_id": _TEXT, "group": _TEXT,
    "seconds": _NUMBER, "n_samples": _COUNT, "sample_rate": _COUNT, "n_channels": _COUNT,
    "audio_sha256": _TEXT, "licence": _TEXT, "synthetic": pa.bool_(), "aligner": _TEXT,
    "phones": pa.list_(_PHONE),
}  # fmt: skip
"""Names and Arrow types; ``phones`` holds silences too, with "" for the phone, samples at 16 kHz."""


def labels_of(utterance: Utterance, alignment: Alignment | None) -> dict[str, Any]:
    """Return the labels by their names; ``phones`` and ``aligner`` are None where there is no alignment."""
    known: dict[str, Any] = {
        **asdict(utterance),
        "seconds": utterance.seconds,
        "aligner": None if alignment is None else alignment.aligner,
        "phones": None if alignment is None else [asdict(item) for item in alignment.intervals],
    }
    return {name: known[name] for name in LABELS}


def labels_as_json(utterance: Utterance, alignment: Alignment | None) -> dict[str, Any]:
    """Return the labels as JSON has them: a score that is not a number is None."""
    labels = labels_of(utterance, alignment)
    for phone in labels["phones"] or ():
        phone["score"] = number_or_none(phone["score"])
    return labels


def number_or_none(value: float) -> float | None:
    """Return a number, or None for NaN."""
    return None if isnan(value) else value
