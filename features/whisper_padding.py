"""Whisper's attention over its padding: all of it, or landmarks of it (docs/decisions/0002)."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

DENSE, GROWTH, WIDEST, SINKS = 16, 0.08, 64, 128
"""Landmarks: the first 16 padding positions, then steps of 8 % of the distance up to 64, and 128 sinks."""
GRID = 0.1
"""Step of the padding values for which the silent reference is computed."""
PARAMETERS: dict[str, str | int | float] = {
    "mode": "landmarks", "dense": DENSE, "growth": GROWTH, "widest": WIDEST, "sinks": SINKS, "grid": GRID,
}  # fmt: skip
_QUERIES = 200
_REFERENCE_BYTES = 640 * 2**20


@dataclass(frozen=True, eq=False)
class Silence:
    """Keys and values (positions, dim) by layer for an input that is padding throughout, and its sinks.

    ``sinks`` lists all positions by the attention that they receive from the first 4 s, most first.
    """

    keys: "list[Tensor]"
    values: "list[Tensor]"
    sinks: "Tensor"


class References:
    """The silent references of one model, by padding value; the least recently used is dropped first."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._kept: OrderedDict[int, Silence] = OrderedDict()

    def at(self, padding: float) -> Silence:
        """Return the reference at the point of the grid nearest to ``padding``."""
        point = round(padding / GRID)
        if point not in self._kept:
            self._kept[point] = silence(self._model, point * GRID)
        self._kept.move_to_end(point)
        found = self._kept[point]
        size = sum(item.nbytes for item in (*found.keys, *found.values))
        while len(self._kept) > max(2, _REFERENCE_BYTES // size):
            self._kept.popitem(last=False)
        return found


def exact(model: Any, mel: "Tensor", frames: int, depth: int) -> "list[Tensor]":
    """Return h1 .. h_depth (frames, dim) with all padding computed; ``mel`` is (bands, 2 x positions).

    In the deepest layer only the queries of the clip are computed.
    """
    hidden = _convolve(model, mel) + model.embed_positions.weight  # (positions, dim)
    states = []
    for number, layer in enumerate(model.layers[:depth], start=1):
        keys, values = _project(layer, hidden)
        hidden = _layer(layer, hidden[:frames] if number == depth else hidden, keys, values)
        states.append(_output(model, hidden[:frames], number))
    return states


def landmarks(model: Any, mel: "Tensor", frames: int, depth: int, silent: Silence) -> "list[Tensor]":
    """Return h1 .. h_depth (frames, dim), computing only ``frames`` and landmarks of the padding.

    ``mel`` (bands, m) may end `DENSE` positions after the clip; its last column is the padding value. The
    keys and values of the other padding positions are those of ``silent`` plus the difference that the
    landmarks show, interpolated along time.
    """
    places, regular = _places(frames, silent.sinks)
    between = _neighbours(places, regular, frames, len(silent.sinks))
    hidden = _embed(model, mel, frames, places)  # (frames + landmarks, dim)
    states = []
    for number, layer in enumerate(model.layers[:depth], start=1):
        keys, values = _project(layer, hidden)
        all_keys = _fill(keys, silent.keys[number - 1], places, between)
        all_values = _fill(values, silent.values[number - 1], places, between)
        hidden = _layer(layer, hidden[:frames] if number == depth else hidden, all_keys, all_values)
        states.append(_output(model, hidden[:frames], number))
    return states


def silence(model: Any, padding: float) -> Silence:
    """Compute the reference for one padding value: the whole window is padding."""
    import torch

    positions = model.embed_positions.num_embeddings
    mel = model.conv1.weight.new_full((model.num_mel_bins, 2 * positions), padding)
    hidden = _convolve(model, mel) + model.embed_positions.weight
    kept: tuple[list[Tensor], list[Tensor]] = ([], [])
    received = hidden.new_zeros(positions)
    for layer in model.layers:
        keys, values = _project(layer, hidden)
        heads = layer.self_attn.num_heads
        weights = (_heads(_queries(layer, hidden[:_QUERIES]), heads) @ _heads(keys, heads).mT).softmax(-1)
        received = torch.maximum(received, weights.mean(dim=1).amax(dim=0))
        hidden = _layer(layer, hidden, keys, values)
        kept[0].append(keys)
        kept[1].append(values)
    return Silence(*kept, received.argsort(descending=True, stable=True))


def _places(frames: int, sinks: "Tensor") -> "tuple[Tensor, Tensor]":
    """Return the landmark positions in ascending order and which of them may be interpolated between."""
    import torch

    last = len(sinks) - 1
    regular, place = set(range(frames, min(frames + DENSE, last))), float(frames + DENSE)
    while place < last:
        regular.add(int(place))
        place += min(WIDEST, max(1.0, (place - frames) * GROWTH))
    regular.add(last)
    rest = [place for place in sinks.tolist() if place >= frames and place not in regular]
    places = sorted(regular | set(rest[:SINKS]))
    return torch.tensor(places, device=sinks.device), torch.tensor([place in regular for place in places])


def _neighbours(
    places: "Tensor", regular: "Tensor", frames: int, positions: int
) -> "tuple[Tensor, Tensor, Tensor]":
    """Return, for each padding position, the landmark before, the one after and the weight of the latter."""
    import torch

    index = regular.nonzero()[:, 0].to(places.device)
    known = places[index]
    wanted = torch.arange(frames, positions, device=places.device)
    after = torch.searchsorted(known, wanted).clamp(1, len(known) - 1)
    span = known[after] - known[after - 1]
    weight = (wanted - known[after - 1]) / span
    return index[after - 1], index[after], weight[:, None]


def _fill(
    own: "Tensor", reference: "Tensor", places: "Tensor", between: "tuple[Tensor, Tensor, Tensor]"
) -> "Tensor":
    """Return keys or values of all positions: computed ones as they are, the others by interpolation."""
    import torch

    low, high, weight = between
    frames = len(reference) - len(low)
    change = own[frames:] - reference[places]
    filled = torch.cat([own[:frames], reference[frames:] + torch.lerp(change[low], change[high], weight)])
    filled[places] = own[frames:]
    return filled


def _embed(model: Any, mel: "Tensor", frames: int, places: "Tensor") -> "Tensor":
    """Return the encoder's input at the clip's positions and at ``places``, shape (frames + places, dim)."""
    import torch

    near = _convolve(model, mel)
    flat = _convolve(model, mel[:, -1:].expand(-1, 16))
    inside = min(frames + DENSE // 2, len(near) - 1)  # beyond it the input is constant
    rows = torch.where(
        (places < inside)[:, None], near[places.clamp(max=inside)], flat[4].expand(len(places), -1)
    )
    rows[-1] = flat[-1]  # the last position of the window sees the convolution's own zeros
    positions = model.embed_positions.weight
    return torch.cat([near[:frames] + positions[:frames], rows + positions[places]])


def _convolve(model: Any, mel: "Tensor") -> "Tensor":
    """Return the output of the two convolutions, shape (m / 2, dim), for ``mel`` (bands, m)."""
    from torch.nn.functional import gelu

    hidden = gelu(model.conv2(gelu(model.conv1(mel[None]))))
    return hidden[0].T


def _project(layer: Any, hidden: "Tensor") -> "tuple[Tensor, Tensor]":
    """Return keys and values, (tokens, dim) each."""
    normed = layer.self_attn_layer_norm(hidden)
    return layer.self_attn.k_proj(normed), layer.self_attn.v_proj(normed)


def _queries(layer: Any, hidden: "Tensor") -> "Tensor":
    """Return scaled queries, (tokens, dim)."""
    return layer.self_attn.q_proj(layer.self_attn_layer_norm(hidden)) * layer.self_attn.scaling  # type: ignore[no-any-return]


def _layer(layer: Any, hidden: "Tensor", keys: "Tensor", values: "Tensor") -> "Tensor":
    """Return the output of one encoder layer for the tokens ``hidden`` that attend to ``keys``."""
    from torch.nn.functional import scaled_dot_product_attention

    attention, heads = layer.self_attn, layer.self_attn.num_heads
    queries = _queries(layer, hidden)
    split = [_heads(item, heads)[None] for item in (queries, keys, values)]
    mixed = scaled_dot_product_attention(split[0], split[1], split[2], scale=1.0)
    hidden = hidden + attention.out_proj(mixed[0].transpose(0, 1).flatten(1))
    inner = layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden)))
    return hidden + layer.fc2(inner)  # type: ignore[no-any-return]


def _heads(tokens: "Tensor", heads: int) -> "Tensor":
    """Return (tokens, dim) as (heads, tokens, dim / heads)."""
    return tokens.view(len(tokens), heads, -1).transpose(0, 1)


def _output(model: Any, hidden: "Tensor", number: int) -> "Tensor":
    """Return what is kept of layer ``number``: the deepest goes through the encoder's final norm."""
    return model.layer_norm(hidden) if number == len(model.layers) else hidden
