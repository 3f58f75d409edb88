"""Small corpora and extractors on which planning and building are tested."""

import os
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.clip import Clip
from features.framing import row_count
from pipeline.audio import content_hash, read_native, write_wav
from pipeline.build import BuildInputs, rebuild
from pipeline.items import Limits
from store.catalogue import Store
from store.records import Alignment, FeatureSpec, FrameLaw, PhoneInterval, Utterance

RATE = 16_000
HOP = 160


@dataclass(frozen=True)
class Loudness:
    """Mean and maximum of |x| in each hop, times a gain; float32, dims (2,)."""

    gain: float = 1.0
    name: str = "loudness"

    @property
    def spec(self) -> FeatureSpec:
        return FeatureSpec(
            name=self.name,
            version=1,
            params={"gain": self.gain},
            dims=(2,),
            dtype="float32",
            sample_rate=RATE,
            law=FrameLaw(kind="centred", hop=HOP),
        )

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        return [self.one(clip) for clip in clips]

    def one(self, clip: Clip) -> NDArray[np.float32]:
        rows = row_count(self.spec.law, len(clip.samples))
        padded = np.abs(np.pad(clip.samples, (0, rows * HOP - len(clip.samples)))).reshape(rows, HOP)
        return (np.stack([padded.mean(axis=1), padded.max(axis=1)], axis=1) * self.gain).astype(np.float32)


@dataclass(frozen=True)
class PhoneMeans:
    """The parent's mean over each phone: derived, one row for each phone."""

    parent: FeatureSpec

    @property
    def spec(self) -> FeatureSpec:
        return FeatureSpec(
            name="phone-means",
            version=1,
            dims=self.parent.dims,
            dtype="float32",
            sample_rate=self.parent.sample_rate,
            law=FrameLaw(kind="phones", hop=HOP),
            uses=("alignment",),
            parent=self.parent.digest,
        )

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        return [np.stack([self.mean(clip, phone) for phone in clip.phones]) for clip in clips]

    @staticmethod
    def mean(clip: Clip, phone: PhoneInterval) -> NDArray[np.float32]:
        assert clip.frames is not None
        return clip.frames[phone.start // HOP : phone.stop // HOP].mean(axis=0, dtype=np.float32)


@dataclass(frozen=True)
class Fragile(Loudness):
    """`Loudness` that cannot stand a loud clip, and gives a row too few for a very loud one."""

    name: str = "fragile"

    def one(self, clip: Clip) -> NDArray[np.float32]:
        peak = float(np.abs(clip.samples).max())
        if 0.8 < peak < 0.9:
            raise ValueError("too\nloud")
        return super().one(clip)[: -1 if peak >= 0.9 else None]


@dataclass(frozen=True)
class Slow(Loudness):
    """`Loudness` that takes its time, so that a build can be killed under way; same spec, same values."""

    def one(self, clip: Clip) -> NDArray[np.float32]:
        time.sleep(0.1)
        return super().one(clip)


@dataclass(frozen=True)
class Deadly(Loudness):
    """`Loudness` that kills its process on a loud clip: always, or once where ``marker`` names a file."""

    name: str = "deadly"
    marker: str | None = None

    def one(self, clip: Clip) -> NDArray[np.float32]:
        if float(np.abs(clip.samples).max()) > 0.8 and self.deadly():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().one(clip)

    def deadly(self) -> bool:
        if self.marker is None:
            return True
        try:
            Path(self.marker).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def utterance(number: int, corpus: str = "toy", audio: str | None = None, n_samples: int = 8000) -> Utterance:
    """An utterance that no file backs, for pure planning."""
    return Utterance(
        id=f"{corpus}/u{number:04d}",
        corpus=corpus,
        path=f"u{number:04d}.wav",
        speaker=f"s{number % 3}",
        gender=("female", "male")[number % 2],
        language="de",
        emotion="neutral",
        native_label="n",
        text="a b",
        text_id="t0",
        group=None,
        n_samples=n_samples,
        sample_rate=RATE,
        n_channels=1,
        audio_sha256=audio or f"{number:064x}",
        licence="CC0",
    )


def alignment(item: Utterance) -> Alignment:
    """Three phones and a pause in the first quarter of a second."""
    spans = (("a", 0, 800), ("", 800, 1600), ("b", 1600, 2400), ("a", 2400, 4000))
    return Alignment(
        utterance=item.id,
        key=f"key of {item.audio_sha256}",
        aligner="by hand",
        score=1.0,
        intervals=tuple(
            PhoneInterval(phone=phone, vowel=None, start=start, stop=stop, score=1.0)
            for phone, start, stop in spans
        ),
    )


def recorded(root: Path, number: int, *, peak: float = 0.5, seed: int | None = None) -> Utterance:
    """Write a recording of 0.4 to 0.8 s of seeded noise and return its utterance."""
    noise = np.random.default_rng(number if seed is None else seed)
    samples = noise.uniform(-1, 1, size=6400 + 640 * (number % 10)).astype(np.float32)
    root.mkdir(parents=True, exist_ok=True)
    write_wav(root / utterance(number).path, samples / np.abs(samples).max() * np.float32(peak), RATE)
    return measured(root, number)


def measured(root: Path, number: int) -> Utterance:
    """Return the utterance of a file that is there."""
    item = utterance(number)
    audio = read_native(root / item.path)
    return replace(item, n_samples=audio.n_samples, audio_sha256=content_hash(audio))


def inputs(store: Store, root: Path, utterances: Iterable[Utterance], aligned: bool = True) -> BuildInputs:
    """Put manifest and alignments into the store and return what a build starts from."""
    items = tuple(utterances)
    alignments = {item.id: alignment(item) for item in items} if aligned else {}
    tables = {"toy": store.put_alignments("toy", "0" * 64, tuple(alignments.values()), ())} if aligned else {}
    return BuildInputs(
        utterances=items,
        alignments=alignments,
        roots={"toy": root},
        manifest=store.put_manifest(items, ()),
        alignment_tables=tables,
    )


def slow_build(store: str, root: str, clips: int, workers: int) -> None:
    """Build in a process of its own that a test kills; prints a line for each finished work item."""
    place = Store.open(Path(store))
    given = inputs(place, Path(root), [recorded(Path(root), number) for number in range(1, clips + 1)])
    rebuild(
        place,
        given,
        (Slow(), PhoneMeans(Slow().spec)),
        workers=workers,
        limits=Limits(seconds=60, recordings=2),
        progress=lambda progress: print(progress.items, flush=True),
    )
