"""The encoder of Whisper, whose 30 s of padding take part in every attention."""

from collections.abc import Iterator, Sequence
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

if TYPE_CHECKING:
    import torch

PADDINGS: tuple[str, ...] = ("exact",)
"""``exact``: the whole 30 s are computed."""


@dataclass(frozen=True)
class WhisperEncoder:
    """The frozen encoder of Whisper (Radford et al. 2023), encoder frames of the clip only.

    Recordings longer than the model's window (30 s) are cut into consecutive windows.
    """

    folder: Path
    spec: FeatureSpec

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[Any]]:
        """Return (ceil(n / hop), layers, dim) for each clip."""
        if not clips:
            return []
        model, mel = _model(self.folder)
        return [
            np.concatenate([as_rows(self._states(model, mel(part), part.size), self.spec) for part in parts])
            for parts in (
                _windows(checked_samples(clip, self.spec.sample_rate), mel.n_samples) for clip in clips
            )
        ]

    def _states(self, model: Any, mel: NDArray[np.float32], n_samples: int) -> "torch.Tensor":
        """Return the valid hidden states (frames, layers, dim) of one window."""
        import torch

        frames = row_count(self.spec.law, n_samples)
        with weights.inference():
            inputs = torch.from_numpy(mel)[None].to(weights.device())  # (1, bands, 3000)
            layers = exact(model, inputs, frames)
            return torch.stack([layers[number - 1] for number in chosen_layers(self.spec)], dim=1)


def exact(model: Any, mel: "torch.Tensor", frames: int) -> "list[torch.Tensor]":
    """Return h1 .. hL (frames, dim) with all padding computed; hL is after the final layer norm."""
    output = model(mel, output_hidden_states=True)
    return [layer[0, :frames] for layer in (*output.hidden_states[1:-1], output.last_hidden_state)]


class MelFrontEnd:
    """The log-mel input of one Whisper checkpoint, as its own preprocessor_config.json says."""

    def __init__(self, folder: Path) -> None:
        from transformers import WhisperFeatureExtractor

        with weights.quiet():
            self._extractor = WhisperFeatureExtractor.from_pretrained(str(folder))
        self.n_samples: int = self._extractor.n_samples

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the padded input (bands, 3000) of at most ``n_samples`` samples (n,)."""
        features = self._extractor(samples, sampling_rate=self._extractor.sampling_rate, return_tensors="np")
        return np.asarray(features.input_features[0], dtype=np.float32)


def from_checkpoint(
    checkpoint: weights.Checkpoint, *, layers: str | tuple[int, ...], dtype: str, padding: str | None
) -> WhisperEncoder:
    """Return the extractor for a Whisper checkpoint; ``padding`` is of `PADDINGS`, None the default.

    Raises `ExtractionError` on another padding, a missing layer or a missing preprocessor_config.json.
    """
    mode = padding or PADDINGS[0]
    if mode not in PADDINGS:
        raise ExtractionError(f"a Whisper padding of {', '.join(PADDINGS)}", repr(mode), "choose one of them")
    config, front = checkpoint.config, checkpoint.preprocessor
    if not front:
        raise ExtractionError(
            f"preprocessor_config.json in {checkpoint.folder}",
            "none",
            "download the model with its preprocessor",
        )
    numbers = layer_numbers(layers, int(config["encoder_layers"]))
    rate, hop = int(front.get("sampling_rate", 16_000)), 2 * int(front.get("hop_length", 160))
    spec = FeatureSpec(
        name=f"whisper-{checkpoint.identity[:8]}",
        version=1,
        params={
            "family": "whisper",
            "weights": checkpoint.identity,
            "layers": list(numbers),
            "padding": mode,
            "mel": {
                key: front.get(key)
                for key in ("feature_size", "n_fft", "hop_length", "chunk_length", "dither")
            },
        },
        dims=(len(numbers), int(config["d_model"])),
        dtype=dtype,
        sample_rate=rate,
        law=FrameLaw(kind="ceil", hop=hop),
    )
    return WhisperEncoder(checkpoint.folder, spec)


def _windows(samples: NDArray[np.float32], length: int) -> Iterator[NDArray[np.float32]]:
    for start in range(0, samples.size, length):
        yield samples[start : start + length]


@lru_cache(maxsize=2)
def _model(folder: Path) -> tuple[Any, MelFrontEnd]:
    return weights.load(folder, "whisper").get_encoder(), MelFrontEnd(folder)
