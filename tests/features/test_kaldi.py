"""Kaldi's filter banks against AST's own front end and against kaldi-native-fbank."""

import kaldi_native_fbank
import numpy as np
import pytest

from features.clip import Clip
from features.kaldi import Fbank, fbank
from tests.features.signals import REAL, real, synthetic

SYNTHETIC = tuple(name for name, samples in synthetic(16_000).items() if len(samples) >= 400)


def sound(name):
    samples = synthetic(16_000)[name] if name in SYNTHETIC else real(name, 16_000)
    if samples is None:
        pytest.skip("no folder shared/corpora/originals beside the clone")
    return samples


@pytest.mark.filterwarnings("ignore:At least one mel filter")
@pytest.mark.parametrize("name", [*SYNTHETIC, REAL[0], REAL[2]])
def test_the_rows_are_asts(name):
    from transformers import ASTFeatureExtractor

    samples = sound(name)
    front = ASTFeatureExtractor(do_normalize=False)
    expected = front(samples, sampling_rate=16_000, return_tensors="np")["input_values"][0]
    ours = fbank(samples)
    assert len(ours) == 1 + (len(samples) - 400) // 160
    np.testing.assert_allclose(ours, expected[: len(ours)], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("window", ["hanning", "hamming"])
@pytest.mark.parametrize("name", [*SYNTHETIC, REAL[1]])
def test_forty_bands_are_kaldis(name, window):
    """kaldi-native-fbank refuses 128 bands at 16 kHz: with 40, each holds a bin."""
    samples = sound(name)
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0.0
    options.frame_opts.window_type = window
    options.mel_opts.num_bins = 40
    stream = kaldi_native_fbank.OnlineFbank(options)
    stream.accept_waveform(16_000, samples.tolist())
    stream.input_finished()
    expected = np.stack([stream.get_frame(row) for row in range(stream.num_frames_ready)])
    np.testing.assert_allclose(fbank(samples, window, bands=40), expected, rtol=1e-4, atol=1e-3)


def test_a_clip_shorter_than_a_window_has_no_rows():
    (rows,) = Fbank().extract_many([Clip(np.zeros(399, np.float32), 16_000)])
    assert rows.shape == (0, 128)


def test_the_window_is_part_of_the_spec():
    assert Fbank("hamming").spec.name == "fbank128-hamming"
    assert Fbank("hamming").spec.digest != Fbank().spec.digest
