"""Measures what Whisper's landmarks cost and save against the whole 30 s of padding, on real clips.

Usage: python benchmarks/whisper_padding.py MODEL CLIP_FOLDER [CLIP_FOLDER ...]
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from features import whisper, whisper_padding
from features.clip import Clip
from features.self_supervised import encoder
from pipeline.audio import load

CLIPS = 16
SETTINGS = (
    (16, 0.08, 64, 64),
    (16, 0.08, 64, 128),
    (16, 0.08, 64, 192),
    (16, 0.08, 64, 256),
    (16, 0.08, 64, 512),
)


def clips(folders: list[str]) -> list[Clip]:
    found = []
    for folder in folders:
        files = sorted(file for file in Path(folder).rglob("*") if file.suffix in {".wav", ".flac"})
        step = max(1, len(files) * len(folders) // CLIPS)
        found += [Clip(load(file, 16_000), 16_000) for file in files[step // 2 :: step]]
    return found


def timed(run: Callable[[Clip], np.ndarray], items: list[Clip]) -> tuple[list[np.ndarray], float]:
    started = time.process_time()
    rows = [run(item) for item in items]
    return rows, (time.process_time() - started) / len(items)


def compare(
    name: str, measured: tuple[list[np.ndarray], float], wanted: list[np.ndarray], base: float
) -> None:
    """Print one row: rows are (frames, layers, dim); errors are relative to the padded computation."""
    rows, seconds = measured
    whole, median, cosines = [], [], []
    for ours, theirs in zip(rows, wanted, strict=True):
        gap, size = np.linalg.norm(ours - theirs, axis=2), np.linalg.norm(theirs, axis=2)  # (frames, layers)
        whole.append(np.linalg.norm(gap, axis=0) / np.linalg.norm(size, axis=0))
        median.append(np.median(gap / size, axis=0))
        cosines.append(((ours * theirs).sum(2) / np.linalg.norm(ours, axis=2) / size).ravel())
    print(f"{name:28s} {seconds:.3f} CPU-s/clip {base / seconds:4.1f}x  error by layer", end=" ")
    print(np.round(np.mean(whole, axis=0), 4), f"worst {np.max(whole):.4f}", end=" ")
    print("median frame", np.round(np.mean(median, axis=0), 4), end=" ")
    every = np.concatenate(cosines)
    print(f"cosine worst {every.min():.4f}, lowest 1 % {np.quantile(every, 0.01):.5f}", flush=True)


def original(model: whisper._Model, clip: Clip) -> np.ndarray:
    frames = -(-clip.samples.size // 320)
    with torch.inference_mode():
        output = model.encoder(
            torch.from_numpy(model.front.mel(clip.samples))[None], output_hidden_states=True
        )
    states = (*output.hidden_states[1:-1], output.last_hidden_state)
    return torch.stack([state[0, :frames] for state in states], dim=1).numpy()


def bfloat16(model: whisper._Model, clip: Clip) -> np.ndarray:
    frames = -(-clip.samples.size // 320)
    mel = torch.from_numpy(model.front.mel(clip.samples))
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        states = whisper_padding.exact(model.encoder, mel, frames, len(model.encoder.layers))
    return torch.stack([state.float() for state in states], dim=1).numpy()


def main() -> None:
    torch.set_num_threads(1)
    items = clips(sys.argv[2:])
    lengths = [item.samples.size / 16_000 for item in items]
    middle = statistics.median(lengths)
    print(f"{len(items)} clips, {min(lengths):.1f}-{max(lengths):.1f} s, median {middle:.1f} s")
    short = encoder(sys.argv[1], dtype="float32")
    whole = encoder(sys.argv[1], dtype="float32", padding="exact")
    model = whisper._model(short.folder)
    wanted, base = timed(lambda clip: original(model, clip), items)
    print(f"transformers, padded         {base:.3f} CPU-s/clip")
    compare("exact", timed(lambda clip: whole.extract_many([clip])[0], items), wanted, base)
    compare("exact in bfloat16", timed(lambda clip: bfloat16(model, clip), items), wanted, base)
    for setting in SETTINGS:
        dense, growth, widest, sinks = setting
        whisper_padding.DENSE, whisper_padding.GROWTH = dense, growth
        whisper_padding.WIDEST, whisper_padding.SINKS = widest, sinks
        timed(lambda clip: short.extract_many([clip])[0], items)  # the silent references are made once
        compare(
            f"landmarks {setting}", timed(lambda clip: short.extract_many([clip])[0], items), wanted, base
        )


if __name__ == "__main__":
    main()
