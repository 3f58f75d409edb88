"""AGA-CL: cross-phonetic attention from source to target frames below the phone transformer (TAFFC 2025)."""

import torch
from torch import Tensor, nn

from store.errors import TrainingError
from training.collate import Batch
from training.experiment import Experiment
from training.models.attention import ByteDropout, attend
from training.models.phone_transformer import Encoded, Keys, PhoneTransformer


class CrossPhoneticAttention(nn.Module):
    """X' = LN(X + W_o softmax(Q K^T / sqrt(d_h)) V), Q from X, K and V from the frames attended to."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise TrainingError(
                f"frames whose width is a multiple of {heads} heads",
                f"{width} values",
                "change attention_heads",
            )
        self.heads = heads
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.norm, self.dropout = nn.LayerNorm(width), ByteDropout(dropout)

    def keys(self, frames: Tensor, mask: Tensor) -> Keys:
        """Return keys and values of frames (B, T, d)."""
        pair = self.key_value(frames).unflatten(-1, (2, self.heads, -1))  # (B, T, 2, h, d/h)
        key, value = pair.permute(2, 0, 3, 1, 4)  # 2 x (B, h, T, d/h)
        return Keys(key, value, mask)

    def forward(self, frames: Tensor, keys: Keys) -> Tensor:
        """Return X' (B, T, d) of frames that attend to ``keys``, item by item."""
        query = self.query(frames).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, h, T, d/h)
        mixed = attend(query, keys.key, keys.value, keys.mask)
        # Dropout acts on the output, not on the weights: there are far fewer of them.
        attended = self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))  # (B, h, T, d/h) -> (B, T, d)
        result: Tensor = self.norm(frames + attended)
        return result


class AnchoredAttention(nn.Module):
    """The network of AGA-CL: frames (B, T, d) attend, become phones (B, P, d) and go through CL's network."""

    def __init__(self, d_in: int, experiment: Experiment) -> None:
        super().__init__()
        self.attention = CrossPhoneticAttention(d_in, experiment.attention_heads, experiment.dropout)
        self.phones = PhoneTransformer(d_in, experiment)

    def keys(self, batch: Batch) -> Keys:
        """Return what frames may attend to: the frames of ``batch``."""
        return self.attention.keys(batch.inputs, batch.input_mask)

    def encode(self, batch: Batch, keys: Keys | None) -> Encoded:
        """Encode a batch whose frames attend to ``keys``, or to themselves where that is None."""
        if batch.pooling is None:
            raise TypeError("AGA-CL needs a batch of frames")
        attended = self.attention(batch.inputs, keys or self.keys(batch))
        pooled = torch.bmm(batch.pooling.to(attended.dtype), attended)  # (B, P, T) x (B, T, d) -> (B, P, d)
        encoded: Encoded = self.phones(pooled, batch.phone_mask)
        return encoded
