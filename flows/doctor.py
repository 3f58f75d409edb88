"""Says what this machine offers: versions, programs, processor, disk, and where Prefect would run."""

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline import espeak
from pipeline.aligners.mfa_program import find_mfa
from store.errors import AlignmentError, PhonanchorError
from store.settings import variable

PACKAGES = (
    "phonanchor", "numpy", "torch", "transformers", "zarr", "zarrs", "pyarrow", "dask", "distributed",
    "prefect", "fastapi", "starlette", "librosa", "praat-parselmouth", "soundfile", "soxr", "scikit-learn",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, and whether the main job can do without anything more."""

    what: str
    found: str
    fine: bool


def examine(work: Path) -> tuple[Finding, ...]:
    """Return what was found; nothing is started and nothing written."""
    findings = [Finding("python", f"{platform.python_version()} on {platform.platform()}", True)]
    findings += [_package(name) for name in PACKAGES]
    findings += [
        Finding("espeak-ng", *_tried(espeak.version)),
        Finding("mfa", _mfa(), True),
        Finding("processors", f"{len(os.sched_getaffinity(0))} usable", True),
        Finding("gpu", *_tried(_gpu)),
        _disk(work),
        Finding(
            "prefect server", variable("PREFECT_API_URL") or "temporary, home in the working folder", True
        ),
    ]
    return tuple(findings)


def _package(name: str) -> Finding:
    try:
        return Finding(name, version(name), True)
    except PackageNotFoundError:
        return Finding(name, "runs from source" if name == "phonanchor" else "missing", name == "phonanchor")


def _tried(look: Callable[[], str]) -> tuple[str, bool]:
    try:
        return look(), True
    except (PhonanchorError, ImportError, OSError) as error:
        return str(error), False


def _mfa() -> str:
    """Return version and place of the aligner that is optional, or what is wrong and what to do."""
    try:
        program = find_mfa()
    except AlignmentError as error:
        return f"{error.found}: {error.remedy}"
    return f"{program.version} at {program.path}"


def _gpu() -> str:
    import torch  # takes seconds, and only this command and training need it

    if not torch.cuda.is_available():
        return "none: the processor is used"
    return ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))


def _disk(work: Path) -> Finding:
    folder = next(path for path in (work.resolve(), *work.resolve().parents) if path.exists())
    free = shutil.disk_usage(folder).free / 2**30
    return Finding("disk", f"{free:.1f} GiB free for {work}", free > 1)
