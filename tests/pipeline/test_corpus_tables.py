"""What the adapters that read tables say of published names and tables, and of each corpus's pitfalls."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.corpora.corpus import CorpusItem, corpus_by_name
from pipeline.corpora.dawid_skene import dawid_skene
from pipeline.corpora.esd import transcripts
from store.errors import CorpusError
from tests.pipeline import corpus_trees
from tests.pipeline.corpus_trees import small_corpus, tone
from tests.pipeline.test_corpora import split_rows


def read(name: str, root: Path) -> tuple[dict[str, CorpusItem], dict[str, str]]:
    return split_rows(corpus_by_name(name), root)


def said(item: CorpusItem) -> tuple[object, ...]:
    return item.speaker, item.gender, item.emotion_label, item.text, item.split


# --------------------------------------------------------------------- ESD


def test_esd_reads_four_encodings_and_lines_without_tabs(tmp_path: Path) -> None:
    items, _ = read("esd-en", small_corpus("esd-en", tmp_path))
    assert {stem: said(item) for stem, item in items.items()} == {
        "0011_000351": ("0011", "male", "Angry", "The nine the eggs, I keep.", "validation"),
        "0013_001451": ("0013", "male", "Surprise", "I did go and made many prisoners.", "train"),
        "0017_000021": ("0017", "female", "Neutral", "It’s a café.", "test"),
        "0017_001101": ("0017", "female", "Sad", "I did go and made many prisoners.", "train"),
    }
    items, _ = read("esd-zh", small_corpus("esd-zh", tmp_path))
    assert {stem: said(item) for stem, item in items.items()} == {
        "0001_000701": ("0001", "female", "Happy", "打远一看，它们的确很是美丽，", "validation"),
        "0005_001071": ("0005", "male", "Sad", "他有两个孩子。", "test"),
        "0010_000700": ("0010", "male", "Angry", "小树苗。", "train"),
    }
    assert [items[stem].text_id for stem in sorted(items)] == ["001", "021", "350"]


def test_the_two_languages_of_esd_lie_in_one_folder(tmp_path: Path) -> None:
    for place in ("0001/Angry/0001_000351.wav", "0011/Sad/0011_001101.wav", "0021/Sad/0021_001101.wav"):
        tone(tmp_path / "ESD" / place)
    for speaker in ("0001", "0011"):
        (tmp_path / "ESD" / speaker / f"{speaker}.txt").write_text(f"{speaker}_000001\tx\ty\n")
    for name, stem in (("esd-zh", "0001_000351"), ("esd-en", "0011_001101")):
        items, skipped = read(name, corpus_by_name(name).folder(tmp_path))
        assert set(items) == {stem}
        assert set(skipped) == {"0021/Sad/0021_001101.wav"}


def test_esd_takes_the_label_from_the_folder(tmp_path: Path) -> None:
    tone(tmp_path / "0011" / "Sad" / "0011_000351.wav")  # a number of Angry
    tone(tmp_path / "0011" / "0011_000352.wav")
    (tmp_path / "0011" / "0011.txt").write_text("0011_000351\tText.\tSad\n")
    items, _ = read("esd-en", tmp_path)
    assert (items["0011_000351"].emotion_label, items["0011_000352"].emotion_label) == ("Sad", "Angry")
    assert items["0011_000352"].text is None


def test_transcripts_of_esd_that_are_missing_or_empty_are_errors(tmp_path: Path) -> None:
    tone(tmp_path / "0011" / "Sad" / "0011_001101.wav")
    with pytest.raises(CorpusError, match=r"table 0011\.txt .*to mend it: unpack the transcripts"):
        read("esd-en", tmp_path)
    (tmp_path / "0011.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(CorpusError, match="lines of id, text and emotion"):
        transcripts(tmp_path / "0011.txt", "cp1252")


# --------------------------------------------------------------------- THAI SER


def test_thai_ser_counts_votes_and_keeps_agreement_and_labelled_microphones(tmp_path: Path) -> None:
    root = small_corpus("thai-ser", tmp_path)
    tone(root / "studio1-10" / "studio001" / "clip" / "s001_clip_actor001_script2_2_2b.flac")
    tone(root / "studio001" / "con" / "s001_con_actor001_impro1_1.flac")
    tone(root / "studio001" / "con" / "s001_con_actor001_script1_1_1a.flac")
    labels = json.loads(corpus_trees.THAI_LABELS)
    labels["s001_con_actor001_impro1_1.flac"] = [{"annotated": [["Sad"], ["Sad"], ["Neutral"]]}]
    labels["s002_con_actor003_impro1_1.flac"] = [{"annotated": [["None"], []]}]
    (root / "emotion_label.json").write_text(json.dumps(labels))
    items, skipped = read("thai-ser", root)
    script = items["s001_con_actor001_script2_2_2b"]
    assert said(script) == ("actor001", "female", "Angry", None, "fold1")
    assert script.perceived == pytest.approx({"Angry": 0.8, "Frustrated": 0.1, "Sad": 0.1})
    assert script.group == "s001"
    assert said(items["z020_mic_actor200_impro1_3"]) == ("actor200", "male", "Frustrated", None, "zoom")
    assert (
        "copies what con or mic recorded"
        in skipped["studio1-10/studio001/clip/s001_clip_actor001_script2_2_2b.flac"]
    )
    assert "no emotion has 71%" in skipped["studio001/con/s001_con_actor001_impro1_1.flac"]
    assert "does not list" in skipped["studio001/con/s001_con_actor001_script1_1_1a.flac"]
    assert "the folder lacks it" in skipped["s002_con_actor003_impro1_1.flac"]


# --------------------------------------------------------------------- podcasts


def test_msp_podcast(tmp_path: Path) -> None:
    items, skipped = read("msp-podcast", small_corpus("msp-podcast", tmp_path))
    assert skipped == {}
    first, second, third = (items[stem] for stem in sorted(items))
    assert said(first) == ("127", "male", "N", "Well, I think so.", "test1")
    assert first.perceived == {"Neutral": 0.5, "Sad": 0.25, "Other": 0.25}
    assert (first.arousal, first.valence, first.dominance, first.group) == (3.4, 4.0, 4.2, "0001")
    assert said(second) == ("broadcast-0153", "unknown", "H", "That is great!", "validation")
    assert said(third) == ("broadcast-1023-female", "female", "O", "I do not know.", "train")
    assert second.perceived == third.perceived == {}


def test_msp_podcast_without_agreement_labels_or_rows(tmp_path: Path) -> None:
    root = small_corpus("msp-podcast", tmp_path)
    table = corpus_trees.MSP_CONSENSUS.replace(",H,5,", ",X,5,").replace(",O,2,", ",,,")
    table = table.replace(",,,2,3,", ",,,,,") + "MSP-PODCAST_2000_0001.wav,A,1,1,1,3,Male,Train\n"
    (root / "Labels" / "labels_consensus.csv").unlink()
    (root / "Labels" / "labels_concensus.csv").write_text(table)  # as older releases spell it
    tone(root / "Audios" / "MSP-PODCAST_3000_0001.wav")
    items, skipped = read("msp-podcast", root)
    assert set(items) == {"MSP-PODCAST_0001_0008"}
    assert "do not agree" in skipped["Audios/MSP-PODCAST_0153_0226_0001.wav"]
    assert "withheld" in skipped["Audios/MSP-PODCAST_1023_0235.wav"]
    assert "does not list" in skipped["Audios/MSP-PODCAST_3000_0001.wav"]
    assert "the folder lacks it" in skipped["MSP-PODCAST_2000_0001.wav"]


def test_a_speaker_of_two_genders_has_the_more_frequent_one(tmp_path: Path) -> None:
    root = small_corpus("msp-podcast", tmp_path)
    table = corpus_trees.MSP_CONSENSUS.replace("Unknown,Unknown", "127,Unknown")
    (root / "Labels" / "labels_consensus.csv").write_text(table.replace("Unknown,Female", "127,Male"))
    items, _ = read("msp-podcast", root)
    assert {(item.speaker, item.gender) for item in items.values()} == {("127", "male")}


def test_biic_podcast_takes_words_and_digits_and_names_speakers_after_the_broadcast(tmp_path: Path) -> None:
    items, _ = read("biic-podcast", small_corpus("biic-podcast", tmp_path))
    assert said(items["BIIC-PODCAST_0001_0031"]) == ("broadcast-0001", "unknown", "Angry", None, "train")
    assert said(items["BIIC-PODCAST_0001_0016_0001"]) == ("broadcast-0001", "unknown", "7", None, "test")


# --------------------------------------------------------------------- Dusha

SURE, UNSURE, CONTROL, OTHER = ("0" * 31 + digit for digit in "1234")


def dusha(root: Path) -> None:
    votes = corpus_trees.DUSHA_TRAIN.replace("\tangry\t", "\tneutral\t", 1)
    rows = votes + "".join((
        corpus_trees.dusha_rows(SURE, "sad sad sad sad sad", "привет", ""),
        corpus_trees.dusha_rows(UNSURE, "angry sad neutral positive other", "пока", "src1"),
        corpus_trees.dusha_rows(CONTROL, "sad sad sad sad sad", "да", "src1", golden="sad"),
        corpus_trees.dusha_rows(OTHER, "other other other other other", "нет", "src1"),
    ))  # fmt: skip
    (root / "crowd_train" / "raw_crowd_train.tsv").write_text(rows, encoding="utf-8")
    for name in (SURE, UNSURE, CONTROL, OTHER):
        tone(root / "crowd_train" / "wavs" / f"{name}.wav")


def test_dusha_aggregates_votes_and_leaves_out_what_the_authors_do(tmp_path: Path) -> None:
    root = small_corpus("dusha", tmp_path)
    dusha(root)
    items, skipped = read("dusha", root)
    angry = items["0a1f6c4b2d7e4f0e9b1c2d3e4f506172"]
    assert said(angry) == ("src17", "unknown", "angry", "включи музыку", "train")
    assert angry.perceived == {"angry": 0.8, "neutral": 0.2}
    assert said(items["f1e2d3c4b5a697887766554433221100"])[2:] == ("positive", "поставь будильник", "test")
    assert items[SURE].speaker == f"unknown-{SURE}"
    reasons = {Path(path).stem: reason for path, reason in skipped.items()}
    assert "control item" in reasons[CONTROL]
    assert "label other" in reasons[OTHER]


def test_the_labels_that_the_authors_of_dusha_aggregated_hold(tmp_path: Path) -> None:
    root = small_corpus("dusha", tmp_path)
    dusha(root)
    folder = root / "processed_dataset_090" / "aggregated_dataset"
    folder.mkdir(parents=True)
    (folder / "crowd_train.jsonl").write_text(f'{{"hash_id": "{UNSURE}", "emotion": "neutral"}}\n')
    items, skipped = read("dusha", root)
    assert {name for name, item in items.items() if item.split == "train"} == {UNSURE}
    assert items[UNSURE].emotion_label == "neutral"
    assert "no emotion reaches a probability of 0.9" in skipped[f"crowd_train/wavs/{SURE}.wav"]


def test_dusha_reads_lines_of_json(tmp_path: Path) -> None:
    root = small_corpus("dusha", tmp_path)
    table = root / "crowd_test" / "raw_crowd_test.tsv"
    table.with_suffix(".jsonl").write_text(
        '{"hash_id": "f1e2d3c4b5a697887766554433221100", "annotator_emo": "sad", "golden_emo": null,'
        ' "speaker_text": null, "source_id": "s", "annotator_id": 7}\n\n',
    )
    table.unlink()
    items, _ = read("dusha", root)
    assert said(items["f1e2d3c4b5a697887766554433221100"]) == ("s", "unknown", "sad", None, "test")


def test_dawid_skene_trusts_those_who_agree_with_the_others() -> None:
    # three careful raters, and one who says 0 to everything; the truth alternates
    truth = np.arange(40) % 2
    items = np.repeat(np.arange(40), 4)
    raters = np.tile(np.arange(4), 40)
    labels = np.stack([truth, truth, truth, np.zeros_like(truth)], axis=1).ravel()
    labels[4 * 7 + 1] = 0  # a slip: two votes of four for 0
    probability = dawid_skene(items, raters, labels, 2)
    assert (probability.argmax(axis=1) == truth).all()
    assert probability[7, 1] > 0.9
    np.testing.assert_allclose(probability.sum(axis=1), 1)


# --------------------------------------------------------------------- CREMA-D


def test_crema_d(tmp_path: Path) -> None:
    root = small_corpus("crema-d", tmp_path)
    tone(root / "AudioWAV" / "1076_MTI_SAD_XX.wav")
    tone(root / "AudioMP3" / "1001_DFA_ANG_XX.wav")
    tone(root / "AudioWAV" / "1092_DFA_ANG_XX.wav")
    items, skipped = read("crema-d", root)
    angry = items["1001_DFA_ANG_XX"]
    assert said(angry) == ("1001", "male", "ANG", "Don't forget a jacket.", "train")
    assert angry.path == "AudioWAV/1001_DFA_ANG_XX.wav"
    assert angry.perceived == pytest.approx({"ANG": 0.6, "DIS": 0.1, "NEU": 0.3})
    assert [items[stem].split for stem in ("1010_IEO_HAP_HI", "1015_WSI_NEU_XX")] == ["test", "validation"]
    assert "no signal" in skipped["AudioWAV/1076_MTI_SAD_XX.wav"]
    assert "MP3" in skipped["AudioMP3/1001_DFA_ANG_XX.wav"]
    assert "speaker 1092" in skipped["AudioWAV/1092_DFA_ANG_XX.wav"]


# --------------------------------------------------------------------- IEMOCAP


def test_iemocap_takes_the_speaker_from_the_last_field(tmp_path: Path) -> None:
    root = small_corpus("iemocap", tmp_path)
    tone(root / "Session1" / "dialog" / "wav" / "Ses01F_impro01.wav")
    tone(root / "Session1" / "sentences" / "wav" / "Ses01F_impro01" / "Ses01F_impro01_F002.wav")
    tone(root / "Session1" / "sentences" / "wav" / "Ses01F_impro01" / "Ses01F_impro01_F003.wav")
    items, skipped = read("iemocap", root)
    first, second = items["Ses01F_impro01_F000"], items["Ses01F_impro01_M001"]
    assert said(first) == ("Ses01-F", "female", "neu", "Excuse me.", None)
    assert said(second) == ("Ses01-M", "male", "exc", "Yeah.", None)
    assert (first.valence, first.arousal, first.dominance, first.group) == (2.5, 2.0, 3.5, "Ses01")
    assert first.perceived == pytest.approx({"Neutral": 2.5 / 3, "Sadness": 0.5 / 3})  # not the actor's own
    assert items["Ses05M_script01_1b_F003"].speaker == "Ses05-F"
    assert "a whole dialogue" in skipped["Session1/dialog/wav/Ses01F_impro01.wav"]
    turns = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01"
    assert "do not agree" in skipped[f"{turns}_F002.wav"]
    assert "does not list the turn" in skipped[f"{turns}_F003.wav"]


# --------------------------------------------------------------------- missing and damaged tables

Damage = Callable[[Path], object]


def emptied(path: Path) -> None:
    path.write_text("")


def removed(path: Path) -> None:
    path.unlink()


def other(path: Path) -> None:
    path.write_text("[1, 2]")


@pytest.mark.parametrize(
    ("name", "table", "damage", "remedy"),
    [
        ("thai-ser", "emotion_label.json", removed, "unpack emotion_label.json"),
        ("thai-ser", "emotion_label.json", emptied, "unpack emotion_label.json"),
        ("thai-ser", "emotion_label.json", other, "unpack emotion_label.json"),
        ("thai-ser", "actor_demography.json", removed, "unpack emotion_label.json"),
        ("thai-ser", "actor_demography.json", other, "unpack emotion_label.json"),
        ("msp-podcast", "Labels/labels_consensus.csv", removed, "put labels_consensus.csv"),
        ("msp-podcast", "Labels/labels_consensus.csv", emptied, "put labels_consensus.csv"),
        ("msp-podcast", "Labels/labels_detailed.csv", emptied, "put labels_consensus.csv"),
        ("biic-podcast", "labels_consensus.csv", removed, "put labels_consensus.csv"),
        ("dusha", "crowd_train/raw_crowd_train.tsv", emptied, "unpack crowd.tar"),
        ("crema-d", "VideoDemographics.csv", removed, "unpack VideoDemographics.csv"),
        ("crema-d", "processedResults/tabulatedVotes.csv", emptied, "or remove it"),
        (
            "iemocap",
            "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt",
            removed,
            "unpack dialog/EmoEvaluation",
        ),
        ("iemocap", "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", other, "unpack dialog/EmoEvaluation"),
        (
            "iemocap",
            "Session1/dialog/transcriptions/Ses01F_impro01.txt",
            removed,
            "and dialog/transcriptions",
        ),
    ],
)
def test_missing_and_damaged_tables_are_errors_with_a_remedy(
    name: str, table: str, damage: Damage, remedy: str, tmp_path: Path
) -> None:
    root = small_corpus(name, tmp_path)
    damage(root / table)
    with pytest.raises(CorpusError, match=f"to mend it: .*{remedy}"):
        read(name, root)


def test_dusha_without_any_votes_is_an_error(tmp_path: Path) -> None:
    tone(tmp_path / "crowd_train" / "wavs" / f"{SURE}.wav")
    with pytest.raises(CorpusError, match=r"to mend it: unpack crowd\.tar"):
        read("dusha", tmp_path)
