"""From a cold start to the first rows on disk, without Prefect's server, and where that time goes.

Usage of the inner process: python -m benchmarks.features_start CORPORA CORPUS FOLDER WORKERS
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.features import Options
from benchmarks.figures import Figure, at_most

PART = "start"
CLIPS = 40
SHOWN = (
    "distributed",
    "zarr",
    "scipy",
    "numpy",
    "parselmouth",
    "soundfile",
    "pyarrow",
    "pydantic",
    "prefect",
)


def measure(options: Options) -> list[Figure]:
    figures = []
    for workers in (0, options.workers):
        stages = started(options, workers)
        how = f"with {workers} workers" if workers else "in this process"
        total = sum(stages.values())
        figures.append(at_most(PART, f"cold start to first rows on disk, {how}", total, 10.0, "s"))
        figures += [Figure(PART, f"  of that, {stage}", seconds, "s") for stage, seconds in stages.items()]
    figures += [Figure(PART, f"import of {name}", seconds, "s") for name, seconds in imports().items()]
    return figures


def started(options: Options, workers: int) -> dict[str, float]:
    """Return the seconds of each stage of a process of its own, the interpreter's start first."""
    corpora = str(options.corpora) if options.corpora else "-"
    folder = options.folder / f"start{workers}"
    folder.mkdir()
    command = [sys.executable, "-m", "benchmarks.features_start", corpora, "emodb", str(folder), str(workers)]
    began = time.time()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    marks: list[tuple[str, float]] = json.loads(done.stdout.splitlines()[-1])
    ends = [began, *(when for _, when in marks)]
    return {stage: ends[at + 1] - ends[at] for at, (stage, _) in enumerate(marks)}


def imports() -> dict[str, float]:
    """Return the seconds of importing what a command needs, by library, from ``python -X importtime``."""
    code = "import flows.stages, flows.prefect_home, prefect"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True
    )
    found = dict.fromkeys(SHOWN, 0.0)
    for line in done.stderr.splitlines():
        own, _, name = line.removeprefix("import time:").rpartition("|")
        top = name.strip().split(".")[0]
        if top in found:
            found[top] += float(own.split("|")[0]) / 1e6
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))  # fmt: skip


class FirstRowsError(Exception):
    """Ends a build once rows are on the disk."""


def main() -> None:
    corpora, corpus, folder, workers = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    marks = [("interpreter", time.time())]
    from benchmarks.features_input import recordings
    from features.extractor import build_extractors
    from pipeline.build import rebuild
    from pipeline.jobs import BuildInputs
    from store.catalogue import Store

    marks.append(("imports", time.time()))
    given = recordings(None if corpora == "-" else Path(corpora), [corpus], folder).spread(CLIPS)
    marks.append(("reading the corpus", time.time()))
    store = Store.create(folder / "store")
    inputs = BuildInputs(
        utterances=given.utterances, alignments={}, roots=given.roots,
        manifest=store.put_manifest(given.utterances, ()), alignment_tables={},
    )  # fmt: skip
    marks.append(("writing the manifest", time.time()))

    def planned(_: object) -> None:
        marks.append(("planning", time.time()))

    def first(_: object) -> None:
        marks.append(("workers, first work item", time.time()))
        raise FirstRowsError

    extractors = build_extractors(["logmel80"], encoder=None)
    try:
        rebuild(store, inputs, extractors, workers=workers, planned=planned, progress=first)
    except FirstRowsError:
        print(json.dumps(marks))


if __name__ == "__main__":
    main()
