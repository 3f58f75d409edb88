"""Reading, hashing and resampling audio files."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audio import NativeAudio, content_hash, load, read_native, to_mono, write_wav
from store.errors import AudioError
from tests.pipeline.corpus_trees import CORPORA, tone

FORMATS = {
    "wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "aiff": ("AIFF", "PCM_16"), "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"), "w64": ("W64", "PCM_16"), "rf64": ("RF64", "PCM_16"), "sph": ("NIST", "PCM_16"),
}  # fmt: skip


def noise(n: int = 4_000, channels: int = 1) -> np.ndarray:
    values = np.random.default_rng(7).integers(-9_000, 9_000, (n, channels))
    return (values / 32768).astype(np.float32)


def audio(samples: np.ndarray, rate: int) -> NativeAudio:
    return NativeAudio(samples.astype(np.float32), rate)


@pytest.mark.parametrize("extension", FORMATS)
def test_lossless_formats_give_the_same_samples_and_hash(tmp_path: Path, extension: str) -> None:
    container, subtype = FORMATS[extension]
    samples = noise(channels=2)
    soundfile.write(str(tmp_path / f"x.{extension}"), samples, 22_050, format=container, subtype=subtype)
    read = read_native(tmp_path / f"x.{extension}")
    assert (read.rate, read.n_samples, read.channels) == (22_050, 4_000, 2)
    np.testing.assert_array_equal(read.samples, samples)
    assert content_hash(read) == content_hash(audio(samples, 22_050))


@pytest.mark.parametrize(
    ("container", "subtype", "name"), [("OGG", "VORBIS", "x.ogg"), ("MP3", None, "x.mp3")]
)
def test_compressed_formats_are_read(tmp_path: Path, container: str, subtype: str | None, name: str) -> None:
    soundfile.write(str(tmp_path / name), noise(16_000), 16_000, format=container, subtype=subtype)
    assert abs(read_native(tmp_path / name).n_samples - 16_000) < 3_000


def test_the_extension_case_does_not_matter(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav").rename(tmp_path / "a.WAV")
    assert read_native(tmp_path / "a.WAV").n_samples == 1_600


def test_the_hash_depends_on_samples_rate_and_channels() -> None:
    samples = noise(100)
    variants = [
        audio(samples, 16_000), audio(samples, 8_000), audio(samples[:-1], 16_000),
        audio(np.repeat(samples, 2, axis=1), 16_000), audio(samples.reshape(50, 2), 16_000),
        audio(samples[::-1], 16_000),
    ]  # fmt: skip
    assert len({content_hash(variant) for variant in variants}) == len(variants)


def test_the_hash_does_not_depend_on_the_memory_layout() -> None:
    samples = noise(100, channels=2)
    turned = audio(np.asfortranarray(samples), 16_000)
    assert content_hash(turned) == content_hash(audio(samples, 16_000))


def test_the_hash_stays_what_it_was() -> None:
    # stored rows are named by it: a changed value would throw away every store
    ramp = audio(np.arange(-8, 8, dtype=np.float32).reshape(8, 2) / 16, 16_000)
    assert content_hash(ramp) == "c500ef05b9cf18e115fa49acde8c663042640e4dc66df9f10a2ccea5009210ff"


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"a\.wav, which cannot be opened"):
        read_native(tmp_path / "a.wav")


def test_a_folder_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(AudioError, match=r"a folder named a\.wav"):
        read_native(tmp_path / "a.wav")


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="not a regular file"):
        read_native(tmp_path / "a.wav")


def test_a_dangling_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to(tmp_path / "nowhere.wav")
    with pytest.raises(AudioError, match="cannot be opened"):
        read_native(tmp_path / "a.wav")


def test_zero_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    with pytest.raises(AudioError, match="zero bytes"):
        read_native(tmp_path / "a.wav")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.raw", "a"])
def test_text_is_no_recording(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("<html>404 not found</html>" * 50)
    with pytest.raises(AudioError, match="cannot be decoded"):
        read_native(tmp_path / name)


@pytest.mark.parametrize("extension", ["wav", "flac", "aiff", "au", "caf", "rf64"])
def test_a_shortened_file_is_refused(tmp_path: Path, extension: str) -> None:
    container, subtype = FORMATS[extension]
    path = tmp_path / f"a.{extension}"
    soundfile.write(str(path), noise(), 16_000, format=container, subtype=subtype)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(AudioError, match=r"ends before the length|cannot be decoded"):
        read_native(path)


def test_a_header_of_unknown_length_is_accepted(tmp_path: Path) -> None:
    # programs that write to a pipe put 0xFFFFFFFF where the length belongs
    path = tmp_path / "a.wav"
    soundfile.write(str(path), noise(), 16_000)
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = b"\xff\xff\xff\xff"
    content[4:8] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(content))
    assert read_native(path).n_samples == 4_000


def test_no_samples(tmp_path: Path) -> None:
    soundfile.write(str(tmp_path / "a.wav"), np.zeros((0, 1)), 16_000)
    with pytest.raises(AudioError, match="no samples"):
        read_native(tmp_path / "a.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    samples = noise()
    samples[17] = value
    soundfile.write(str(tmp_path / "a.wav"), samples, 16_000, subtype="FLOAT")
    with pytest.raises(AudioError, match="not finite"):
        read_native(tmp_path / "a.wav")


def test_channels_are_averaged() -> None:
    left, right = noise(50)[:, 0], noise(50)[::-1, 0]
    mono = to_mono(audio(np.stack([left, right], axis=1), 16_000))
    np.testing.assert_allclose(mono, (left + right) / 2, atol=1e-7)
    assert mono.dtype == np.float32


def test_the_common_rate_is_left_untouched() -> None:
    samples = noise(321)
    np.testing.assert_array_equal(to_mono(audio(samples, 16_000)), samples[:, 0])


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 5_000),
    native=st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 24_414, 44_100, 48_000]),
    rate=st.sampled_from([16_000, 22_050]),
)
def test_resampling_gives_the_length_of_the_law(n: int, native: int, rate: int) -> None:
    mono = to_mono(audio(np.ones((n, 1)), native), rate)
    assert mono.shape == (-(-n * rate // native),)
    assert np.isfinite(mono).all()


def test_resampling_keeps_a_tone_and_removes_what_is_above_half_the_rate(tmp_path: Path) -> None:
    low = load(tone(tmp_path / "low.wav", hertz=1_000, rate=48_000, seconds=0.5))
    high = load(tone(tmp_path / "high.wav", hertz=12_000, rate=48_000, seconds=0.5))
    ideal = 0.3 * np.sin(2 * np.pi * 1_000 * np.arange(8_000) / 16_000)
    np.testing.assert_allclose(low[500:-500], ideal[500:-500], atol=2e-3)
    assert np.abs(high[500:-500]).max() < 1e-3


def test_written_samples_come_back(tmp_path: Path) -> None:
    samples = noise(1_000)[:, 0]
    for name in ("a.wav", "b.wav"):
        write_wav(tmp_path / name, samples, 16_000)
    np.testing.assert_array_equal(load(tmp_path / "a.wav"), samples)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@pytest.mark.skipif(not CORPORA.is_dir(), reason="no ../shared/corpora beside the checkout")
@pytest.mark.parametrize(
    ("original", "converted"),
    [
        ("ravdess/Actor_01/03-01-02-01-01-02-01.wav", "ravdess/Actor_01/03-01-02-01-01-02-01.flac"),
        ("emovo/f1/dis-f1-b1.wav", "emovo/f1/dis-f1-b1.flac"),
        ("nemo/samples/EB0_anger_1.wav", "nemo/samples/EB0_anger_1.flac"),
        ("emodb/wav/03a01Fa.wav", "emodb/wav/03a01Fa.flac"),
    ],
)
def test_originals_sound_like_their_16_khz_copies(original: str, converted: str) -> None:
    ours, theirs = load(CORPORA / "originals" / original), load(CORPORA / converted)
    assert abs(len(ours) - len(theirs)) <= 1
    n = min(len(ours), len(theirs))
    assert np.corrcoef(ours[:n], theirs[:n])[0, 1] > 0.999
