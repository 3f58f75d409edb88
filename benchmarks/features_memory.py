"""Peak memory of a worker process for little and for much generated audio (log-mel).

Usage of the inner process: python -m benchmarks.features_memory FOLDER HOURS WORKERS
"""

import json
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.features import Options
from benchmarks.figures import Figure, at_most

PART = "memory"
SECONDS = 600.0
"""Of each recording: as long as the largest work item, so that both builds have items of one size."""


def measure(options: Options) -> list[Figure]:
    few, many = (peaks(options, hours) for hours in options.hours)
    what = f"a worker's peak with {options.hours[1]:g} h, times that with {options.hours[0]:g} h"
    return [
        at_most(PART, what, many["worker"] / few["worker"], 1.1),
        *(
            Figure(PART, f"peak of {who}, {hours:g} h", found[key], "MB")
            for hours, found in zip(options.hours, (few, many), strict=True)
            for who, key in (("a worker", "worker"), ("the planning process", "own"))
        ),
    ]  # fmt: skip


def peaks(options: Options, hours: float) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.features_memory"]
    command += [str(options.folder / f"{hours:g}h"), f"{hours}", str(options.workers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    from benchmarks.features_input import build, generate
    from features.extractor import build_extractors

    folder, hours, workers = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    seconds = min(SECONDS, hours * 3600 / 2)
    given = generate(folder / "audio", round(hours * 3600 / seconds), seconds)
    build(folder / "store", given, build_extractors(["logmel80"], encoder=None), workers=workers)
    worker, own = (
        resource.getrusage(who).ru_maxrss / 1000 for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)
    )
    print(json.dumps({"worker": worker, "own": own}))


if __name__ == "__main__":
    main()
