import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from features.clip import Clip
from features.framing import row_count
from features.mel import LogMel
from features.self_supervised import batches, encoder
from store.errors import ExtractionError

LENGTHS = (399, 400, 5_000, 16_000, 9_321)


@pytest.fixture(scope="module")
def families(tmp_path_factory):
    """Folders of tiny random models of the real classes."""
    import torch
    from transformers import (
        Data2VecAudioConfig,
        Data2VecAudioModel,
        HubertConfig,
        HubertModel,
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2Model,
        WavLMConfig,
        WavLMModel,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperModel,
    )

    small = {
        "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
        "conv_dim": [16] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
    }  # fmt: skip
    torch.manual_seed(0)
    group = {"feat_extract_norm": "group"}
    stable = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
    models = {
        "wav2vec2": Wav2Vec2Model(Wav2Vec2Config(**small, **group)),
        "wav2vec2-stable": Wav2Vec2Model(Wav2Vec2Config(**small, **stable)),
        "hubert": HubertModel(HubertConfig(**small, **group)),
        "wavlm": WavLMModel(WavLMConfig(**small, **group)),
        "data2vec-audio": Data2VecAudioModel(
            Data2VecAudioConfig(**{**small, "num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5})
        ),
        "whisper": WhisperModel(
            WhisperConfig(d_model=32, encoder_layers=3, encoder_attention_heads=4, encoder_ffn_dim=48,
                          decoder_layers=1, decoder_attention_heads=4, decoder_ffn_dim=48, vocab_size=8,
                          pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)
        ),
    }  # fmt: skip
    root = tmp_path_factory.mktemp("models")
    for name, model in models.items():
        model.save_pretrained(root / name)
        front = (
            WhisperFeatureExtractor() if name == "whisper" else Wav2Vec2FeatureExtractor(do_normalize=True)
        )
        front.save_pretrained(root / name)
    return root


def clips(lengths=LENGTHS):
    rng = np.random.default_rng(0)
    return [Clip((0.1 * rng.standard_normal(n)).astype(np.float32), 16_000) for n in lengths]


def reference(folder, clip):
    """h1 .. hL of the model as transformers computes them for one clip alone."""
    import torch
    from transformers import AutoFeatureExtractor, AutoModel

    front = AutoFeatureExtractor.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    inputs = front(clip.samples, sampling_rate=16_000, return_tensors="pt")
    module = model.get_encoder() if "input_features" in inputs else model
    with torch.inference_mode():
        values = next(iter(inputs[key] for key in ("input_values", "input_features") if key in inputs))
        output = module(values, output_hidden_states=True)
    # transformers 5 leaves the final norm out of hidden_states[-1] where the layers are pre-norm; 4 had it in
    hidden = (*output.hidden_states[1:-1], output.last_hidden_state)
    return torch.stack(hidden, dim=2)[0].numpy()


WAVEFORM = ["wav2vec2", "wav2vec2-stable", "hubert", "wavlm", "data2vec-audio"]


@pytest.mark.parametrize("name", WAVEFORM)
def test_frames_are_the_hidden_states_of_transformers_for_any_batch(families, name):
    extractor = encoder(str(families / name), dtype="float32")
    together = extractor.extract_many(clips())
    for clip, rows in zip(clips(), together, strict=True):
        assert rows.shape == (row_count(extractor.spec.law, clip.samples.size), 3, 32)
        if len(rows):
            np.testing.assert_allclose(rows, reference(families / name, clip), rtol=1e-3, atol=1e-4)
            np.testing.assert_allclose(rows, extractor.extract_many([clip])[0], rtol=1e-3, atol=1e-4)


def test_whisper_frames_are_the_valid_part_of_the_padded_computation(families):
    extractor = encoder(str(families / "whisper"), dtype="float32", padding="exact")
    for clip in clips((1, 320, 321, 16_000)):
        (rows,) = extractor.extract_many([clip])
        assert len(rows) == row_count(extractor.spec.law, clip.samples.size)
        expected = reference(families / "whisper", clip)[: len(rows)]
        np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-5)


def test_whisper_cuts_recordings_longer_than_its_window(families):
    extractor = encoder(str(families / "whisper"), dtype="float32", padding="exact")
    (long,) = clips((480_000 + 3_201,))
    (rows,) = extractor.extract_many([long])
    assert len(rows) == row_count(extractor.spec.law, long.samples.size) == 1511
    (rest,) = extractor.extract_many([Clip(long.samples[480_000:], 16_000)])
    np.testing.assert_allclose(rows[1500:], rest, rtol=1e-4, atol=1e-5)


def test_layers_can_be_named_and_are_part_of_the_spec(families):
    folder = str(families / "hubert")
    every, some = encoder(folder), encoder(folder, layers=(3, 1))
    assert (every.spec.dims, some.spec.dims) == ((3, 32), (2, 32))
    assert every.spec.digest != some.spec.digest
    np.testing.assert_array_equal(every.extract_many(clips())[3][:, [0, 2]], some.extract_many(clips())[3])


@pytest.mark.parametrize("layers", [(0,), (4,), (), "last"])
def test_layers_that_the_model_lacks_are_refused(families, layers):
    with pytest.raises(ExtractionError, match="layers from 1 to 3"):
        encoder(str(families / "hubert"), layers=layers)


def test_the_spec_names_the_weights_and_not_the_folder(families, tmp_path):
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for file in (families / "wavlm").iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    first, second = encoder(str(families / "wavlm")).spec, encoder(str(moved)).spec
    assert first.digest == second.digest
    assert str(families) not in str(first.canonical())
    assert first.digest != encoder(str(families / "hubert")).spec.digest


def test_other_weights_give_another_spec(families, tmp_path):
    from transformers import HubertModel

    model = HubertModel.from_pretrained(families / "hubert")
    model.encoder.layers[0].final_layer_norm.bias.data += 1.0
    model.save_pretrained(tmp_path)
    assert encoder(str(tmp_path)).spec.digest != encoder(str(families / "hubert")).spec.digest


@pytest.mark.parametrize("name", ["wav2vec2", "whisper"])
def test_extractors_can_be_pickled_after_use(families, name):
    extractor = encoder(str(families / name))
    before = extractor.extract_many(clips((4_000,)))
    data = pickle.dumps(extractor)
    assert len(data) < 5_000
    np.testing.assert_array_equal(pickle.loads(data).extract_many(clips((4_000,)))[0], before[0])  # noqa: S301


def test_a_model_without_all_weights_is_refused(families, tmp_path):
    from safetensors.torch import load_file, save_file

    for file in (families / "wav2vec2").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop("encoder.layers.1.attention.q_proj.weight")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ExtractionError, match=r"1 missing, e\.g\. encoder\.layers\.1"):
        encoder(str(tmp_path)).extract_many(clips())


