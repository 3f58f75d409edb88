"""The recordings that features are measured on: a corpus where there is one, generated audio elsewhere."""

import json
import wave
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from features.extractor import Extractor
from pipeline.audio import content_hash, read_native
from pipeline.build import Rebuilt, rebuild
from pipeline.corpora.corpus import corpus_by_name
from pipeline.ingest import ingest
from pipeline.jobs import BuildInputs
from pipeline.tally import Progress
from store.catalogue import Store
from store.records import Utterance

RATE = 16_000
GENERATED = "generated"


@dataclass(frozen=True)
class Recordings:
    """Utterances and the folder of each corpus that they come from."""

    utterances: tuple[Utterance, ...]
    roots: dict[str, Path]

    @property
    def hours(self) -> float:
        """Hours of audio."""
        return sum(item.seconds for item in self.utterances) / 3600

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [self.roots[item.corpus] / item.path for item in self.utterances]

    def spread(self, count: int | None) -> "Recordings":
        """Return at most ``count`` of them, evenly spread."""
        if count is None or count >= len(self.utterances):
            return self
        places = np.linspace(0, len(self.utterances) - 1, count).astype(int)
        return Recordings(tuple(self.utterances[place] for place in places), self.roots)


def recordings(corpora: Path | None, names: Sequence[str], folder: Path, generated: int = 60) -> Recordings:
    """Return the utterances of ``names`` that lie in ``corpora``, else ``generated`` clips of 3 s."""
    found = [name for name in names if corpora is not None and (corpora / name).is_dir()]
    if corpora is None or not found:
        return generate(folder / GENERATED, generated, 3.0)
    corpus = {name: corpus_by_name(name, corpora) for name in found}
    roots = {name: corpus[name].folder(corpora) for name in found}
    rows = [ingest(corpus[name], roots[name], folder / "cache").utterances for name in found]
    return Recordings(tuple(item for part in rows for item in part), roots)


def generate(root: Path, count: int, seconds: float) -> Recordings:
    """Write ``count`` WAV files of noise, each with other content, and return them."""
    root.mkdir(parents=True, exist_ok=True)
    size = round(seconds * RATE)
    noise = np.random.default_rng(0).normal(0, 2000, size).astype("<i2")
    for number in range(count):
        noise[:4] = number, number // 256, 7, 7  # other content, and so another hash and no shared rows
        with wave.open(str(root / f"{number:05d}.wav"), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(np.roll(noise, 977 * number).tobytes())
    return Recordings(tuple(_utterance(root, number) for number in range(count)), {GENERATED: root})


def _utterance(root: Path, number: int) -> Utterance:
    audio = read_native(root / f"{number:05d}.wav")
    return Utterance(
        id=f"{GENERATED}/{number:05d}", corpus=GENERATED, path=f"{number:05d}.wav", speaker="noise",
        gender="unknown", language="zxx", emotion="neutral", native_label="", text=None, text_id=None,
        group=None, n_samples=audio.n_samples, sample_rate=audio.rate, n_channels=audio.channels,
        audio_sha256=content_hash(audio), licence="CC0-1.0",
    )  # fmt: skip


def build(
    path: Path,
    given: Recordings,
    extractors: Sequence[Extractor],
    *,
    workers: int,
    progress: Callable[[Progress], None] | None = None,
) -> Rebuilt:
    """Build the features of recordings into a fresh store at ``path``."""
    store = Store.create(path)
    inputs = BuildInputs(
        utterances=given.utterances, alignments={}, roots=given.roots,
        manifest=store.put_manifest(given.utterances, ()), alignment_tables={},
    )  # fmt: skip
    return rebuild(store, inputs, extractors, workers=workers, progress=progress)


def keep_list(path: Path, given: Recordings) -> None:
    """Write recordings down for another process; `listed` reads them."""
    content = {
        "utterances": [asdict(item) for item in given.utterances],
        "roots": {name: str(root) for name, root in given.roots.items()},
    }
    path.write_text(json.dumps(content), encoding="utf-8")


def listed(path: str) -> Recordings:
    """Return the recordings that `keep_list` wrote."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    return Recordings(
        tuple(Utterance(**{**item, "perceived": ()}) for item in content["utterances"]),
        {name: Path(root) for name, root in content["roots"].items()},
    )


def stored_bytes(path: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
