"""CL: a small transformer over the phone segments of an utterance (TAFFC 2025; sizes are our decisions)."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.collate import Batch
from training.experiment import Experiment
from training.models.attention import ByteDropout, attend


@dataclass(frozen=True, slots=True)
class Encoded:
    """Logits (B, K) and the encoder's outputs at the phones (B, P, d_model)."""

    logits: Tensor
    phones: Tensor


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys and values (B, heads, T, d / heads) of a batch's frames and where they hold something (B, T)."""

    key: Tensor
    value: Tensor
    mask: Tensor

    def take(self, rows: Tensor) -> "Keys":
        """Return the keys of some utterances."""
        return Keys(self.key[rows], self.value[rows], self.mask[rows])


class SpeechModel(Protocol):
    """What the trainer needs of a model; ``keys`` are the frames to attend to, for models that attend."""

    def keys(self, batch: Batch) -> Keys | None:
        """Return what other items (or the same) may attend to; None where the model attends to nothing."""

    def encode(self, batch: Batch, keys: Keys | None) -> Encoded:
        """Return logits and phone vectors of a batch."""


class EncoderLayer(nn.Module):
    """A pre-norm transformer layer, (B, P, d) to (B, P, d)."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_hidden = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.dropout = ByteDropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Attend among phones where ``mask`` (B, P) is true, then transform each."""
        qkv = self.query_key_value(self.norm_attention(x)).unflatten(
            -1, (3, self.heads, -1)
        )  # (B, P, 3, h, d/h)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # 3 x (B, h, P, d/h)
        mixed = attend(query, key, value, mask)
        x = x + self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))  # (B, h, P, d/h) -> (B, P, d)
        hidden: Tensor = self.dropout(functional.relu(self.widen(self.norm_hidden(x))))
        transformed: Tensor = self.dropout(self.narrow(hidden))
        return x + transformed


class PhoneTransformer(nn.Module):
    """The network of CL, and the upper part of AGA-CL: phone vectors (B, P, d_in) to logits (B, K)."""

    def __init__(self, d_in: int, experiment: Experiment) -> None:
        super().__init__()
        width, drop = experiment.d_model, experiment.dropout
        self.project = nn.Linear(d_in, width)
        self.register_buffer("positions", sinusoids(experiment.max_phones, width), persistent=False)
        self.encoder = nn.ModuleList(
            EncoderLayer(width, experiment.heads, experiment.feed_forward, drop)
            for _ in range(experiment.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.dropout = ByteDropout(drop)
        self.classify = nn.Sequential(
            nn.Linear(width, experiment.classifier_width),
            nn.ReLU(),
            ByteDropout(experiment.classifier_dropout),
            nn.Linear(experiment.classifier_width, len(experiment.classes)),
        )

    def forward(self, phones: Tensor, mask: Tensor) -> Encoded:
        """Encode phone vectors (B, P, d_in); where ``mask`` (B, P) is false there is padding."""
        positions: Tensor = self.get_buffer("positions")[: phones.shape[1]]  # (P, d_model)
        x = self.dropout(self.project(phones) + positions)
        for layer in self.encoder:
            x = layer(x, mask)
        x = self.norm(x).float()
        weights = mask.float().unsqueeze(-1)  # (B, P, 1)
        mean = (x * weights).sum(1) / weights.sum(1).clamp(min=1)  # (B, P, d_model) -> (B, d_model)
        return Encoded(self.classify(mean).float(), x)

    def keys(self, batch: Batch) -> None:  # noqa: ARG002 - part of SpeechModel
        """Return None: phone segments attend within their own utterance only."""
        return

    def encode(self, batch: Batch, keys: Keys | None) -> Encoded:  # noqa: ARG002 - part of SpeechModel
        """Encode a batch of phone segments."""
        encoded: Encoded = self(batch.inputs, batch.phone_mask)
        return encoded


def sinusoids(length: int, width: int) -> Tensor:
    """Return sinusoidal positions (length, width): sines in even columns, cosines in odd ones."""
    at = torch.arange(length).unsqueeze(1) * torch.exp(
        torch.arange(0, width, 2) * (-math.log(10_000.0) / width)
    )
    return torch.stack([at.sin(), at.cos()], dim=-1).flatten(1)  # (length, width/2, 2) -> (length, width)
