"""Any other speech encoder of `transformers`: its own front end and forward pass, one clip at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features import weights
from features.clip import Clip, checked_samples
from features.framing import row_count
from features.layers import as_rows, chosen_layers, layer_numbers
from store.errors import ExtractionError
from store.records import FeatureSpec, FrameLaw
from store.vocabulary import COMMON_RATE

if TYPE_CHECKING:
    import torch

_DEPTH_KEYS = ("encoder_num_hidden_layers", "encoder_layers", "num_hidden_layers")
_PROBED = (1.0, 3.0)
"""Seconds of noise between which the hop is measured."""
_CHECKED = (0.4, 0.731, 1.5, 2.0003, 4.25)
"""Seconds of noise on which the measured law must hold."""
Count = Callable[[int], int]
"""Frames that a model gives for a number of samples."""


@dataclass(frozen=True)
class AnyEncoder:
    """A frozen speech encoder of a class that has no extractor of its own; rows do not depend on a batch."""

    folder: Path
    spec: FeatureSpec
    source: str = ""

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[Any]]:
        """Return (frames, layers, dim) for each clip; no rows for a clip that is too short for a frame."""
        return [self._rows(checked_samples(clip, self.spec.sample_rate)) for clip in clips]

    def _rows(self, wave: NDArray[np.float32]) -> NDArray[Any]:
        import torch

        if not row_count(self.spec.law, wave.size):
            return np.empty((0, *self.spec.dims), dtype=self.spec.dtype)
        model, front = _model(self.folder)
        with weights.inference():
            states = _states(model, front, wave, self.spec.sample_rate)
            kept = torch.stack([states[number - 1] for number in chosen_layers(self.spec)], dim=1)
        return as_rows(kept, self.spec)


def from_checkpoint(
    checkpoint: weights.Checkpoint, *, layers: str | tuple[int, ...], dtype: str
) -> AnyEncoder:
    """Return the extractor for a checkpoint of any speech model that gives frames in time.

    The frame law is measured on a shallow model of the same class with random weights: every stack of
    strided convolutions, with padding or not, gives floor((n - reach) / hop) + 1 frames.

    Raises
    ------
    ExtractionError
        If `transformers` cannot make the model or its front end, if it reads no sound, gives no hidden states
        or another number of frames than such a law (models with a fixed window do), or lacks a layer.
    """
    rate = int(checkpoint.preprocessor.get("sampling_rate", COMMON_RATE))
    front = _front_end(checkpoint)
    shallow, depth = _shallow(checkpoint)
    dim, law = _measured(shallow, front, rate, checkpoint)
    numbers = layer_numbers(layers, depth)
    family = str(checkpoint.config.get("model_type"))
    spec = FeatureSpec(
        name=f"{family}-{checkpoint.identity[:8]}",
        version=1,
        params={
            "family": family,
            "weights": checkpoint.identity,
            "layers": list(numbers),
            "front_end": {key: checkpoint.preprocessor[key] for key in sorted(checkpoint.preprocessor)},
        },
        dims=(len(numbers), dim),
        dtype=dtype,
        sample_rate=rate,
        law=law,
    )
    return AnyEncoder(checkpoint.folder, spec, checkpoint.source)


def _measured(model: Any, front: Any, rate: int, checkpoint: weights.Checkpoint) -> tuple[int, FrameLaw]:
    """Return the dimension of the states and the frame law."""
    noise = (0.1 * np.random.default_rng(0).standard_normal(5 * rate)).astype(np.float32)

    def states(samples: int) -> "torch.Tensor":
        with weights.inference():
            return _states(model, front, noise[:samples], rate)[-1]

    try:
        dim = int(states(rate).shape[-1])
        law = measured_law(lambda n: int(states(n).shape[0]), rate)
    except Exception as error:  # a class that nobody tried: whatever it raises, it cannot serve
        raise _unfit(checkpoint, f"{type(error).__name__}: {error}") from error
    if law is None:
        raise _unfit(checkpoint, "a number of frames that does not follow from the length of the recording")
    return dim, law


def measured_law(count: Count, rate: int) -> FrameLaw | None:
    """Return the law floor((n - reach) / hop) + 1 that ``count`` follows, None where it follows none."""
    low, high = (round(seconds * rate) for seconds in _PROBED)
    first, last = count(low), count(high)
    if last <= first:
        return None
    starts = [_threshold(count, low, high, frames) for frames in (first + 1, first + 2)]
    hop = starts[1] - starts[0]
    reach = starts[0] - first * hop
    law = FrameLaw(kind="convolutional", hop=hop, kernels=(reach,), strides=(hop,))
    samples = [round(seconds * rate) for seconds in _CHECKED]
    return law if all(row_count(law, n) == count(n) for n in samples) else None


def _threshold(count: Count, low: int, high: int, frames: int) -> int:
    """Return the smallest number of samples between ``low`` and ``high`` that gives ``frames`` frames."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if count(middle) >= frames else (middle, high)
    return high


def _states(model: Any, front: Any, wave: NDArray[np.float32], rate: int) -> "list[torch.Tensor]":
    """Return h1 .. hL of one clip, (frames, dim) each; hL follows the final norm where shapes agree."""
    inputs = front(wave, sampling_rate=rate, return_tensors="pt").to(weights.device())
    output = model(**inputs, output_hidden_states=True)
    hidden = list(output.hidden_states[1:])
    if output.last_hidden_state.shape == hidden[-1].shape:
        hidden[-1] = output.last_hidden_state
    return [states[0] for states in hidden]


def _shallow(checkpoint: weights.Checkpoint) -> tuple[Any, int]:
    """Return the encoder of the checkpoint's class with one layer and random weights, and the real depth."""
    import torch
    from transformers import AutoConfig, AutoModel

    try:
        with weights.quiet(), torch.random.fork_rng():
            config = AutoConfig.from_pretrained(str(checkpoint.folder), local_files_only=True)
            key = next(key for key in _DEPTH_KEYS if getattr(config, key, None))
            depth = int(getattr(config, key))
            setattr(config, key, 1)
            model = AutoModel.from_config(config).eval().requires_grad_(False)
    except Exception as error:
        raise _unfit(checkpoint, f"{type(error).__name__}: {error}") from error
    return _encoder_of(model).to(weights.device()), depth


def _front_end(checkpoint: weights.Checkpoint) -> Any:
    try:
        return _loaded_front_end(checkpoint.folder)
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise _unfit(checkpoint, f"no front end for sound: {type(error).__name__}") from error


def _loaded_front_end(folder: Path) -> Any:
    from transformers import AutoFeatureExtractor

    with weights.quiet():
        return AutoFeatureExtractor.from_pretrained(str(folder), local_files_only=True)


def _encoder_of(model: Any) -> Any:
    """Return the encoder of an encoder-decoder model, or the model itself."""
    return model.get_encoder() if getattr(model.config, "is_encoder_decoder", False) else model


@lru_cache(maxsize=2)
def _model(folder: Path) -> tuple[Any, Any]:
    return _encoder_of(weights.load(folder, "speech")), _loaded_front_end(folder)


def _unfit(checkpoint: weights.Checkpoint, found: str) -> ExtractionError:
    family = checkpoint.config.get("model_type")
    return ExtractionError(
        "a transformers speech encoder with frames in time",
        f"model_type {family!r} ({' '.join(found.split())[:160]})",
        "name another model; 'phonanchor encoders' lists those with a short name",
    )
