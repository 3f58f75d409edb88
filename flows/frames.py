"""Decides which stored frames an experiment reads, and refuses frames that the build does not give."""

from typing import TYPE_CHECKING

from features.extractor import names
from flows.configuration import Configuration
from flows.stages import extractors_of
from store.digests import short
from store.errors import ConfigurationError, StoreError
from training.experiment import Experiment

if TYPE_CHECKING:
    from flows.extraction import Features

ENCODER = "encoder"
"""What ``experiment.frames`` calls the frames of the encoder, whichever it is."""


def experiment_of(configuration: Configuration) -> Experiment:
    """Return the experiment with the frames named as the store names them: ``encoder`` with its weights."""
    experiment = configuration.experiment
    if experiment.frames != ENCODER:
        return experiment
    (encoder,) = extractors_of(configuration, (ENCODER,))
    return experiment.model_copy(update={"frames": encoder.spec.name})


def check_frames(configuration: Configuration) -> None:
    """Raise `ConfigurationError` where build.features gives no such frames, or no phone segments of them."""
    experiment = experiment_of(configuration)
    given = [extractor.spec.name for extractor in extractors_of(configuration)]
    if experiment.frames in given and experiment.segments in given:
        return
    asked = configuration.experiment.frames
    pooled = [name for name in given if f"segments-{name}" in given]
    remedy = f"set experiment.frames to {' or '.join(['encoder', *pooled])}"
    if asked == ENCODER or experiment.frames in given:
        remedy = f"add {f'segments:{asked}' if asked in names() else 'segments'!r} to build.features"
    raise ConfigurationError(
        f"frames {asked!r} (experiment.frames) and their phone segments among what build.features gives",
        f"only {', '.join(given)}",
        remedy,
    )


def check_stored_frames(experiment: Experiment, features: "Features") -> None:
    """Raise `StoreError` where a snapshot lacks the frames of an experiment or the segments of them."""
    missing = [name for name in (experiment.frames, experiment.segments) if name not in features.specs]
    if missing:
        raise StoreError(
            f"the frames {' and '.join(missing)} in snapshot {short(features.snapshot)}",
            f"only {', '.join(sorted(features.specs))}",
            "run without --only train, so that the features are built first, or set experiment.frames",
        )
