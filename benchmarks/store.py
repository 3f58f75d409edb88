"""Measures the store against other formats, planning at scale and the PyTorch loader, in ratios of one run.

Usage: python -m benchmarks.store [--corpora FOLDER] [--utterances 3000] [--folder FOLDER]

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.store_rivals import HDF5_LZ4, Array, Opened, Rival, rivals
from features.clip import Clip
from features.mel import LOG_MEL_SPEC, LogMel
from store.arrays import geometry
from store.catalogue import Store, WantedRows, write_item
from store.feature_store import FeatureStore
from store.joined import Joined
from store.records import FeatureSpec, FrameLaw, Utterance

ROUNDS = 3
RANDOM_READS = 300
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
    if spec is SEGMENTS:  # incompressible chunks grow, and h5py corrupts memory as it reads such raw chunks
        formats = [item for item in formats if item.name != HDF5_LZ4]
    found: dict[str, Measured] = {}
    readers: dict[str, Opened] = {}
    for at, rival in enumerate(formats):
        best = np.inf
        for turn in range(2):
            path = folder / f"{spec.name}-{at}-{turn}"
            started = time.perf_counter()
            made = rival.write(path, blocks)
            best = min(best, time.perf_counter() - started)
        readers[rival.name] = rival.open(path, made)
        size = sum(file.stat().st_size for file in _files(path))
        found[rival.name] = Measured(best, np.inf, [], size)
        _check(rival, readers[rival.name], blocks)
    rng = np.random.default_rng(1)
    for _ in range(ROUNDS):
        for name, opened in readers.items():
            found[name].scan = min(found[name].scan, seconds(opened.scan))
        for place in rng.integers(0, len(blocks), RANDOM_READS // ROUNDS).tolist():
            for name, opened in readers.items():
                found[name].reads.append(seconds(lambda read=opened.read, i=place: read(i)))
    return found


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
    """Return seconds of an epoch of padded batches: streamed, by position, from RAM, and computed anew."""
    from torch.utils.data import DataLoader

    from store.torch_dataset import JoinedDataset, Sample, ShardStream, collate

    ids = [row.utterance for row in joined]
    ram = joined.store.read_many(spec, ids)
    order = np.random.default_rng(0).permutation(len(ids))

    def batches(values: Callable[[str], Array]) -> None:
        for at in range(0, len(ids), BATCH):
            rows = [joined.rows[i] for i in order[at : at + BATCH]]
            collate([Sample(r, {spec.name: values(r.utterance)}, joined.target(r.utterance)) for r in rows])

    stream = ShardStream(joined, batch_size=BATCH)
    by_position = DataLoader(JoinedDataset(joined), batch_size=BATCH, shuffle=True, collate_fn=collate)
    ways: dict[str, Callable[[], object]] = {
        "stream": lambda: [None for _ in DataLoader(stream, batch_size=None)],
        "position": lambda: [None for _ in by_position],
        "ram": lambda: batches(ram.__getitem__),
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


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the store.")
    parser.add_argument("--corpora", type=Path, help="a folder of real recordings, for bytes stored")
    parser.add_argument("--utterances", type=int, default=3000)
    parser.add_argument("--folder", type=Path, help="where to write (a temporary folder)")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-store-", dir=options.folder))
    try:
        measure(folder, options.utterances, options.corpora)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(folder: Path, count: int, corpora: Path | None) -> None:
    verdicts: list[tuple[str, float, str, bool]] = []

    def verdict(what: str, value: float, target: str, met: bool) -> None:
        verdicts.append((what, value, target, met))

    for spec, make in ((LOG_MEL_SPEC, log_mel_like), (SEGMENTS, segment_like)):
        blocks = make(count, np.random.default_rng(0))
        found = compare(folder, spec, blocks)
        table(f"{spec.name}, {count} utterances", found, sum(block.nbytes for block in blocks))
        limit, fastest = (
            found["numpy memmap, tofile, fromfile"],
            found.get(HDF5_LZ4) or found["HDF5, our chunks, shuffle + LZF"],
        )
        for ours_name in ("Phonanchor, unchecked", "Phonanchor, checked"):
            row, short = found[ours_name], f"{spec.name} {ours_name.split(', ')[1]}"
            ratio = limit.scan / row.scan
            verdict(f"{short}: scan, of fromfile's speed", ratio, ">= 0.5", ratio >= 0.5)
            verdict(f"{short}: random read, ms", row.median * 1e3, "<= 1", row.median <= 1e-3)
            lilcom = row.median / found["lhotse, lilcom chunky"].median
            verdict(f"{short}: random read, times lhotse's lilcom", lilcom, "< 1", lilcom < 1)
            hdf5 = row.median / fastest.median
            verdict(f"{short}: random read, times HDF5's", hdf5, "<= 2", hdf5 <= 2)
        wrote = limit.write / found["Phonanchor, unchecked"].write
        verdict(f"{spec.name}: write, of tofile's speed", wrote, ">= 0.25", wrote >= 0.25)
        if spec is LOG_MEL_SPEC:
            path = folder / f"{spec.name}-0-1"
            for checked in (False, True):
                took = epochs(FeatureStore.open(path, checked=checked).dataset([spec.name]), spec)
                name = "checked" if checked else "unchecked"
                line = ", ".join(f"{key} {value:.2f} s" for key, value in took.items())
                print(f"epoch of batches of {BATCH}, {name}: {line}")
                gain, share = took["compute"] / took["stream"], took["ram"] / took["stream"]
                verdict(f"epoch {name}: times faster than computing", gain, ">= 5", gain >= 5)
                verdict(f"epoch {name}: of the speed from RAM", share, ">= 0.5", share >= 0.5)
        for item in folder.iterdir():
            shutil.rmtree(item) if item.is_dir() else item.unlink()
    if corpora is not None and corpora.is_dir():
        blocks = real_log_mel(corpora)
        build_store(folder / "real", LOG_MEL_SPEC, blocks)
        stored = sum(item.stat().st_size for item in (folder / "real/arrays").rglob("c/*/*"))
        ratio = stored / sum(block.nbytes for block in blocks)
        verdict(
            f"log-mel of {len(blocks)} real recordings: bytes stored of raw", ratio, "<= 0.8", ratio <= 0.8
        )
    else:
        print("\nno folder of real recordings (--corpora): bytes stored not measured")
    small, large = planned(100_000), planned(1_000_000)
    for plan in (small, large):
        print("plan: " + ", ".join(f"{key} {value:,.2f}" for key, value in plan.items()))
    verdict("plan of 100,000 rows: s", small["seconds"], "< 2", small["seconds"] < 2)
    verdict("plan of 100,000 rows: MB above the imports", small["mb"], "< 200", small["mb"] < 200)
    growth = large["seconds"] / small["seconds"] / 10
    verdict("plan of 1,000,000 rows: s a row, times that of 100,000", growth, "<= 1.5", growth <= 1.5)
    print()
    for what, value, target, met in verdicts:
        print(f"{'met   ' if met else 'MISSED'}  {what}: {value:.2f} ({target})")
    missed = [what for what, _, _, met in verdicts if not met]
    print(f"\nbench-store: {len(verdicts) - len(missed)} of {len(verdicts)} targets met"
          + (f"; missed: {'; '.join(missed)}" if missed else ""))  # fmt: skip


if __name__ == "__main__":
    main()
