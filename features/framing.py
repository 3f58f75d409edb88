"""The frame laws: how many rows a recording gives."""

from collections.abc import Sequence

from store.errors import ConfigurationError
from store.records import FrameLaw
from store.vocabulary import NATIVE_RATE

KINDS: tuple[str, ...] = (
    "centred", "ceil", "convolutional", "fixed", "phones", "phone-frames", "utterance",
)  # fmt: skip


def resampled_length(n_samples: int, rate: int, target: int) -> int:
    """Return how many samples ``n_samples`` at ``rate`` become at ``target``: the quotient rounded up.

    A ``target`` of `NATIVE_RATE` leaves them as they are.
    """
    return n_samples if target == NATIVE_RATE else -(-n_samples * target // rate)


def row_count(law: FrameLaw, n_samples: int, n_phones: int = 0) -> int:
    """Return the number of rows of a recording of ``n_samples`` at the spec's rate.

    An empty recording has no rows under any law; a recording that is shorter than the receptive field of a
    convolutional stack has none either. The rows of ``phone-frames`` follow from the phones' times too: see
    `features.segments.kept_rows`. Raises `ConfigurationError` on a law of another kind.
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
    if law.kind in ("fixed", "utterance"):
        return law.rows if law.kind == "fixed" else 1
    raise _unknown(law)


def _convolved(n_samples: int, kernels: Sequence[int], strides: Sequence[int]) -> int:
    length = n_samples
    for kernel, stride in zip(kernels, strides, strict=True):
        if length < kernel:
            return 0
        length = (length - kernel) // stride + 1
    return length


def _unknown(law: FrameLaw) -> ConfigurationError:
    counted = ", ".join(kind for kind in KINDS if kind != "phone-frames")
    return ConfigurationError(f"a frame law of {counted}", repr(law.kind), "mend the spec")
