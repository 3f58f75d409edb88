"""Log-mel features on disk by us and by other tools: the same recordings and cores, in turn."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.features import Options
from benchmarks.features_input import keep_list, recordings, stored_bytes
from benchmarks.features_rival import OURS, TOOLS
from benchmarks.figures import Figure, at_least

ROUNDS = 2
CLIPS = 1500
CORPORA = ("ravdess", "emodb", "emovo", "nemo")
PART = "peers"
AHEAD = {"kaldi-native-fbank, pool": 0.7}
"""What we have to reach of a tool whose features are defined otherwise; of the others, all of it."""


def measure(options: Options) -> list[Figure]:
    given = recordings(options.corpora, CORPORA, options.folder).spread(options.clips or CLIPS)
    listed, own_list = options.folder / "list.txt", options.folder / "recordings.json"
    listed.write_text("\n".join(map(str, given.paths)), encoding="utf-8")
    keep_list(own_list, given)
    audio, steady = given.hours * 3600, 0.0
    best: dict[str, float] = {}
    size: dict[str, int] = {}
    for turn in range(ROUNDS):
        for name in TOOLS if turn % 2 else reversed(TOOLS):
            folder = options.folder / f"{turn}-{list(TOOLS).index(name)}"
            folder.mkdir()
            found = timed(name, own_list if name == OURS else listed, folder, options.workers)
            best[name] = min(best.get(name, np.inf), found["seconds"])
            steady = max(steady, found.get("steady", 0.0))
            size[name] = stored_bytes(folder)
            shutil.rmtree(folder, ignore_errors=True)
    for name, tool in best.items():
        megabytes = size[name] / given.hours / 1e6
        print(f"        {name}: {audio / tool:,.0f} x real time, {megabytes:.0f} MB an hour")
    ours_seconds = best[OURS]
    figures = [
        at_least(PART, f"Phonanchor, of the speed of {name}", best[name] / ours_seconds, AHEAD.get(name, 1.0))
        for name in TOOLS
        if name != OURS
    ]
    running = [
        Figure(PART, f"the same once its workers run, {name}", steady * best[name] / audio)
        for name in TOOLS
        if name != OURS and steady
    ]
    ours = Figure(
        PART, f"Phonanchor, {len(given.utterances)} recordings", audio / ours_seconds, "x real time"
    )
    return [ours, *figures, *running]


def timed(name: str, listed: Path, folder: Path, workers: int) -> dict[str, float]:
    """Return the seconds that one tool takes in a process of its own; each of its threads is one."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.features_rival",
        name,
        str(listed),
        str(folder),
        str(workers),
    ]
    single = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    cache = {"HF_DATASETS_CACHE": str(folder / "cache"), "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **single, **cache}
    )
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
