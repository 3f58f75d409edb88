"""Says what this machine offers: versions, programs, processor, disk, and where Prefect would run."""

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from pipeline import espeak
from pipeline.aligners.mfa_program import find_mfa
from store.errors import AlignmentError, PhonanchorError, install
from store.settings import variable

PACKAGES = (
    "phonanchor", "numpy", "torch", "transformers", "zarr", "zarrs", "pyarrow", "dask", "distributed",
    "prefect", "fastapi", "starlette", "librosa", "praat-parselmouth", "soundfile", "soxr", "scikit-learn",
)  # fmt: skip
OPTIONAL = {
    "bokeh": "a page that shows the workers of a build",
    "lhotse": "store export lhotse",
    "h5py": "store export lhotse",
    "opensmile": "the feature egemaps88; its licence is for research only",
}
"""Packages that one thing needs, by what that is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, and whether it is there, or the main job lacks it."""

    what: str
    found: str
    state: Literal["ok", "absent", "missing"] = "ok"

    def __str__(self) -> str:
        """Return the line: a mark, what was looked at, what was found."""
        return f"{'!!' if self.state == 'missing' else self.state:<7} {self.what:<18} {self.found}"


def examine(work: Path) -> tuple[Finding, ...]:
    """Return what was found; nothing is started and nothing written."""
    return (
        Finding("python", f"{platform.python_version()} on {platform.platform()}"),
        *(_package(name) for name in PACKAGES),
        _tried("espeak-ng", lambda: Finding("espeak-ng", espeak.version())),
        *(_optional(name, purpose) for name, purpose in OPTIONAL.items()),
        _mfa(),
        Finding("processors", f"{len(os.sched_getaffinity(0))} usable"),
        _tried("gpu", _gpu),
        _disk(work),
        Finding("prefect server", variable("PREFECT_API_URL") or "temporary, home in the working folder"),
    )


def _package(name: str) -> Finding:
    try:
        return Finding(name, version(name))
    except PackageNotFoundError:
        if name == "phonanchor":
            return Finding(name, "runs from source")
        return Finding(name, f"not installed: {install(name)}", "missing")


def _optional(name: str, purpose: str) -> Finding:
    try:
        return Finding(name, version(name))
    except PackageNotFoundError:
        return Finding(name, f"optional, for {purpose}: {install(name)}", "absent")


def _tried(what: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except (PhonanchorError, ImportError, OSError) as error:
        return Finding(what, str(error), "missing")


def _mfa() -> Finding:
    """Return version and place of the aligner that is optional, or what is wrong and what to do."""
    try:
        program = find_mfa()
    except AlignmentError as error:
        found = "" if error.found == "none" else f" ({error.found})"
        return Finding("mfa", f"optional, for --aligner mfa{found}: {error.remedy}", "absent")
    return Finding("mfa", f"{program.version} at {program.path}")


def _gpu() -> Finding:
    import torch  # takes seconds, and only this command and training need it

    if not torch.cuda.is_available():
        return Finding("gpu", "optional, for speed: the processor is used", "absent")
    names = (torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    return Finding("gpu", ", ".join(names))


def _disk(work: Path) -> Finding:
    folder = next(path for path in (work.resolve(), *work.resolve().parents) if path.exists())
    free = shutil.disk_usage(folder).free / 2**30
    return Finding("disk", f"{free:.1f} GiB free for {work}", "ok" if free > 1 else "missing")
