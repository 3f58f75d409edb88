"""A small store with every shape of feature, awkward names and two licences, for tests of exports."""

from dataclasses import dataclass

import numpy as np

from store.catalogue import Store, WantedRows, write_item
from store.feature_store import FeatureStore
from store.records import Alignment, EmotionShare, FeatureSpec, FrameLaw, PhoneInterval
from tests.store.store_cases import skipped, utterance, values

RATE = 16_000
LENGTHS = (16_000, 16_079, 16_080, 4_001, 23_457)
"""Numbers of samples whose last hop of 160 is empty, almost half, half, begun and more than half."""
LONG = "toy/" + "long " * 60
HOSTILE = 'toy/<script>alert("1")</script> | é..%2F'


def frames(name, dims, hop, dtype="float32", kind="centred"):
    return FeatureSpec(
        name=name, version=1, params={"bands": 4}, dims=dims, dtype=dtype, sample_rate=RATE,
        law=FrameLaw(kind=kind, hop=hop),
    )  # fmt: skip


MEL = frames("logmel80", (4,), 160)
PITCH = frames("text", (), 320, kind="ceil")
"""A scalar feature, called like a label."""
STATES = frames("enc-1", (3, 2), 320, "float16", "ceil")
PHONES = frames("segments-enc.1", (3, 2), 0, "float16", "phones")
WHOLE = frames("enc_1", (5,), 0, kind="utterance")
"""One row an utterance; its name and that of `STATES` are one Python identifier."""
FEATURES = (MEL, PITCH, STATES, PHONES, WHOLE)


def n_rows(spec, samples, phones):
    if spec.law.kind == "centred":
        return 1 + samples // spec.law.hop
    if spec.law.kind == "ceil":
        return -(-samples // spec.law.hop)
    return phones if spec.law.kind == "phones" else 1


def intervals(samples):
    third = samples // 3
    return (
        PhoneInterval(phone="", vowel=None, start=0, stop=third, score=float("nan")),
        PhoneInterval(phone="a", vowel="A", start=third, stop=2 * third, score=-0.25),
        PhoneInterval(phone="t", vowel=None, start=2 * third, stop=samples, score=-1.5),
    )


@dataclass(frozen=True)
class Made:
    """A store, its utterances, and the rows that were put in by (feature name, utterance)."""

    store: Store
    utterances: tuple
    rows: dict


def people():
    names = ["toy/u0", HOSTILE, LONG, "toy/../up", "toy/u0_layer00"]
    own = [
        utterance(
            at, id=name, n_samples=samples, speaker=f"s{at % 2}", perceived=(
                EmotionShare(emotion="anger", share=0.75), EmotionShare(emotion="fear", share=0.25),
            ) if at else (), arousal=0.5 if at else None, text=None if at == 1 else "Ärger — 愤怒",
        )
        for at, (name, samples) in enumerate(zip(names, LENGTHS, strict=True))
    ]  # fmt: skip
    other = utterance(
        8, corpus="Ähre & co", licence="CC-BY-4.0", emotion="fear", synthetic=True, language="pl"
    )
    silent = utterance(9, corpus="Ähre & co", licence="CC-BY-4.0", emotion="joy", n_samples=100)
    return [*own, other, silent]


def fill_all(store: Store) -> Made:
    """Commit all features; `silent` has no rows at all, and only the toys are aligned."""
    items = people()
    aligned = items[:5]
    rows, wanted = {}, []
    with store.writer() as writer:
        for spec in FEATURES:
            for corpus in ("toy", "Ähre & co"):
                blocks = []
                for seed, item in enumerate(items[:6]):
                    if item.corpus != corpus or (spec is PHONES and item not in aligned):
                        continue
                    block = values(spec, n_rows(spec, item.n_samples, 2), seed)
                    if spec is STATES:
                        block[0, 0, 0] = np.nan
                    rows[spec.name, item.id] = block
                    key = spec.row_key(item.audio_sha256)
                    blocks.append((key, block))
                    wanted.append(
                        WantedRows(
                            spec=spec.digest, corpus=corpus, utterance=item.id, row_key=key, length=len(block)
                        )
                    )
                if blocks:
                    (start,) = writer.reserve(spec, corpus, [sum(len(block) for _, block in blocks)])
                    write_item(store.path, spec, corpus, start, blocks)
        table = [
            Alignment(
                utterance=item.id, key=f"k{item.audio_sha256}", aligner="hand", score=0.5,
                intervals=intervals(item.n_samples),
            )
            for item in aligned
        ]  # fmt: skip
        writer.commit(
            manifest=store.put_manifest(items, [skipped(1)]),
            alignments=[store.put_alignments("toy", "a" * 64, table, [])],
            wanted=wanted,
            lineage={"code": "1"},
        )
    return Made(store, tuple(items), rows)


def opened(made: Made) -> FeatureStore:
    return FeatureStore.open(made.store.path)