def test_another_kind_of_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ExtractionError, match="'bert'"):
        encoder(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "match"),
    [({}, "config.json"), ({"config.json": "{"}, "config.json"), ({"config.json": "{}"}, "weights")],
)
def test_a_folder_that_is_no_model_is_one_clear_line(tmp_path, content, match):
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ExtractionError, match=match) as caught:
        encoder(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_missing_model_offline_is_one_clear_line(tmp_path):
    code = (
        "from features.extractor import build_extractors\n"
        "from store.errors import ExtractionError\n"
        "try: build_extractors(['encoder'], encoder='nobody/no-such-model')\n"
        "except ExtractionError as error: print(error)\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert "nobody/no-such-model" in done.stdout
    assert "name that folder" in done.stdout


def test_loading_says_nothing(families, capfd):
    from features import self_supervised

    self_supervised._model.cache_clear()
    encoder(str(families / "hubert")).extract_many(clips())
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_batches_hold_each_clip_once_and_like_lengths():
    counts = [0, 10, 900, 20, 0, 800, 15]
    found = list(batches(counts))
    assert sorted(index for batch in found for index in batch) == [1, 2, 3, 5, 6]
    assert all(len(batch) * max(counts[i] for i in batch) <= 1_000 or len(batch) == 1 for batch in found)


def test_an_empty_clip_is_refused(families):
    for extractor in (encoder(str(families / "wavlm")), encoder(str(families / "whisper")), LogMel()):
        with pytest.raises(ExtractionError, match="mono samples"):
            extractor.extract_many([Clip(np.zeros(0, np.float32), 16_000)])


SHARED = Path(__file__).parents[2].parent / "shared"
needs_whisper_base = pytest.mark.skipif(
    not (SHARED / "models/whisper-base").is_dir() or not (SHARED / "corpora/emodb/wav").is_dir(),
    reason="needs whisper-base and EMO-DB in ../shared",
)


def test_whisper_landmarks_come_close_to_the_padded_computation(families):
    """Landmarks everywhere would be exact; few landmarks of a random model are near."""
    folder = str(families / "whisper")
    brief, whole = encoder(folder, dtype="float32"), encoder(folder, dtype="float32", padding="exact")
    assert brief.spec.digest != whole.spec.digest
    for clip in clips((1, 320, 16_000, 100_000)):
        (near,), (exact,) = brief.extract_many([clip]), whole.extract_many([clip])
        assert near.shape == exact.shape
        assert np.linalg.norm(near - exact) / np.linalg.norm(exact) < 1e-3


def test_whisper_landmarks_at_every_position_are_exact(families, monkeypatch):
    from features import whisper_padding

    monkeypatch.setattr(whisper_padding, "SINKS", 1_500)
    folder = str(families / "whisper")
    brief, whole = encoder(folder, dtype="float32"), encoder(folder, dtype="float32", padding="exact")
    (clip,) = clips((16_000,))
    np.testing.assert_allclose(
        brief.extract_many([clip])[0], whole.extract_many([clip])[0], rtol=1e-3, atol=2e-5
    )


def test_long_clips_and_full_windows_are_exact(families):
    folder = str(families / "whisper")
    brief, whole = encoder(folder, dtype="float32"), encoder(folder, dtype="float32", padding="exact")
    (clip,) = clips((480_000,))
    np.testing.assert_array_equal(brief.extract_many([clip])[0], whole.extract_many([clip])[0])


def test_windows_computed_together_are_those_computed_alone(families, monkeypatch):
    from features import whisper

    extractor = encoder(str(families / "whisper"), dtype="float32", padding="exact", layers=(1, 3))
    items = clips((16_000, 480_000 + 3_201, 321))
    alone = extractor.extract_many(items)
    monkeypatch.setitem(whisper._WINDOWS_PER_BATCH, "cpu", 3)
    for rows, expected in zip(extractor.extract_many(items), alone, strict=True):
        np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-5)


def test_an_unknown_padding_is_refused(families):
    with pytest.raises(ExtractionError, match="landmarks, exact"):
        encoder(str(families / "whisper"), padding="none")


@needs_whisper_base
def test_whisper_base_agrees_with_the_padded_computation():
    import soundfile

    folder = SHARED / "models/whisper-base"
    file = sorted((SHARED / "corpora/emodb/wav").iterdir())[0]
    clip = Clip(soundfile.read(file, dtype="float32")[0], 16_000)
    expected = reference(folder, clip)
    (exact,) = encoder(str(folder), dtype="float32", padding="exact").extract_many([clip])
    (brief,) = encoder(str(folder), dtype="float32").extract_many([clip])
    assert brief.shape == exact.shape == (-(-clip.samples.size // 320), 6, 512)
    expected = expected[: len(exact)]
    assert np.linalg.norm(exact - expected) / np.linalg.norm(expected) < 1e-4
    for layer in range(6):
        frame = np.linalg.norm(brief[:, layer] - expected[:, layer], axis=1)
        frame /= np.linalg.norm(expected[:, layer], axis=1)
        assert np.median(frame) < 0.02
        assert np.linalg.norm(brief[:, layer] - expected[:, layer]) < 0.05 * np.linalg.norm(
            expected[:, layer]
        )
