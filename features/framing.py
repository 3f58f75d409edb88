"""The frame laws: how many rows a recording gives, and where in the recording each row is centred."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from store.errors import ConfigurationError
from store.records import FrameLaw

KINDS: tuple[str, ...] = ("centred", "ceil", "convolutional", "phones", "utterance")


def resampled_length(n_samples: int, rate: int, target: int) -> int:
    """Return how many samples ``n_samples`` at ``rate`` become at ``target``: the quotient rounded up."""
    return -(-n_samples * target // rate)


def row_count(law: FrameLaw, n_samples: int, n_phones: int = 0) -> int:
    """Return the number of rows of a recording of ``n_samples`` at the spec's rate.

    An empty recording has no rows under any law; a recording that is shorter than the receptive field of a
    convolutional stack has none either. Raises `ConfigurationError` on a law of unknown kind.
    """
    if law.kind == "phones":
        return n_phones
    if n_samples <= 0:
        return 0
    if law.kind == "centred":
        return 1 + n_samples // law.hop
    if law.kind == "ceil":
        return -(-n_samples // law.hop)
    if law.kind == "convolutional":
        return _convolved(n_samples, law.kernels, law.strides)
    if law.kind == "utterance":
        return 1
    raise _unknown(law)


def receptive_field(law: FrameLaw) -> int:
    """Return how many samples one row of a convolutional law sees; 1 for a stack without layers."""
    field, step = 1, 1
    for kernel, stride in zip(law.kernels, law.strides, strict=True):
        field += (kernel - 1) * step
        step *= stride
    return field


def frame_centres(law: FrameLaw, rows: int) -> NDArray[np.float64]:
    """Return the centre of rows 0 .. ``rows`` - 1 in samples at the spec's rate, shape (rows,).

    ``centred`` and ``ceil`` rows are centred at i x hop (Whisper's two convolutions are padded by one);
    ``convolutional`` rows at i x hop + half the receptive field. The other laws have no frames.
    """
    return np.arange(rows, dtype=np.float64) * _hop(law) + _offset(law)


def frame_times(law: FrameLaw, rows: int, rate: int) -> NDArray[np.float64]:
    """Return the centre of each row in seconds, shape (rows,); ``rate`` is the spec's samples per second."""
    return frame_centres(law, rows) / rate


def frame_of(law: FrameLaw, sample: float) -> int:
    """Return the row whose centre is nearest to ``sample`` (a half is rounded up), never below 0."""
    return max(0, int(np.floor((sample - _offset(law)) / _hop(law) + 0.5)))


def _hop(law: FrameLaw) -> int:
    if law.kind not in ("centred", "ceil", "convolutional"):
        raise ConfigurationError(
            "a law with frames in time",
            f"the law {law.kind!r}",
            "use the spec of the frames that it derives from",
        )
    return law.hop or int(np.prod(law.strides))


def _offset(law: FrameLaw) -> float:
    return receptive_field(law) / 2 if law.kind == "convolutional" else 0.0


def _convolved(n_samples: int, kernels: Sequence[int], strides: Sequence[int]) -> int:
    length = n_samples
    for kernel, stride in zip(kernels, strides, strict=True):
        if length < kernel:
            return 0
        length = (length - kernel) // stride + 1
    return length


def _unknown(law: FrameLaw) -> ConfigurationError:
    return ConfigurationError(f"a frame law of {', '.join(KINDS)}", repr(law.kind), "mend the spec")
