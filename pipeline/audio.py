"""Reads, hashes, down-mixes and resamples audio files; the only module that knows soundfile and soxr."""

import hashlib
import io
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from features.framing import resampled_length
from store.errors import AudioError
from store.vocabulary import COMMON_RATE

AUDIO_SUFFIXES = frozenset(
    {f".{name.lower()}" for name in soundfile.available_formats() if name != "RAW"}
    | {".aif", ".aifc", ".snd", ".oga", ".opus", ".wave", ".sph", ".sf"}
)
"""Lower-case file extensions that libsndfile can read without being told the format (raw samples are not)."""

UNREADABLE_SUFFIXES = frozenset(
    {".m4a", ".aac", ".mp4", ".wma", ".webm", ".amr", ".3gp", ".mkv", ".avi", ".mov", ".flv", ".raw", ".pcm"}
)
"""Sound and film formats that libsndfile does not read: such files are reported instead of passed over."""

# libsndfile reads a shortened file without an error and only notes "data : 64000 (should be 900)" in its log.
_SHORTENED = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+)\s*\(should be (\d+)\)", re.M | re.I)
_SHORTENED_RF64 = "does not match value from 'ds64' chunk"
# Programs that write to a pipe cannot know the length and put a number of this size into the header.
_LENGTH_UNKNOWN = 0x7FFF0000


@dataclass(frozen=True)
class NativeAudio:
    """Samples as the file holds them: float32 in [-1, 1], shape (n_samples, channels), and their rate."""

    samples: NDArray[np.float32]
    rate: int

    @property
    def n_samples(self) -> int:
        """Number of samples of each channel."""
        return int(self.samples.shape[0])

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[1])


def read_native(path: Path) -> NativeAudio:
    """Decode a whole file at its own rate and channel count.

    Raises
    ------
    AudioError
        The file is missing, not a regular file, empty, unreadable, shortened, without samples or not finite.
    """
    _require_regular_file(path)
    try:
        with soundfile.SoundFile(str(path)) as file:
            declared, rate, log = file.frames, file.samplerate, file.extra_info
            samples = file.read(dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise _unusable(path, f"{path.name}, which cannot be decoded ({error})") from error
    if len(samples) == 0:
        raise _unusable(path, f"no samples in {path.name}")
    if len(samples) < declared or _is_shortened(log):
        raise _unusable(path, f"{path.name}, which ends before the length its header gives")
    if not np.isfinite(samples).all():
        raise _unusable(path, f"samples that are not finite numbers in {path.name}")
    return NativeAudio(samples=samples, rate=int(rate))


def content_hash(audio: NativeAudio) -> str:
    """Return the SHA-256 (hex) of the decoded samples with rate and channel count.

    The canonical form is interleaved little-endian float32. It holds samples of up to 24 bits exactly, so the
    same recording has one hash as WAV and as FLAC; samples of more bits are rounded first.
    """
    state = hashlib.sha256(f"{audio.rate}:{audio.channels}:".encode())
    state.update(np.ascontiguousarray(audio.samples, dtype="<f4").data)
    return state.hexdigest()


def to_mono(audio: NativeAudio, rate: int = COMMON_RATE) -> NDArray[np.float32]:
    """Return the mean of the channels at ``rate``: float32 of shape (ceil(n_samples * rate / native rate),).

    The resampler is soxr (HQ, linear phase); where its length differs from the law by a sample, the end is
    cut or padded with zeros.
    """
    if audio.channels == 1:
        mono = np.ascontiguousarray(audio.samples[:, 0])
    else:
        mono = audio.samples.mean(axis=1, dtype=np.float32)
    if audio.rate == rate:
        return mono
    wanted = resampled_length(audio.n_samples, audio.rate, rate)
    resampled = soxr.resample(mono, audio.rate, rate, quality="HQ")[:wanted]
    exact = np.zeros(wanted, dtype=np.float32)
    exact[: len(resampled)] = resampled
    return exact


def load(path: Path, rate: int = COMMON_RATE) -> NDArray[np.float32]:
    """Read a file as mono float32 at ``rate``: `read_native` (and its errors), then `to_mono`."""
    return to_mono(read_native(path), rate)


def write_wav(path: Path, samples: NDArray[np.float32], rate: int) -> None:
    """Write mono ``samples`` (n,) in [-1, 1] as a 16 bit WAV file; equal samples give equal bytes."""
    content = io.BytesIO()  # so that a full disk is an OSError and not one of libsndfile
    soundfile.write(content, samples, rate, format="WAV", subtype="PCM_16")
    path.write_bytes(content.getvalue())


def _require_regular_file(path: Path) -> None:
    """Refuse what cannot be a recording before libsndfile opens it: opening a pipe would wait for ever."""
    try:
        status = path.stat()
    except OSError as error:
        raise _unusable(path, f"{path.name}, which cannot be opened ({error.strerror})") from error
    if stat.S_ISDIR(status.st_mode):
        raise _unusable(path, f"a folder named {path.name}")
    if not stat.S_ISREG(status.st_mode):
        raise _unusable(path, f"{path.name}, which is not a regular file")
    if status.st_size == 0:
        raise _unusable(path, f"zero bytes in {path.name}")


def _is_shortened(log: str) -> bool:
    """Tell whether libsndfile found fewer bytes of sound than the header declares."""
    pairs = [(int(declared), int(present)) for declared, present in _SHORTENED.findall(log)]
    return _SHORTENED_RF64 in log or any(present < declared < _LENGTH_UNKNOWN for declared, present in pairs)


def _unusable(path: Path, found: str) -> AudioError:
    kind = path.suffix.lower() or "audio"
    return AudioError(f"a whole {kind} recording", found, "restore the file from the corpus or remove it")
