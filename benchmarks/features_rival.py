"""One tool that makes log-mel features on disk, in a process of its own: seconds from list to files.

Usage: python -m benchmarks.features_rival NAME LIST FOLDER WORKERS

LIST names audio files, one a line; each tool decodes, resamples to 16 kHz where needed, starts its workers
and writes below FOLDER. Imports are not counted, for any tool.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

RATE, BANDS = 16_000, 80
LIBROSA = {"n_fft": 400, "hop_length": 160, "n_mels": BANDS}
OURS = "Phonanchor"
FOUND: dict[str, float] = {}
"""What a tool says beside its seconds; ours: x real time between its first and last work item."""


def librosa_log_mel(path: str) -> Any:
    import librosa

    samples, _ = librosa.load(path, sr=RATE)
    power = librosa.feature.melspectrogram(y=samples, sr=RATE, **LIBROSA)
    return librosa.power_to_db(power, top_db=None).T


def librosa_file(folder: Path, numbered: tuple[int, str]) -> None:
    np.save(folder / f"{numbered[0]}.npy", librosa_log_mel(numbered[1]))


def kaldi_file(folder: Path, numbered: tuple[int, str]) -> None:
    import kaldi_native_fbank as knf
    import soundfile
    import soxr

    samples, rate = soundfile.read(numbered[1], dtype="float32", always_2d=True)
    mono = samples.mean(axis=1, dtype=np.float32)
    options = knf.FbankOptions()
    options.frame_opts.dither, options.frame_opts.samp_freq, options.mel_opts.num_bins = 0.0, RATE, BANDS
    bank = knf.OnlineFbank(options)
    bank.accept_waveform(RATE, mono if rate == RATE else soxr.resample(mono, rate, RATE))
    bank.input_finished()
    rows = np.stack([bank.get_frame(number) for number in range(bank.num_frames_ready)])
    np.save(folder / f"{numbered[0]}.npy", rows)


def pooled(one: Callable[..., None], paths: list[str], folder: Path, workers: int) -> None:
    with get_context("fork").Pool(workers) as pool:
        pool.map(partial(one, folder), list(enumerate(paths)), chunksize=8)


def by_kaldi(paths: list[str], folder: Path, workers: int) -> None:
    pooled(kaldi_file, paths, folder, workers)


def by_librosa(paths: list[str], folder: Path, workers: int) -> None:
    pooled(librosa_file, paths, folder, workers)


def cuts_of(paths: list[str]) -> Any:
    from lhotse import CutSet, MonoCut, Recording

    made = [Recording.from_file(path, recording_id=f"r{at}") for at, path in enumerate(paths)]
    cuts = CutSet.from_cuts(
        MonoCut(id=item.id, start=0, duration=item.duration, channel=0, recording=item) for item in made
    )
    return cuts if all(item.sampling_rate == RATE for item in made) else cuts.resample(RATE)


def by_lhotse_batch(paths: list[str], folder: Path, workers: int) -> None:
    from lhotse import Fbank, FbankConfig
    from lhotse.features.io import LilcomChunkyWriter

    cuts_of(paths).compute_and_store_features_batch(
        Fbank(FbankConfig(num_mel_bins=BANDS)), folder / "features", num_workers=workers,
        storage_type=LilcomChunkyWriter,
    )  # fmt: skip


def by_lhotse_cut(paths: list[str], folder: Path, workers: int) -> None:
    from concurrent.futures import ProcessPoolExecutor

    from lhotse import Fbank, FbankConfig

    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as executor:
        cuts_of(paths).compute_and_store_features(
            Fbank(FbankConfig(num_mel_bins=BANDS)), folder / "features", num_jobs=workers, executor=executor,
            progress_bar=False,
        )  # fmt: skip


def example(row: dict[str, str]) -> dict[str, Any]:
    return {"logmel": librosa_log_mel(row["path"])}


def by_datasets(paths: list[str], folder: Path, workers: int) -> None:
    from datasets import Array2D, Dataset, Features, Value, disable_progress_bars

    disable_progress_bars()
    schema = Features({"path": Value("string"), "logmel": Array2D((None, BANDS), "float32")})
    rows = Dataset.from_dict({"path": paths}).map(example, features=schema, num_proc=workers)
    rows.save_to_disk(str(folder / "saved"))


def by_us(paths: list[str], folder: Path, workers: int) -> None:
    from benchmarks.features_input import build, listed
    from benchmarks.features_pipeline import between
    from features.extractor import build_extractors

    marks: list[tuple[float, float]] = []
    given, extractors = listed(paths[0]), build_extractors(["logmel80"], encoder=None)
    build(
        folder / "store", given, extractors, workers=workers,
        progress=lambda seen: marks.append((time.perf_counter(), seen.seconds_audio)),
    )  # fmt: skip
    FOUND["steady"] = between(marks)


TOOLS: dict[str, tuple[Callable[[list[str], Path, int], None], tuple[str, ...]]] = {
    OURS: (by_us, ("benchmarks.features_input",)),
    "kaldi-native-fbank, pool": (by_kaldi, ("kaldi_native_fbank", "soundfile", "soxr")),
    "lhotse, batch": (by_lhotse_batch, ("lhotse", "lhotse.features.io")),
    "lhotse, per cut": (by_lhotse_cut, ("lhotse",)),
    "librosa, loop in a pool": (by_librosa, ("librosa", "librosa.feature")),
    "datasets.map": (by_datasets, ("datasets", "librosa", "librosa.feature")),
}
"""By name: what runs, and what is imported before the clock starts."""


def main() -> None:
    name, listed, folder, workers = sys.argv[1:]
    warnings.simplefilter("ignore")
    made, needed = TOOLS[name]
    for module in needed:
        __import__(module)
    paths = [listed] if name == OURS else Path(listed).read_text(encoding="utf-8").splitlines()
    if name.startswith("librosa") or name == "datasets.map":
        librosa_log_mel(paths[0])  # compiles what librosa compiles once
    began = time.perf_counter()
    made(paths, Path(folder), int(workers))
    print(json.dumps({"seconds": time.perf_counter() - began, **FOUND}))


if __name__ == "__main__":
    main()
