import json

from flows.encoder_list import encoder_lines


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
