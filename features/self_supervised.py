"""Speech encoders of `transformers` by hub id or folder: hidden states of every layer, valid frames only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features import any_encoder, weights, whisper
from features.clip import Clip, checked_samples
from features.framing import row_count
from features.layers import as_rows, chosen_layers, layer_numbers
from store.errors import ExtractionError
from store.records import FeatureSpec, FrameLaw
from store.vocabulary import COMMON_RATE

if TYPE_CHECKING:
    import torch

FAMILIES: tuple[str, ...] = ("wav2vec2", "hubert", "wavlm", "unispeech", "unispeech-sat", "data2vec-audio")
"""Encoders that read the waveform through a stack of unpadded convolutions."""
_ALONE = ("data2vec-audio",)
"""Families whose positional convolutions let padding leak into the last frames: one clip at a time."""
_FRAMES_PER_BATCH = {"cpu": 1_000, "cuda": 30_000}


@dataclass(frozen=True)
class WaveformEncoder:
    """A frozen encoder of the wav2vec 2.0 family (Baevski et al. 2020 and successors).

    The convolutions run on each clip alone, since some checkpoints normalise over time there; the
    transformer runs on clips of like length together, with an attention mask. Rows therefore do not depend
    on the batch.
    """

    folder: Path
    spec: FeatureSpec
    source: str = ""

    def extract_many(self, clips: Sequence[Clip]) -> list[NDArray[Any]]:
        """Return (frames, layers, dim) for each clip; no rows for a clip shorter than the receptive field."""
        found: dict[int, NDArray[Any]] = {}
        waves = [self._wave(clip) for clip in clips]
        counts = [row_count(self.spec.law, wave.size) for wave in waves]
        model = _model(self.folder, str(self.spec.params["family"])) if any(counts) else None
        for batch in batches(counts, 1 if self.spec.params["family"] in _ALONE else None):
            for index, states in zip(batch, self._states(model, [waves[i] for i in batch]), strict=True):
                found[index] = as_rows(states, self.spec)
        empty = np.empty((0, *self.spec.dims), dtype=self.spec.dtype)
        return [found.get(index, empty) for index in range(len(clips))]

    def _wave(self, clip: Clip) -> NDArray[np.float32]:
        wave = checked_samples(clip, self.spec.sample_rate)
        if not self.spec.params["zero_mean_unit_variance"]:
            return wave
        return np.asarray((wave - wave.mean()) / np.sqrt(wave.var() + 1e-7), dtype=np.float32)

    def _states(self, model: Any, waves: Sequence[NDArray[np.float32]]) -> "Iterator[torch.Tensor]":
        import torch

        with weights.inference():
            inputs = [torch.from_numpy(wave)[None].to(weights.device()) for wave in waves]
            local = [model.feature_extractor(wave)[0].T for wave in inputs]  # (frames, channels) each
            mask = torch.nn.utils.rnn.pad_sequence(
                [torch.ones(len(item), dtype=torch.bool) for item in local], batch_first=True
            ).to(local[0].device)
            padded = torch.nn.utils.rnn.pad_sequence(local, batch_first=True)
            projected = model.feature_projection(padded)
            hidden = projected[0] if isinstance(projected, tuple) else projected
            layers = _layer_outputs(model.encoder, hidden, None if bool(mask.all()) else mask)
            wanted = [layers[number - 1] for number in chosen_layers(self.spec)]
            for row, item in enumerate(local):
                yield torch.stack([layer[row, : len(item)] for layer in wanted], dim=1)


def encoder(
    model: str,
    *,
    layers: str | tuple[int, ...] = "all",
    dtype: str = "float16",
    padding: str | None = None,
    mirror: Path | None = None,
) -> "WaveformEncoder | whisper.WhisperEncoder | any_encoder.AnyEncoder":
    """Return the extractor for a `transformers` speech encoder given by short name, hub id or folder.

    ``layers`` is ``"all"`` (h1 .. hL, the embedding output h0 excluded) or numbers from 1; ``dtype`` is
    ``float16`` or ``float32``; ``padding`` chooses how Whisper's 30 s are filled (`whisper.PADDINGS`);
    ``mirror`` is a folder of models (`weights.find`). Raises `ExtractionError` when the model is missing, of
    another kind, or has no such layer.
    """
    if dtype not in ("float16", "float32"):
        raise ExtractionError("rows of float16 or float32", dtype, "choose one of the two")
    checkpoint = weights.find(model, mirror)
    family = str(checkpoint.config.get("model_type"))
    if family == "whisper":
        return whisper.from_checkpoint(checkpoint, layers=layers, dtype=dtype, padding=padding)
    if family not in FAMILIES:
        return any_encoder.from_checkpoint(checkpoint, layers=layers, dtype=dtype)
    return WaveformEncoder(checkpoint.folder, _spec(checkpoint, family, layers, dtype), checkpoint.source)


def batches(counts: Sequence[int], largest: int | None = None) -> Iterator[list[int]]:
    """Yield the indices of clips to run together: like lengths, a bounded number of padded frames.

    ``counts`` are frames for each clip (clips without frames are left out); ``largest`` bounds the clips.
    """
    budget = _FRAMES_PER_BATCH[weights.device()]
    batch: list[int] = []
    for index in sorted((i for i, count in enumerate(counts) if count), key=lambda i: -counts[i]):
        full = bool(batch) and counts[batch[0]] * (len(batch) + 1) > budget
        if full or (largest is not None and len(batch) >= largest):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _spec(
    checkpoint: weights.Checkpoint, family: str, layers: str | tuple[int, ...], dtype: str
) -> FeatureSpec:
    config = _defaults(family, checkpoint.config)
    kernels, strides = tuple(config["conv_kernel"]), tuple(config["conv_stride"])
    numbers = layer_numbers(layers, int(config["num_hidden_layers"]))
    return FeatureSpec(
        name=f"{family}-{checkpoint.identity[:8]}",
        version=1,
        params={
            "family": family,
            "weights": checkpoint.identity,
            "layers": list(numbers),
            "zero_mean_unit_variance": bool(checkpoint.preprocessor.get("do_normalize", True)),
        },
        dims=(len(numbers), int(config["hidden_size"])),
        dtype=dtype,
        sample_rate=int(checkpoint.preprocessor.get("sampling_rate", COMMON_RATE)),
        law=FrameLaw(kind="convolutional", hop=int(np.prod(strides)), kernels=kernels, strides=strides),
    )


def _defaults(family: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return config.json completed by the defaults of its class, since files may leave them out."""
    from transformers import AutoConfig

    with weights.quiet():
        full = AutoConfig.for_model(family, **{k: v for k, v in config.items() if k != "model_type"})
    return dict(full.to_dict())


def _layer_outputs(
    encoder_module: Any, hidden: "torch.Tensor", mask: "torch.Tensor | None"
) -> "list[torch.Tensor]":
    """Return h1 .. hL; hL is what the encoder itself returns, after its final norm where it has one."""
    outputs: list[torch.Tensor] = []

    def keep(_module: Any, _inputs: Any, output: Any) -> None:
        outputs.append(output[0] if isinstance(output, tuple) else output)

    hooks = [layer.register_forward_hook(keep) for layer in encoder_module.layers]
    try:
        last = encoder_module(hidden, attention_mask=mask).last_hidden_state
    finally:
        for hook in hooks:
            hook.remove()
    return [*outputs[:-1], last]


@lru_cache(maxsize=2)
def _model(folder: Path, family: str) -> Any:
    return weights.load(folder, family)
