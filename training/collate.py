"""Padded batches of phone segments or frames; padding happens here and nowhere else."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.dataset import NO_VOWEL, CorpusData, Ragged


@dataclass(frozen=True, slots=True)
class Batch:
    """B padded utterances.

    ``inputs`` (B, L, d) are phone segments (L = P) or frames (L = T); ``input_mask`` (B, L) and
    ``phone_mask`` (B, P) are true where there is something; ``pooling`` (B, P, T) holds the weights that
    average frames into phones, None for phone segments; ``items`` (B,) are positions in the corpus;
    ``vowels`` (B, P) are indices of vowels, -1 for other phones and padding.
    """

    items: NDArray[np.int64]
    inputs: Tensor
    input_mask: Tensor
    phone_mask: Tensor
    pooling: Tensor | None
    vowels: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64]) -> "Batch":
        """Return the batch of some of its utterances, equally padded."""
        at = torch.from_numpy(rows)
        return replace(
            self,
            items=self.items[rows],
            inputs=self.inputs[at],
            input_mask=self.input_mask[at],
            phone_mask=self.phone_mask[at],
            pooling=None if self.pooling is None else self.pooling[at],
            vowels=self.vowels[rows],
        )


class Collator:
    """Makes batches of one corpus from tensors that are scaled and laid on the device once.

    ``values`` (rows, d) are the scaled rows of the corpus, held as ``dtype``; ``use_frames`` says whether
    they are frames (AGA-CL) or phone segments (CL).
    """

    def __init__(
        self,
        data: CorpusData,
        *,
        use_frames: bool,
        values: NDArray[np.float32],
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.data, self.device, self.use_frames = data, device, use_frames
        self._starts = rows_of(data, use_frames).starts
        scaled = torch.from_numpy(values).to(dtype)
        padding = scaled.new_zeros(1, scaled.shape[1])
        self._rows = torch.cat([scaled, padding]).to(device)

    def batch(self, items: NDArray[np.int64]) -> Batch:
        """Return the padded batch of the utterances at ``items`` (B,)."""
        index = _padded_index(self._starts, items, len(self._rows) - 1)  # (B, L)
        inputs = self._rows.index_select(0, torch.from_numpy(index).flatten().to(self.device))
        inputs = inputs.view(*index.shape, -1)  # (B * L, d) -> (B, L, d)
        phones = _padded_index(self.data.segments.starts, items, len(self.data.vowels))
        return Batch(
            items=items,
            inputs=inputs,
            input_mask=torch.from_numpy(index < len(self._rows) - 1).to(self.device),
            phone_mask=torch.from_numpy(phones < len(self.data.vowels)).to(self.device),
            pooling=self._pooling(items, phones.shape[1], index.shape[1]) if self.use_frames else None,
            vowels=np.append(self.data.vowels, NO_VOWEL)[phones],
        )

    def lengths(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many input rows each utterance has."""
        return np.diff(self._starts)[items]

    def _pooling(self, items: NDArray[np.int64], phones: int, frames: int) -> Tensor:
        weights = np.zeros((len(items), phones, frames), dtype=np.float32)
        for row, item in enumerate(items):
            windows = self.data.windows_of(int(item))
            at = np.arange(frames)
            inside = (at >= windows[:, :1]) & (at < windows[:, 1:])  # (P, T)
            weights[row, : len(windows)] = inside / np.maximum(inside.sum(axis=1, keepdims=True), 1)
        return torch.from_numpy(weights).to(self.device)


def rows_of(data: CorpusData, use_frames: bool) -> Ragged:
    """Return the rows that a model reads."""
    if not use_frames:
        return data.segments
    if data.frames is None:
        raise ValueError("the corpus was loaded without frames")
    return data.frames


def scaled_by(
    reference: CorpusData, items: NDArray[np.int64], data: CorpusData, use_frames: bool
) -> NDArray[np.float32]:
    """Return the rows (rows, d) of ``data`` as z-scores by mean and SD of ``items`` of ``reference``."""
    ragged = rows_of(reference, use_frames)
    mean, sd = _moments(ragged.values[ragged.rows_of(items)])
    return (rows_of(data, use_frames).values - mean) / sd


def scaled_by_speaker(data: CorpusData, use_frames: bool) -> NDArray[np.float32]:
    """Return the rows (rows, d) of ``data`` as z-scores by mean and SD of each speaker's own rows."""
    ragged = rows_of(data, use_frames)
    scaled = np.empty_like(ragged.values)
    speakers = np.repeat(np.array(data.speakers), np.diff(ragged.starts))
    for speaker in np.unique(speakers):
        own = speakers == speaker
        mean, sd = _moments(ragged.values[own])
        scaled[own] = (ragged.values[own] - mean) / sd
    return scaled


def _moments(rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and SD (d,) of rows; a constant dimension gets SD 1."""
    mean = rows.mean(axis=0, dtype=np.float64)
    sd = rows.std(axis=0, dtype=np.float64)
    return mean.astype(np.float32), np.where(sd > 1e-6, sd, 1.0).astype(np.float32)


def _padded_index(starts: NDArray[np.int64], items: NDArray[np.int64], padding: int) -> NDArray[np.int64]:
    lengths = starts[items + 1] - starts[items]
    at = np.arange(lengths.max(initial=1))
    return np.where(at < lengths[:, None], starts[items][:, None] + at, padding)
