"""Speech encoders of other classes, and models by short name, revision and mirror."""

import numpy as np
import pytest

from features import weights
from features.any_encoder import measured_law
from features.clip import Clip
from features.encoder_names import PUBLISHED, hub_id
from features.framing import row_count
from features.self_supervised import encoder
from store.errors import ExtractionError
from store.records import FrameLaw

RATE = 16_000
LENGTHS = (50, 399, 1_234, 20_000, 33_333)


def conformer(transformers):
    config = transformers.Wav2Vec2ConformerConfig(
        **SMALL, conv_dim=[16] * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4
    )
    return transformers.Wav2Vec2ConformerModel(config), transformers.Wav2Vec2FeatureExtractor()


def sew(transformers):
    config = transformers.SEWConfig(
        **SMALL, conv_dim=[16] * 13, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4
    )
    return transformers.SEWModel(config), transformers.Wav2Vec2FeatureExtractor()


def wav2vec2_bert(transformers):
    return (
        transformers.Wav2Vec2BertModel(transformers.Wav2Vec2BertConfig(**SMALL)),
        transformers.SeamlessM4TFeatureExtractor(),
    )


def moonshine(transformers):
    config = transformers.MoonshineConfig(
        hidden_size=32, intermediate_size=48, encoder_num_hidden_layers=3, decoder_num_hidden_layers=1,
        encoder_num_attention_heads=4, decoder_num_attention_heads=4,
    )  # fmt: skip
    return transformers.MoonshineModel(config), transformers.Wav2Vec2FeatureExtractor()


def parakeet(transformers):
    config = transformers.ParakeetEncoderConfig(**SMALL)
    return transformers.ParakeetEncoder(config), transformers.ParakeetFeatureExtractor()


def spectrogram_transformer(transformers):
    return transformers.ASTModel(transformers.ASTConfig(**SMALL)), transformers.ASTFeatureExtractor()


SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
OTHERS = {make.__name__: make for make in (conformer, sew, wav2vec2_bert, moonshine, parakeet)}


def saved(make, folder):
    import torch
    import transformers

    torch.manual_seed(0)
    with weights.quiet():
        for part in make(transformers):
            part.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("mirror")
    return {name: saved(make, root / "org" / name) for name, make in OTHERS.items()}


def clip(samples):
    return Clip((0.1 * np.random.default_rng(1).standard_normal(samples)).astype(np.float32), RATE)


def states(folder, samples):
    """The last hidden state of the whole model, as transformers computes it."""
    import torch
    from transformers import AutoFeatureExtractor, AutoModel

    with weights.quiet():
        front, model = AutoFeatureExtractor.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    module = model.get_encoder() if model.config.is_encoder_decoder else model
    with torch.inference_mode():
        output = module(**front(samples, sampling_rate=RATE, return_tensors="pt"), output_hidden_states=True)
    return [item[0].numpy() for item in output.hidden_states[1:]], output.last_hidden_state[0].numpy()


@pytest.mark.parametrize("name", OTHERS)
def test_other_classes_give_all_layers_and_as_many_frames_as_their_law_says(models, name):
    extractor = encoder(str(models[name]), dtype="float32")
    assert extractor.spec.dims == (3, 32)
    rows = extractor.extract_many([clip(samples) for samples in LENGTHS])
    assert [len(item) for item in rows] == [row_count(extractor.spec.law, n) for n in LENGTHS]
    hidden, last = states(models[name], clip(LENGTHS[-1]).samples)
    np.testing.assert_allclose(rows[-1][:, 0], hidden[0], rtol=1e-4, atol=1e-5)
    top = last if last.shape == hidden[-1].shape else hidden[-1]
    np.testing.assert_allclose(rows[-1][:, 2], top, rtol=1e-4, atol=1e-5)


def test_a_model_with_a_fixed_window_is_refused(tmp_path):
    with pytest.raises(ExtractionError, match="audio-spectrogram-transformer"):
        encoder(str(saved(spectrogram_transformer, tmp_path)))


@pytest.mark.parametrize(
    "law",
    [
        FrameLaw(kind="convolutional", kernels=(10, 3, 3, 3, 3, 2, 2), strides=(5, 2, 2, 2, 2, 2, 2)),
        FrameLaw(kind="centred", hop=160),
        FrameLaw(kind="ceil", hop=320),
    ],
)
def test_a_measured_law_is_the_true_one(law):
    found = measured_law(lambda samples: row_count(law, samples), RATE)
    assert found is not None
    assert all(row_count(found, n) == row_count(law, n) for n in range(1, 9_000, 7))


def test_counts_that_follow_no_law_are_refused():
    assert measured_law(lambda samples: 100 if samples > 20_000 else samples // 7, RATE) is None
    assert measured_law(lambda _: 1500, RATE) is None


def test_short_names_stand_for_hub_ids_of_one_model_each():
    assert hub_id("wavlm-large") == "microsoft/wavlm-large"
    assert hub_id("someone/else") == "someone/else"
    assert (
        len({entry.name for entry in PUBLISHED}) == len({entry.hub for entry in PUBLISHED}) == len(PUBLISHED)
    )


@pytest.mark.parametrize("place", ["facebook/wav2vec2-base", "facebook--wav2vec2-base", "wav2vec2-base"])
def test_a_mirror_is_searched_before_the_hub(models, tmp_path, place):
    saved(conformer, tmp_path / place)
    extractor = encoder("wav2vec2-base", mirror=tmp_path)
    assert extractor.folder == tmp_path / place
    assert extractor.source == f"facebook/wav2vec2-base in {tmp_path}"
    assert weights.at_hand("wav2vec2-base", tmp_path) == "mirror"


def test_a_revision_is_taken_from_the_folder_that_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_from_hub", lambda name, revision: pytest.fail(f"hub: {name} {revision}"))
    saved(conformer, tmp_path / "org/name@v2")
    assert encoder("org/name@v2", mirror=tmp_path).source.startswith("org/name@v2")


def test_a_model_of_the_hub_is_named_by_its_commit(models, tmp_path, monkeypatch):
    asked = []

    def download(name, revision, allow_patterns):
        asked.append((name, revision, tuple(allow_patterns)))
        return str(saved(conformer, tmp_path / "snapshots" / "0123abcd"))

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert encoder("hubert-base@main").source == "facebook/hubert-base-ls960@0123abcd"
    assert asked[0][:2] == ("facebook/hubert-base-ls960", "main")


def test_a_mirror_that_is_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(ExtractionError, match="a folder of models"):
        encoder("wav2vec2-base", mirror=tmp_path / "nowhere")


def test_a_name_cannot_leave_the_mirror(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_from_hub", lambda *_: tmp_path)
    saved(conformer, tmp_path / "outside")
    (tmp_path / "mirror").mkdir()
    with pytest.raises(ExtractionError, match=r"config\.json"):
        encoder("../outside@x", mirror=tmp_path / "mirror")
