"""Specs, utterances and small committed stores on which the store is tested."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.catalogue import Commit, Store, StoreWriter, WantedRows, write_item
from store.records import Alignment, FeatureSpec, FrameLaw, PhoneInterval, Skipped, Utterance

Array = NDArray[Any]


def spec(dims=(5,), dtype="float32", name="mel", version=1, kind="centred") -> FeatureSpec:
    return FeatureSpec(
        name=name,
        version=version,
        params={"hop": 160, "nested": {"a": [1, 2.5, None]}},
        dims=dims,
        dtype=dtype,
        sample_rate=16_000,
        law=FrameLaw(kind=kind, hop=160),
    )


def utterance(number: int, corpus: str = "toy", **changes) -> Utterance:
    fields = {
        "id": f"{corpus}/u{number:03d}",
        "corpus": corpus,
        "path": f"wav/u{number:03d}.wav",
        "speaker": "s1",
        "gender": "female",
        "language": "de",
        "emotion": "anger",
        "native_label": "Wut",
        "text": "Ärger — 愤怒",
        "text_id": None,
        "group": None,
        "n_samples": 16_000,
        "sample_rate": 16_000,
        "n_channels": 1,
        "audio_sha256": f"{number:064x}",
        "licence": "CC0",
    }
    return Utterance(**{**fields, **changes})


def skipped(number: int, corpus: str = "toy") -> Skipped:
    return Skipped(
        utterance=f"{corpus}/bad{number}", corpus=corpus, path="bad.wav", stage="ingest", reason="no audio"
    )


def alignment(item: Utterance) -> Alignment:
    intervals = (
        PhoneInterval(phone="a", vowel="A", start=0, stop=800, score=-0.1),
        PhoneInterval(phone="", vowel=None, start=800, stop=1600, score=float("nan")),
    )
    return Alignment(
        utterance=item.id, key=f"k{item.audio_sha256}", aligner="hand", score=0.5, intervals=intervals
    )


def values(feature: FeatureSpec, rows: int, seed: int = 0) -> Array:
    noise = np.random.default_rng([seed, rows]).standard_normal((rows, *feature.dims))
    return noise.astype(feature.dtype)


def key(feature: FeatureSpec, item: Utterance) -> str:
    return feature.row_key(item.audio_sha256)


def wanted(feature: FeatureSpec, item: Utterance, length: int) -> WantedRows:
    return WantedRows(
        spec=feature.digest,
        corpus=item.corpus,
        utterance=item.id,
        row_key=key(feature, item),
        length=length,
    )


@dataclass(frozen=True)
class Filled:
    """What a test put into a store."""

    commit: Commit
    utterances: tuple[Utterance, ...]
    rows: Mapping[str, Array]


def write(
    store: Store,
    writer: StoreWriter,
    feature: FeatureSpec,
    items: Sequence[Utterance],
    rows: Mapping[str, Array],
) -> int:
    """Write the rows of some utterances of one corpus as one work item; return its start."""
    (start,) = writer.reserve(feature, items[0].corpus, [sum(len(rows[item.id]) for item in items)])
    blocks = [(key(feature, item), rows[item.id]) for item in items]
    write_item(store.path, feature, items[0].corpus, start, blocks)
    return start


def commit(
    store: Store,
    writer: StoreWriter,
    feature: FeatureSpec,
    items: Sequence[Utterance],
    rows: Mapping[str, Array],
) -> Commit:
    return writer.commit(
        manifest=store.put_manifest(items, [skipped(1)]),
        alignments=[store.put_alignments("toy", "a" * 64, [alignment(item) for item in items], [skipped(2)])],
        wanted=[wanted(feature, item, len(rows[item.id])) for item in items],
        lineage={"code": "1"},
    )


def fill(store: Store, feature: FeatureSpec, lengths: Sequence[int], item_size: int = 3) -> Filled:
    """Build and commit one corpus: utterance i has ``lengths[i]`` rows, ``item_size`` of them a work item."""
    items = tuple(utterance(number) for number in range(len(lengths)))
    rows = {
        item.id: values(feature, n, seed) for seed, (item, n) in enumerate(zip(items, lengths, strict=True))
    }
    with store.writer() as writer:
        for first in range(0, len(items), item_size):
            write(store, writer, feature, items[first : first + item_size], rows)
        made = commit(store, writer, feature, items, rows)
    return Filled(made, items, rows)
