"""The frame laws: how many rows a recording gives."""

from collections.abc import Sequence

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


def _convolved(n_samples: int, kernels: Sequence[int], strides: Sequence[int]) -> int:
    length = n_samples
    for kernel, stride in zip(kernels, strides, strict=True):
        if length < kernel:
            return 0
        length = (length - kernel) // stride + 1
    return length


def _unknown(law: FrameLaw) -> ConfigurationError:
    return ConfigurationError(f"a frame law of {', '.join(KINDS)}", repr(law.kind), "mend the spec")
