"""The encoder of Whisper, whose 30 s of padding take part in every attention."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features import weights, whisper_padding
from features.clip import Clip, checked_samples
from features.framing import row_count
from features.layers import as_rows, chosen_layers, layer_numbers
from store.errors import ExtractionError
from store.records import FeatureSpec, FrameLaw

if TYPE_CHECKING:
    import torch

PADDINGS: tuple[str, ...] = ("landmarks", "exact")
"""How the padding to 30 s is computed: a few landmarks of it (the default), or all of it."""
_LONGEST = 900
"""From this many frames on, ``landmarks`` computes all of the padding too: there is little left to save."""
_MARGIN = whisper_padding.DENSE + 4
_WINDOWS_PER_BATCH = {"cpu": 1, "cuda": 16}
"""Windows computed together where all of the padding is; on a processor, one at a time is fastest."""


@dataclass(frozen=True)
class WhisperEncoder:
    """The frozen encoder of Whisper (Radford et al. 2023): the frames of the clip, without the padding.

    Recordings longer than the model's window (30 s) are cut into consecutive windows.
    """

    folder: Path
    spec: FeatureSpec
    source: str = ""

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[Any]]:
        """Return (ceil(n / hop), layers, dim) for each clip."""
        waves = [checked_samples(clip, self.spec.sample_rate) for clip in clips]
        model = _model(self.folder)
        size = model.front.window
        parts = [[wave[start : start + size] for start in range(0, wave.size, size)] for wave in waves]
        rows = iter(self._windows(model, [part for wave in parts for part in wave]))
        return [np.concatenate([next(rows) for _ in wave]) for wave in parts]

    def _windows(self, model: "_Model", parts: list[NDArray[np.float32]]) -> Iterator[NDArray[Any]]:
        """Yield the rows of each window."""
        width = _WINDOWS_PER_BATCH[weights.device()] if self.spec.params["padding"] == "exact" else 1
        for start in range(0, len(parts), width):
            batch = parts[start : start + width]
            states = [self._states(model, batch[0])] if width == 1 else self._together(model, batch)
            yield from (as_rows(item, self.spec) for item in states)

    def _together(self, model: "_Model", parts: Sequence[NDArray[np.float32]]) -> "list[torch.Tensor]":
        """Return the states (frames, layers, dim) of several windows, computed together with all padding."""
        import torch

        with weights.inference():
            mel = np.stack([model.front.mel(part) for part in parts])  # (windows, bands, 3000)
            output = model.encoder(torch.from_numpy(mel).to(weights.device()), output_hidden_states=True)
            layers = (*output.hidden_states[1:-1], output.last_hidden_state)
            wanted = torch.stack([layers[number - 1] for number in chosen_layers(self.spec)], dim=2)
            return [
                item[: row_count(self.spec.law, part.size)] for item, part in zip(wanted, parts, strict=True)
            ]

    def _states(self, model: "_Model", part: NDArray[np.float32]) -> "torch.Tensor":
        """Return the states (frames, layers, dim) of at most one window."""
        import torch

        frames, numbers = row_count(self.spec.law, part.size), chosen_layers(self.spec)
        brief = self.spec.params["padding"] != "exact" and frames < _LONGEST
        with weights.inference():
            mel = model.front.mel(part, self.spec.law.hop * (frames + _MARGIN) if brief else None)
            inputs = torch.from_numpy(mel).to(weights.device())
            if brief:
                silent = model.references.at(float(mel[0, -1]))
                layers = whisper_padding.landmarks(model.encoder, inputs, frames, numbers[-1], silent)
            else:
                layers = whisper_padding.exact(model.encoder, inputs, frames, numbers[-1])
            return torch.stack([layers[number - 1] for number in numbers], dim=1)


class MelFrontEnd:
    """The log-mel input of one Whisper checkpoint, as its own preprocessor_config.json says."""

    def __init__(self, folder: Path) -> None:
        from transformers import WhisperFeatureExtractor

        with weights.quiet():
            self._extractor = WhisperFeatureExtractor.from_pretrained(str(folder))
        self.window: int = self._extractor.n_samples
        """Samples in the model's window (30 s)."""

    def mel(self, samples: NDArray[np.float32], length: int | None = None) -> NDArray[np.float32]:
        """Return the input (bands, frames) of ``samples`` (n,), padded to ``length`` or the whole window.

        The padding of Whisper is constant in log-mel, so a shorter input is the beginning of the whole one
        as long as it ends in padding.
        """
        features = self._extractor(
            samples,
            sampling_rate=self._extractor.sampling_rate,
            max_length=min(length or self.window, self.window),
            return_tensors="np",
        )
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
            "padding": mode if mode == "exact" else dict(whisper_padding.PARAMETERS),
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
    return WhisperEncoder(checkpoint.folder, spec, checkpoint.source)


@dataclass(frozen=True, eq=False)
class _Model:
    encoder: Any
    front: MelFrontEnd
    references: whisper_padding.References


@lru_cache(maxsize=2)
def _model(folder: Path) -> _Model:
    encoder = weights.load(folder, "whisper").get_encoder()
    return _Model(encoder, MelFrontEnd(folder), whisper_padding.References(encoder))
