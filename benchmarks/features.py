"""Measures how close a build of features comes to the machine's limit and to other tools.

Usage: python -m benchmarks.features [--corpora FOLDER] [--only pipeline,peers,encoder,memory,start,scheduler]
[--clips N] [--json FILE]

Without a folder of corpora it runs on generated audio. Rivals take turns within one run: its ratios can be
compared, the seconds of two runs cannot. Modules of the parts are imported late: worker processes start this
one again, and must not pay for them.
"""

import argparse
import importlib
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, keep, summary

PARTS = ("pipeline", "peers", "encoder", "memory", "start", "scheduler")


@dataclass(frozen=True)
class Options:
    """What to measure: ``clips`` bounds each part (None: its default), ``folder`` is for temporary files.

    ``seen`` are the figures of the parts that ran before.
    """

    folder: Path
    corpora: Path | None
    clips: int | None
    workers: int
    model: str | None
    items: int
    seconds: float
    hours: tuple[float, float]
    seen: Sequence[Figure] = ()


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the extraction of features.")
    parser.add_argument("--corpora", type=Path, help="folder of corpora (ravdess, emodb, ...)")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, of {','.join(PARTS)}")
    parser.add_argument("--clips", type=int, help="at most so many recordings in each part")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", help="folder of whisper-base (models/whisper-base beside the corpora)")
    parser.add_argument("--items", type=int, default=100_000, help="no-op work items for the scheduler")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="the most that those may take; 0: no limit"
    )
    parser.add_argument("--hours", type=float, nargs=2, default=(1.0, 10.0), help="generated audio, twice")
    parser.add_argument("--folder", type=Path, help="where to write (a temporary folder)")
    parser.add_argument("--json", type=Path, help="keep the figures here too")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    given = parsed(arguments)
    chosen = given.only.split(",")
    if unknown := set(chosen) - set(PARTS):
        print(f"expected parts of {', '.join(PARTS)}; found {', '.join(sorted(unknown))}; mend --only")
        return 2
    corpora = given.corpora.resolve() if given.corpora else None
    beside = corpora.parent / "models/whisper-base" if corpora else None
    model = given.model or (str(beside) if beside and beside.is_dir() else None)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    figures: list[Figure] = []
    failed: list[str] = []
    for part in chosen:
        folder = Path(tempfile.mkdtemp(prefix=f"bench-{part}-", dir=given.folder))
        options = Options(
            folder, corpora, given.clips, given.workers, model, given.items, given.seconds,
            tuple(given.hours), figures,
        )  # fmt: skip
        print(f"\n== {part}", flush=True)
        began = time.perf_counter()
        try:
            found = importlib.import_module(f"benchmarks.features_{part}").measure(options)
        except Exception as error:  # the other parts are worth having
            failed.append(f"{part} ({type(error).__name__}: {str(error)[:200]})")
            print(f"failed: {failed[-1]}", flush=True)
        else:
            figures += found
            print("\n".join(figure.line() for figure in found))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        print(f"        {part} took {time.perf_counter() - began:.0f} s", flush=True)
    if given.json:
        keep(given.json, figures, failed)
    print(f"\n{summary('bench-features', figures, failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
