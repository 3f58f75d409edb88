import json

import pytest

from flows.configuration import load
from flows.encoder_list import encoder_lines
from flows.frames import experiment_of
from store.errors import ExtractionError


def test_encoders_are_listed_with_size_and_whether_they_are_at_hand(tmp_path):
    (tmp_path / "openai" / "whisper-base").mkdir(parents=True)
    lines = list(encoder_lines(tmp_path, as_json=False))
    base = next(line for line in lines if line.startswith("whisper-base "))
    assert base.endswith("mirror")
    assert "18.4" in base  # 6 layers x 512 x 3000 frames x 2 bytes

    rows = {row["name"]: row for row in json.loads("".join(encoder_lines(tmp_path, as_json=True)))}
    assert rows["whisper-base"]["at_hand"] == "mirror"
    assert rows["wavlm-large"]["hub"] == "microsoft/wavlm-large"
    assert rows["xls-r-300m"]["layers"] == 24


def test_a_mirror_that_is_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(ExtractionError, match="a folder of models"):
        list(encoder_lines(tmp_path / "nowhere", as_json=False))


@pytest.mark.parametrize("by_variable", [True, False])
def test_training_finds_the_frames_of_an_encoder_of_the_mirror(tmp_path, monkeypatch, by_variable):
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    config = Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(8, 8),
        conv_kernel=(10, 3), conv_stride=(5, 2), num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    Wav2Vec2Model(config).save_pretrained(tmp_path / "org" / "name")
    monkeypatch.setenv("PHONANCHOR_MODELS", str(tmp_path if by_variable else ""))
    mirror = [] if by_variable else [f"mirror={tmp_path}"]
    experiment = experiment_of(load(assignments=["encoder=org/name", *mirror]))
    assert experiment.frames.startswith("wav2vec2-")
