"""Kinds of odd and damaged audio files, and what becomes of each: read, or quarantined with a reason."""

import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
READ = ""
"""Stands for a file that is read."""


@dataclass(frozen=True)
class Kind:
    """How one file is made, the extension it has, and a part of the reason (`READ` for none)."""

    make: Callable[[Path], None]
    reason: str = READ
    suffix: str = ".wav"


def speech(seconds: float = 1.0, channels: int = 1, rate: int = RATE) -> np.ndarray:
    """Noise with the rise and fall of syllables; peak 0.5."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(5).uniform(-0.5, 0.5, (len(time), channels))
    return noise * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * time))[:, None]


def written(
    *, seconds=1.0, channels=1, rate=RATE, subtype="PCM_16", container="WAV", gain=1.0, at=None, value=0.0
) -> Callable[[Path], None]:
    """A whole file of this format; one sample may have another value."""

    def make(path: Path) -> None:
        samples = speech(seconds, channels, rate) * gain
        if at is not None:
            samples[at] = value
        soundfile.write(str(path), samples, rate, format=container, subtype=subtype)

    return make


def cut(part: float, **choices) -> Callable[[Path], None]:
    """A file that ends early."""

    def make(path: Path) -> None:
        written(**choices)(path)
        os.truncate(path, int(path.stat().st_size * part))

    return make


def patched(offset: int, data: bytes) -> Callable[[Path], None]:
    """A WAV file with other bytes in its header."""

    def make(path: Path) -> None:
        written()(path)
        content = bytearray(path.read_bytes())
        content[offset : offset + len(data)] = data
        path.write_bytes(content)

    return make


def of_bytes(data: bytes) -> Callable[[Path], None]:
    return lambda path: _discard(path.write_bytes(data))


def constant(value: float, seconds: float = 1.0, count: int | None = None) -> Callable[[Path], None]:
    """A file of one value."""
    size = round(seconds * RATE) if count is None else count
    return lambda path: soundfile.write(str(path), np.full(size, value), RATE, subtype="PCM_16")


def longer_than_the_header_says(path: Path) -> None:
    written()(path)
    with path.open("ab") as file:
        file.write(b"LIST" + struct.pack("<I", 4) + b"junk")


def looped(path: Path) -> None:
    path.symlink_to(path.name)  # nobody can open it, not even root, whom a mode of 000 does not stop


def dangling(path: Path) -> None:
    path.symlink_to("nowhere.wav")


def linked(path: Path) -> None:
    beside = path.parent.parent / "elsewhere.flac.bin"
    written(container="FLAC")(beside)
    path.symlink_to(beside)


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # the name of a socket may have some 100 bytes
    try:
        with socket.socket(socket.AF_UNIX) as here:
            here.bind(path.name)
    finally:
        os.chdir(before)


def _discard(_: object) -> None:
    return None


KINDS: dict[str, Kind] = {
    "truncated header": Kind(cut(0.0006), "cannot be decoded"),
    "only RIFF": Kind(of_bytes(b"RIFF"), "cannot be decoded"),
    "zero bytes": Kind(of_bytes(b""), "zero bytes"),
    "zeros for bytes": Kind(of_bytes(bytes(40_000)), "cannot be decoded"),
    "a web page": Kind(of_bytes(b"<html>404</html>" * 99), "cannot be decoded"),
    "random bytes": Kind(of_bytes(np.random.default_rng(3).bytes(40_000)), "cannot be decoded"),
    "ends early": Kind(cut(0.6), "ends before the length"),
    "FLAC that ends early": Kind(cut(0.6, container="FLAC"), "ends before|cannot be decoded", ".flac"),
    "no samples": Kind(constant(0.0, count=0), "no samples"),
    "one sample": Kind(constant(0.25, count=1)),
    "NaN": Kind(written(subtype="FLOAT", at=700, value=np.nan), "not finite"),
    "infinity": Kind(written(subtype="DOUBLE", at=700, value=np.inf), "not finite"),
    "float beyond 1": Kind(written(subtype="FLOAT", gain=40.0)),
    "8 bit": Kind(written(subtype="PCM_U8")),
    "24 bit": Kind(written(subtype="PCM_24")),
    "32 bit": Kind(written(subtype="PCM_32")),
    "mu-law": Kind(written(subtype="ULAW")),
    "ADPCM": Kind(written(subtype="IMA_ADPCM")),
    "96 kHz": Kind(written(rate=96_000)),
    "6 kHz": Kind(written(rate=6_000)),
    "six channels": Kind(written(channels=6)),
    "a rate of 0": Kind(patched(24, struct.pack("<I", 0)), "cannot be decoded|sample rate"),
    "0 channels": Kind(patched(22, struct.pack("<H", 0)), "cannot be decoded"),
    "an unknown codec": Kind(patched(20, struct.pack("<H", 0x7777)), "cannot be decoded"),
    "a data chunk of 2 GB": Kind(patched(40, struct.pack("<I", 0x7FFE0000)), "ends before the length"),
    "more after the end": Kind(longer_than_the_header_says),
    "FLAC called WAV": Kind(written(container="FLAC")),
    "WAV called FLAC": Kind(written(), suffix=".flac"),
    "MP3 called WAV": Kind(written(container="MP3", subtype="MPEG_LAYER_III")),
    "a film": Kind(written(), "libsndfile cannot read .mp4; convert it", ".mp4"),
    "a folder": Kind(folder, "a folder named"),
    "a dangling link": Kind(dangling, "cannot be opened"),
    "a link": Kind(linked),
    "unreadable": Kind(looped, "cannot be opened"),
    "a pipe": Kind(pipe, "not a regular file"),
    "a socket": Kind(listening, "not a regular file"),
    "silence": Kind(constant(0.0)),
    "a constant": Kind(constant(0.9)),
    "an hour of silence": Kind(constant(0.0, seconds=3600.0)),
}  # fmt: skip
