"""Measures what hand instead of automatic times change: frames and vowels of EMO-DB, and a downstream run.

Usage: python -m benchmarks.alignment_downstream CORPORA [ENCODER [EPOCHS [SEEDS]]]

The same experiment (RAVDESS -> EMO-DB, AGA-CL) runs twice, with the embedded aligner and with the hand labels
on the side of EMO-DB; nothing else differs. ENCODER is the built-in log-mel by default.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from store.feature_store import FeatureStore
from store.records import Alignment

STEP = 160
"""Samples of one frame of the comparison: 10 ms."""
CONFIGURATION = """
[build]
encoder = "{encoder}"
features = ["encoder", "segments"]
aligners = {{ emodb = "{aligner}" }}

[experiment]
source = "ravdess"
target = "emodb"
models = ["AGA-CL"]
anchor_labels = ["pseudo"]
repeated_models = []
folds = 2
epochs = {epochs}
patience = {epochs}
warm_up = {warm_up}
seeds = {seeds}
frame_stride = {frame_stride}
"""


def trained(work: Path, corpora: Path, aligner: str, values: dict[str, object]) -> dict[int, float]:
    """Run the main job and return the pooled UAR (%) of each seed."""
    configuration = work / f"{aligner}.toml"
    configuration.write_text(CONFIGURATION.format(aligner=aligner, **values), encoding="utf-8")
    before = set((work / "runs").glob("*"))
    command = [sys.executable, "-m", "flows", "train-crosslingual", "--config", str(configuration)]
    with (work / f"{aligner}.log").open("w") as log:
        done = subprocess.run(
            [*command, "--corpora", str(corpora), "--work", str(work)], stdout=log, stderr=log, check=False
        )
    if done.returncode:
        sys.exit((work / f"{aligner}.log").read_text())
    (run,) = (
        path for path in set((work / "runs").glob("*")) - before if (path / "results.parquet").is_file()
    )
    rows = pq.read_table(run / "results.parquet").to_pylist()
    return {
        row["seed"]: 100 * row["uar"]
        for row in rows
        if row["fold"] == -1 and row["system"].startswith("AGA-CL")
    }


def alignments(work: Path) -> dict[str, Alignment]:
    """Return the alignments of EMO-DB in the newest snapshot."""
    store = FeatureStore.open(work / "store")
    found = {u.id: store.alignment(u.id) for u in store.utterances if u.corpus == "emodb"}
    return {name: row for name, row in found.items() if row is not None}


def vowel_frames(row: Alignment) -> np.ndarray:
    """Return the shared vowel at the middle of each 10 ms, "" where there is none."""
    stop = row.intervals[-1].stop if row.intervals else 0
    ends = [item.stop for item in row.intervals]
    names = np.array([item.vowel or "" for item in row.intervals])
    return names[np.searchsorted(ends, np.arange(STEP // 2, stop, STEP), side="right")]


def compare(automatic: dict[str, Alignment], hand: dict[str, Alignment]) -> None:
    """Print the shares of frames and hand-labelled vowels about which the automatic times differ."""
    both = sorted(automatic.keys() & hand.keys())
    pairs = [(vowel_frames(automatic[name]), vowel_frames(hand[name])) for name in both]
    ours, theirs = (np.concatenate([pair[k][: min(map(len, pair))] for pair in pairs]) for k in (0, 1))
    changed, spoken = ours != theirs, theirs != ""
    same_kind = [kept(automatic[name], hand[name]) for name in both]
    found, same = (sum(row[k] for row in same_kind) for k in (0, 1))
    count = sum(row[2] for row in same_kind)
    print(
        f"emodb: {len(both)} utterances with both, {len(ours)} frames of 10 ms, {count} hand-labelled vowels"
    )
    print(f"frames with another shared vowel: {100 * changed.mean():.1f} %")
    print(f"  of those inside hand-labelled vowels: {100 * changed[spoken].mean():.1f} %")
    print(f"vowels whose middle lies in no automatic vowel: {100 * (1 - found / count):.1f} %")
    print(f"vowels whose middle lies in none of the same shared vowel: {100 * (1 - same / count):.1f} %")


def kept(automatic: Alignment, hand: Alignment) -> tuple[int, int, int]:
    """Return hand-labelled vowels found in a vowel, in the same vowel, and all of them, by their middles."""
    middles = [((item.start + item.stop) // 2, item.vowel) for item in hand.phones if item.vowel]
    there = [(vowel_at(automatic, middle), vowel) for middle, vowel in middles]
    return sum(at is not None for at, _ in there), sum(at == vowel for at, vowel in there), len(there)


def vowel_at(row: Alignment, sample: int) -> str | None:
    """Return the shared vowel at a sample, None where there is none."""
    return next((item.vowel for item in row.intervals if item.start <= sample < item.stop), None)


def line(aligner: str, scores: Iterable[float]) -> str:
    values = np.array(list(scores))
    return f"{aligner}: UAR {values.mean():.1f} +- {values.std():.1f} %, {len(values)} seeds"


def main() -> None:
    corpora = Path(sys.argv[1]).resolve()
    given = dict(enumerate(sys.argv[2:]))
    epochs, seeds = int(given.get(1, 12)), int(given.get(2, 3))
    encoder = given.get(0, "logmel")
    values = {
        "encoder": encoder,
        "frame_stride": 4 if encoder == "logmel" else 2,  # 40 ms, of 10 ms or 20 ms
        "epochs": epochs,
        "warm_up": epochs // 3,
        "seeds": list(range(seeds)),
    }
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        uar, rows = {}, {}
        for aligner in ("embedded", "hand"):
            uar[aligner] = trained(work, corpora, aligner, values)
            rows[aligner] = alignments(work)
            print(line(aligner, uar[aligner].values()), flush=True)
        compare(rows["embedded"], rows["hand"])
        gaps = [uar["hand"][seed] - uar["embedded"][seed] for seed in uar["hand"]]
        print(
            "summary: hand minus embedded, by seed:",
            ", ".join(f"{gap:+.1f}" for gap in gaps),
            "points of UAR",
        )


if __name__ == "__main__":
    main()
