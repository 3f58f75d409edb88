"""Which layers of an encoder are kept, and how its hidden states become stored rows."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from store.errors import ExtractionError
from store.records import FeatureSpec

if TYPE_CHECKING:
    import torch


def layer_numbers(layers: str | tuple[int, ...], depth: int) -> tuple[int, ...]:
    """Return the layers to keep, from 1 to ``depth``, in ascending order.

    Raises `ExtractionError` when there is no such layer.
    """
    if layers == "all":
        return tuple(range(1, depth + 1))
    numbers = () if isinstance(layers, str) else tuple(sorted(set(layers)))
    if not numbers or numbers[0] < 1 or numbers[-1] > depth:
        raise ExtractionError(
            f"'all' or layers from 1 to {depth}", repr(layers), "name layers that the model has"
        )
    return numbers


def chosen_layers(spec: FeatureSpec) -> tuple[int, ...]:
    """Return the layers that an encoder's spec keeps."""
    return tuple(cast("list[int]", spec.params["layers"]))


def as_rows(states: "torch.Tensor", spec: FeatureSpec) -> NDArray[Any]:
    """Return hidden states (frames, layers, dim) as an array of the spec's dtype; float16 saturates."""
    values = states.float().cpu().numpy()
    if spec.dtype == "float16":
        largest = float(np.finfo(np.float16).max)
        values = np.clip(values, -largest, largest)
    return values.astype(spec.dtype)
