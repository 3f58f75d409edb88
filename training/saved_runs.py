"""Saves finished training runs under a digest of everything they depend on, and finds them again."""

import json
import math
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from features import segments
from store import vocabulary
from store.atomic import write_text
from store.digests import digest, short
from training.records import AnchorScore, Epoch, LabelAccess, Prediction, System
from training.trainer import device, resolve_precision

if TYPE_CHECKING:
    from training.jobs import Inputs, Job

REPORTS = "reports"
"""The part of this package that only shows results: what it says has no effect on a run."""
WITHOUT_EFFECT = {
    "workers", "name", "models", "anchor_labels", "repeated_models", "seeds", "folds", "split_file", "preset",
}  # fmt: skip
"""Settings that say which runs there are, not how one of them goes."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one system left on one seed and fold."""

    predictions: tuple[Prediction, ...]
    anchors: tuple[AnchorScore, ...]
    epochs: tuple[Epoch, ...]
    accesses: tuple[LabelAccess, ...]


@cache
def code_digest() -> str:
    """Return the SHA-256 over the sources that a run depends on: this package but its reports, and segments.

    No number has to be raised by hand: another source, a comment included, is another digest.
    """
    package = Path(__file__).parent
    own = {path.relative_to(package).as_posix(): path for path in package.rglob("*.py")}
    used = {name: path for name, path in own.items() if not name.startswith(f"{REPORTS}/")}
    others = {module.__name__: Path(str(module.__file__)) for module in (segments, vocabulary)}
    return digest({name: sha256(path.read_bytes()).hexdigest() for name, path in {**used, **others}.items()})


def run_key(inputs: "Inputs", job: "Job", system: System) -> str:
    """Return the digest of everything that one run depends on, arithmetic and device as really used."""
    settings = inputs.experiment.model_dump(mode="json", exclude=WITHOUT_EFFECT)
    settings["precision"] = resolve_precision(inputs.experiment.precision)
    sides = {name: getattr(job, name) for name in ("train", "validation", "adapt", "test")}
    return digest({
        "code": code_digest(), "torch": str(torch.__version__), "device": device().type, "data": inputs.data,
        "settings": settings, "system": asdict(system), "seed": job.seed, "fold": job.fold, "sides": sides,
    })  # fmt: skip


def save_run(inputs: "Inputs", job: "Job", system: System, run: Run, folder: Path | None) -> None:
    """Save a run, whole or not at all; raises `StoreError` where it cannot be written."""
    if folder is None:
        return
    key = run_key(inputs, job, system)
    write_text(_path(folder, job, system, key), json.dumps(_without_nan({"key": key, **asdict(run)})))


def saved_run(inputs: "Inputs", job: "Job", system: System, folder: Path | None) -> Run | None:
    """Return the saved run, or None where there is none of the same key, or it is damaged."""
    if folder is None:
        return None
    key = run_key(inputs, job, system)
    try:
        document = json.loads(_path(folder, job, system, key).read_text(encoding="utf-8"))
        return _run(document) if document["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _path(folder: Path, job: "Job", system: System, key: str) -> Path:
    return folder / f"{job.name_of(system)}-{short(key)}.json"


def _run(document: dict[str, Any]) -> Run:
    return Run(
        predictions=tuple(
            Prediction(**{**row, "probabilities": tuple(row["probabilities"])})
            for row in document["predictions"]
        ),
        anchors=tuple(AnchorScore(**_with_nan(row)) for row in document["anchors"]),
        epochs=tuple(Epoch(**row) for row in document["epochs"]),
        accesses=tuple(LabelAccess(**row) for row in document["accesses"]),
    )


def _without_nan(value: object) -> object:
    """Replace NaN by None all the way down, so that the file is plain JSON."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return [_without_nan(item) for item in value] if isinstance(value, list | tuple) else value


def _with_nan(row: dict[str, Any]) -> dict[str, Any]:
    return {key: math.nan if value is None else value for key, value in row.items()}
