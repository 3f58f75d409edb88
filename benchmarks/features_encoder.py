"""An encoder in a build against a bare loop with the same batches; with a GPU, how busy it is."""

import subprocess
import time
from collections.abc import Callable
from threading import Event, Thread

from benchmarks.features import Options
from benchmarks.features_input import Recordings, build, recordings
from benchmarks.figures import Figure, at_least
from features.clip import Clip
from features.extractor import Extractor, build_extractors
from features.weights import device
from pipeline.audio import load
from pipeline.items import Limits

PART = "encoder"
CLIPS, ROUNDS = 64, 2
ASK = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")


def busy(run: Callable[[], object], ask: Callable[[], str], every: float = 0.2) -> float | None:
    """Return the mean of what ``ask`` answers, percent on a line for each GPU, while ``run`` runs."""
    seen: list[float] = []
    done = Event()

    def look() -> None:
        while not done.is_set():
            seen.extend(float(line) for line in ask().splitlines() if line.strip().isdigit())
            done.wait(every)

    watcher = Thread(target=look, daemon=True)
    watcher.start()
    try:
        run()
    finally:
        done.set()
        watcher.join()
    return sum(seen) / len(seen) if seen else None


def gpu_utilisation() -> str:
    return subprocess.run(ASK, capture_output=True, text=True, check=False).stdout


def bare(extractor: Extractor, given: Recordings) -> float:
    """Return seconds of the extractor over preloaded audio, in the batches of a build: its work items."""
    bounds = Limits.for_audio(given.hours * 3600)
    clips: list[list[Clip]] = [[]]
    seconds = 0.0
    for item in given.utterances:
        if clips[-1] and seconds + item.seconds > bounds.seconds:
            clips.append([])
            seconds = 0.0
        seconds += item.seconds
        clips[-1].append(Clip(load(given.roots[item.corpus] / item.path), 16_000))
    began = time.perf_counter()
    for group in clips:
        extractor.extract_many(sorted(group, key=lambda clip: len(clip.samples)))
    return time.perf_counter() - began


def measure(options: Options) -> list[Figure]:
    if options.model is None:
        print("        no folder of whisper-base at hand (--model): not measured")
        return []
    given = recordings(options.corpora, ["emodb"], options.folder).spread(options.clips or CLIPS)
    (extractor,) = build_extractors(["encoder"], encoder=options.model)
    bare(extractor, given.spread(1))  # loads the weights, once for both
    loop, built = [], []
    for turn in range(ROUNDS):
        loop.append(bare(extractor, given))
        began = time.perf_counter()
        done = build(options.folder / f"store{turn}", given, [extractor], workers=0)
        built.append(time.perf_counter() - began)
        if done.report.quarantined:
            raise RuntimeError(f"quarantined: {done.report.quarantined[0].reason}")
    audio = given.hours * 3600
    figures = [
        at_least(PART, "whisper-base in a build, of a bare loop's rate", min(loop) / min(built), 0.9),
        Figure(PART, f"whisper-base in a build, on {device()}, {len(given.utterances)} recordings",
               audio / min(built), "x real time"),
    ]  # fmt: skip
    if device() != "cuda":
        print("        no GPU at hand: utilisation not measured")
        return figures
    share = busy(lambda: build(options.folder / "gpu", given, [extractor], workers=0), gpu_utilisation)
    return [*figures, Figure(PART, "GPU utilisation during the build", share or 0.0, "%")]
