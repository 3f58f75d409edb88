"""The 88 functionals of eGeMAPS by openSMILE, an optional extra: its licence is for research only."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.clip import Clip, checked_samples
from store.errors import ConfigurationError, install
from store.records import FeatureSpec, FrameLaw
from store.vocabulary import COMMON_RATE

PACKAGE = "opensmile"
COLUMNS = 88


def installed_version() -> str:
    """Return the version of openSMILE's Python package; raises `ConfigurationError` where there is none."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise ConfigurationError(
            f"the package {PACKAGE} for the feature 'egemaps88'",
            "it is not installed",
            f"{install('opensmile')}, if its licence (research only) suits you, or take "
            "'functionals88', which needs nothing",
        ) from error


@dataclass(frozen=True)
class Egemaps:
    """eGeMAPSv02 functionals (Eyben et al. 2016) of a whole recording."""

    version: str

    @cached_property
    def spec(self) -> FeatureSpec:
        """One row of 88 numbers in openSMILE's order."""
        return FeatureSpec(
            name="egemaps88",
            version=1,
            params={"set": "eGeMAPSv02", "level": "functionals", PACKAGE: self.version},
            dims=(COLUMNS,),
            dtype="float32",
            sample_rate=COMMON_RATE,
            law=FrameLaw(kind="utterance"),
        )

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[np.float32]]:
        """Return (1, 88) float32 for each clip."""
        waves = [checked_samples(clip, self.spec.sample_rate) for clip in clips]
        if not waves:
            return []
        smile = _smile()
        return [
            smile.process_signal(wave, self.spec.sample_rate).to_numpy(dtype=np.float32) for wave in waves
        ]


def egemaps() -> Egemaps:
    """Return the extractor; raises `ConfigurationError` where openSMILE is not installed."""
    return Egemaps(installed_version())


def _smile() -> Any:
    import opensmile

    return opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
