"""Measures the store against other formats, planning at scale and the PyTorch loader, in ratios of one run.

Usage: python -m benchmarks.store [--corpora FOLDER] [--utterances 3000] [--folder FOLDER] [--only PART]
       [--json FILE]

Everything is read from the page cache; rivals take turns within each round, and the best or the median of the
rounds counts. Run it on an idle machine: the ratios of one run are comparable, seconds of two runs are not.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.store_rivals import HDF5_LZ4, LIMIT, Array, Opened, Rival, rivals
from features.clip import Clip
from features.mel import LOG_MEL_SPEC, LogMel
from store.arrays import geometry
from store.catalogue import Store, WantedRows, write_item
from store.feature_store import FeatureStore
from store.joined import Joined
from store.records import FeatureSpec, FrameLaw, Utterance

PARTS = ("mel", "segments", "epochs", "bytes", "plan")
ROUNDS = 3
SLOW_ROUNDS = 1
"""Rounds of a format whose scan takes longer than `SLOW` or a read longer than `SLOW_READ` seconds."""
SLOW = 3.0
SLOW_READ = 0.01
RANDOM_READS = 300
PLANNED = (100_000, 1_000_000)
ITEM = 96
"""Utterances of one work item: some five minutes of speech."""
SEGMENTS = FeatureSpec(
    name="segments-768",
    version=1,
    dims=(768,),
    dtype="float16",
    sample_rate=16_000,
    law=FrameLaw(kind="phones"),
)
BATCH = 64


@dataclass(frozen=True)
class Figure:
    """One measured figure and its target: at most or at least ``bound``."""

    what: str
    value: float
    sign: str
    bound: float

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.value <= self.bound if self.sign == "<=" else self.value >= self.bound

    def __str__(self) -> str:
        word = "met   " if self.met else "MISSED"
        return f"{word}  {self.what}: {self.value:.2f} ({self.sign} {self.bound:g})"


@dataclass
class Measured:
    """One format: seconds of the best write and scan, seconds of single reads, bytes on disk."""

    write: float
    scan: float
    reads: list[float]
    bytes: int

    @property
    def median(self) -> float:
        """Seconds of a single read."""
        return statistics.median(self.reads)


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def log_mel_like(count: int, rng: np.random.Generator) -> list[Array]:
    """Return smooth decibel-like rows of 80, about 330 for each utterance."""
    blocks = []
    for length in rng.integers(130, 530, count):
        envelope = np.cumsum(rng.normal(0, 2, (length, 8)), axis=0) @ rng.normal(0, 0.5, (8, 80))
        blocks.append((envelope - 50 + rng.normal(0, 4, (length, 80))).astype(np.float32))
    return blocks


def segment_like(count: int, rng: np.random.Generator) -> list[Array]:
    """Return rows of 768 float16, about 45 for each utterance."""
    return [rng.normal(0, 0.4, (n, 768)).astype(np.float16) for n in rng.integers(25, 65, count)]


def utterance(number: int, rows: int) -> Utterance:
    return Utterance(
        id=f"bench/{number:05d}", corpus="bench", path=f"{number}.wav", speaker=f"{number % 50}",
        gender="female", language="de", emotion=("anger", "neutral")[number % 2], native_label="",
        text=None, text_id=None, group=None, n_samples=rows * 160, sample_rate=16_000,
        n_channels=1, audio_sha256=f"{number:064x}",
        licence="CC0-1.0",
    )  # fmt: skip


def build_store(path: Path, spec: FeatureSpec, blocks: Sequence[Array]) -> None:
    """Write and commit all blocks as a build does, without computing anything."""
    store = Store.create(path)
    items = [utterance(number, len(block)) for number, block in enumerate(blocks)]
    keys = [spec.row_key(item.audio_sha256) for item in items]
    groups = [range(at, min(at + ITEM, len(items))) for at in range(0, len(items), ITEM)]
    with store.writer() as writer:
        starts = writer.reserve(spec, "bench", [sum(len(blocks[i]) for i in group) for group in groups])
        for start, group in zip(starts, groups, strict=True):
            write_item(path, spec, "bench", start, [(keys[i], blocks[i]) for i in group])
        wanted = [
            WantedRows(spec=spec.digest, corpus="bench", utterance=u.id, row_key=key, length=len(block))
            for u, key, block in zip(items, keys, blocks, strict=True)
        ]
        writer.commit(manifest=store.put_manifest(items, []), alignments=[], wanted=wanted, lineage={})


def ours(spec: FeatureSpec, *, checked: bool) -> Rival:
    def opened(path: Path, _: Any) -> Opened:
        store = FeatureStore.open(path, checked=checked)
        ids = [item.id for item in store.utterances]
        return Opened(lambda i: store.read(spec, ids[i]), lambda: store.read_many(spec, ids))

    name = "Phonanchor, checked" if checked else "Phonanchor, unchecked"
    return Rival(name, lambda path, blocks: build_store(path, spec, blocks), opened)


def compare(folder: Path, spec: FeatureSpec, blocks: Sequence[Array]) -> dict[str, Measured]:
    """Write, scan and read one by one in every format, in turn."""
    formats = [ours(spec, checked=True), ours(spec, checked=False), *rivals(geometry(spec).chunk)]
    found: dict[str, Measured] = {}
    readers: dict[str, Opened] = {}
    for at, rival in enumerate(formats):
        print(f"  writing {rival.name} ...", file=sys.stderr, flush=True)
        path, took, made = _written(folder / f"{spec.name}-{at}", rival, blocks)
        readers[rival.name] = rival.open(path, made)
        size = sum(file.stat().st_size for file in _files(path))
        found[rival.name] = Measured(took, np.inf, [], size)
        _check(rival, readers[rival.name], blocks)
    rng = np.random.default_rng(1)

    def shuffled() -> list[tuple[str, Opened]]:
        """Return the formats in another order each time: a slow one leaves cold caches to the next."""
        names = list(readers)
        return [(names[i], readers[names[i]]) for i in rng.permutation(len(names))]

    for turn in range(ROUNDS):
        for name, opened in shuffled():
            if turn < SLOW_ROUNDS or found[name].scan < SLOW:
                found[name].scan = min(found[name].scan, seconds(opened.scan))
        for place in rng.integers(0, len(blocks), RANDOM_READS // ROUNDS).tolist():
            for name, opened in shuffled():
                if turn >= SLOW_ROUNDS and found[name].median > SLOW_READ:
                    continue
                found[name].reads.append(seconds(lambda read=opened.read, i=place: read(i)))
    return found


def _written(stem: Path, rival: Rival, blocks: Sequence[Array]) -> tuple[Path, float, Any]:
    """Write a format, twice unless it is slow; return the last path, the best seconds and what it made."""
    best = np.inf
    for turn in range(2):
        path = stem.with_name(f"{stem.name}-{turn}")
        started = time.perf_counter()
        made = rival.write(path, blocks)
        best = min(best, time.perf_counter() - started)
        if best > SLOW:
            break
        if turn == 0:
            remove(path)
    return path, best, made


def remove(path: Path) -> None:
    """Remove the files of a format."""
    for item in path.parent.glob(f"{path.name}*"):
        shutil.rmtree(item) if item.is_dir() else item.unlink()


def _files(path: Path) -> list[Path]:
    """Return the files of a format: those under ``path``, and those with an ending of their own."""
    beside = [item for item in path.parent.glob(f"{path.name}*") if item.is_file()]
    return beside + [item for item in path.rglob("*") if item.is_file()]


def _check(rival: Rival, opened: Opened, blocks: Sequence[Array]) -> None:
    """Refuse to time a format that gives other values."""
    for i in (0, len(blocks) - 1):
        tolerance = 0.1 if opened.lossy else 0.0
        np.testing.assert_allclose(opened.read(i), blocks[i], rtol=0, atol=tolerance, err_msg=rival.name)


def table(title: str, found: dict[str, Measured], raw: int) -> None:
    print(f"\n{title}: {raw / 1e6:.0f} MB raw")
    print(f"{'':34s}{'write s':>9s}{'scan s':>9s}{'read ms':>9s}{'bytes/raw':>11s}")
    for name, row in found.items():
        print(f"{name:34s}{row.write:9.2f}{row.scan:9.3f}{row.median * 1e3:9.3f}{row.bytes / raw:11.2f}")


def epochs(joined: Joined, spec: FeatureSpec) -> dict[str, float]:
    """Return seconds of an epoch through DataLoader: streamed, by position, from RAM, and computed anew."""
    from torch.utils.data import DataLoader

    from store.torch_dataset import JoinedDataset, Sample, ShardStream, collate

    ids = [row.utterance for row in joined]
    ram = joined.store.read_many(spec, ids)
    samples = [Sample(joined.row(name), {spec.name: ram[name]}, joined.target(name)) for name in ids]

    def epoch(items: Any) -> None:
        for _ in DataLoader(items, batch_size=BATCH, shuffle=True, collate_fn=collate):
            pass

    stream = ShardStream(joined, batch_size=BATCH)
    ways: dict[str, Callable[[], object]] = {
        "stream": lambda: [None for _ in DataLoader(stream, batch_size=None)],
        "position": lambda: epoch(JoinedDataset(joined)),
        "ram": lambda: epoch(samples),
    }
    best = dict.fromkeys(ways, np.inf)
    for _ in range(ROUNDS):
        for name, run in ways.items():
            best[name] = min(best[name], seconds(run))
    some = ids[:: max(1, len(ids) // 200)]
    noise = np.random.default_rng(2).normal(0, 0.1, 16_000 * 10).astype(np.float32)
    clips = [Clip(noise[: (len(ram[name]) - 1) * 160], 16_000) for name in some]
    best["compute"] = seconds(lambda: LogMel().extract_many(clips)) * len(ids) / len(some) + best["ram"]
    return best


def real_log_mel(corpora: Path) -> list[Array]:
    """Return the log-mel of up to 300 recordings, spread over a folder of corpora."""
    from pipeline.audio import load

    files = sorted(item for item in corpora.rglob("*") if item.suffix in {".wav", ".flac"})
    return [
        LogMel().extract_many([Clip(load(file, 16_000), 16_000)])[0]
        for file in files[:: max(1, len(files) // 300)]
    ]


def planned(count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.store_planning", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def formats(folder: Path, spec: FeatureSpec, blocks: Sequence[Array]) -> Iterator[Figure]:
    """Compare the formats on one kind of rows."""
    raw = sum(block.nbytes for block in blocks)
    found = compare(folder, spec, blocks)
    table(f"{spec.name}, {len(blocks)} utterances", found, raw)
    limit, chunky = found[LIMIT], found["lhotse, lilcom chunky"]
    hdf5 = found.get(HDF5_LZ4) or found["HDF5, our chunks, shuffle + LZF"]
    for way in ("unchecked", "checked"):
        row, short = found[f"Phonanchor, {way}"], f"{spec.name} {way}"
        yield Figure(f"{short}: scan, of fromfile's speed", limit.scan / row.scan, ">=", 0.5)
        yield Figure(f"{short}: random read, ms", row.median * 1e3, "<=", 1)
        yield Figure(f"{short}: random read, times lhotse's lilcom", row.median / chunky.median, "<=", 1)
        yield Figure(f"{short}: random read, times HDF5's", row.median / hdf5.median, "<=", 2)
    ours_write = min(found["Phonanchor, unchecked"].write, found["Phonanchor, checked"].write)
    yield Figure(f"{spec.name}: write, of tofile's speed", limit.write / ours_write, ">=", 0.25)


def epoch_figures(folder: Path, count: int) -> Iterator[Figure]:
    """Run epochs over log-mel-like rows."""
    path = folder / "epochs"
    build_store(path, LOG_MEL_SPEC, log_mel_like(count, np.random.default_rng(0)))
    for way in ("unchecked", "checked"):
        joined = FeatureStore.open(path, checked=way == "checked").dataset([LOG_MEL_SPEC.name])
        took = epochs(joined, LOG_MEL_SPEC)
        line = ", ".join(f"{key} {value:.2f} s" for key, value in took.items())
        print(f"epoch of batches of {BATCH}, {way}: {line}", flush=True)
        yield Figure(f"epoch {way}: times faster than computing", took["compute"] / took["stream"], ">=", 5)
        yield Figure(f"epoch {way}: of the speed from RAM", took["ram"] / took["stream"], ">=", 0.5)


def bytes_figures(folder: Path, corpora: Path | None) -> Iterator[Figure]:
    """Store the log-mel of real recordings."""
    if corpora is None or not corpora.is_dir():
        print("no folder of real recordings (--corpora): bytes stored not measured")
        return
    blocks = real_log_mel(corpora)
    build_store(folder / "real", LOG_MEL_SPEC, blocks)
    stored = sum(item.stat().st_size for item in (folder / "real/arrays").rglob("c/*/*"))
    raw = sum(block.nbytes for block in blocks)
    yield Figure(f"log-mel of {len(blocks)} real recordings: bytes stored of raw", stored / raw, "<=", 0.8)


def plan_figures(counts: Sequence[int]) -> Iterator[Figure]:
    """Plan no-change rebuilds of a small and a large manifest, each in a process of its own."""
    small, large = (planned(count) for count in counts)
    for plan in (small, large):
        print("plan: " + ", ".join(f"{key} {value:,.2f}" for key, value in plan.items()), flush=True)
    yield Figure(f"plan of {counts[0]:,} rows: s", small["seconds"], "<=", 2)
    yield Figure(f"plan of {counts[0]:,} rows: MB above the imports", small["mb"], "<=", 200)
    growth = large["seconds"] / small["seconds"] / (counts[1] / counts[0])
    yield Figure(f"plan of {counts[1]:,} rows: s a row, times that of {counts[0]:,}", growth, "<=", 1.5)


def measure(
    folder: Path,
    count: int,
    corpora: Path | None,
    parts: Sequence[str] = PARTS,
    counts: Sequence[int] = PLANNED,
) -> list[Figure]:
    """Measure the given parts; tables are printed as they are ready."""
    rng = np.random.default_rng
    ways: dict[str, Callable[[], Iterator[Figure]]] = {
        "mel": lambda: formats(folder, LOG_MEL_SPEC, log_mel_like(count, rng(0))),
        "segments": lambda: formats(folder, SEGMENTS, segment_like(count, rng(0))),
        "epochs": lambda: epoch_figures(folder, count),
        "bytes": lambda: bytes_figures(folder, corpora),
        "plan": lambda: plan_figures(counts),
    }
    figures: list[Figure] = []
    for part in parts:
        started = time.perf_counter()
        figures += ways[part]()
        for item in folder.iterdir():
            remove(item)
        print(f"{part}: {time.perf_counter() - started:.0f} s\n", flush=True)
    return figures


def summary(figures: Sequence[Figure]) -> str:
    """Return one line: how many targets are met, and which are missed."""
    missed = [figure.what for figure in figures if not figure.met]
    line = f"bench-store: {len(figures) - len(missed)} of {len(figures)} targets met"
    return line + (f"; missed: {'; '.join(missed)}" if missed else "")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the store.")
    parser.add_argument("--corpora", type=Path, help="a folder of real recordings, for bytes stored")
    parser.add_argument("--utterances", type=int, default=3000)
    parser.add_argument("--folder", type=Path, help="where to write (a temporary folder)")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part; may be repeated")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-store-", dir=options.folder))
    try:
        figures = measure(folder, options.utterances, options.corpora, options.only or PARTS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        written = [{**asdict(figure), "met": figure.met} for figure in figures]
        options.json.write_text(json.dumps(written, indent=1) + "\n")
    for figure in figures:
        print(figure)
    print(f"\n{summary(figures)}")


if __name__ == "__main__":
    main()
