"""What the adapters that read names alone say of published names, and of the pitfalls of each corpus."""

import unicodedata
from pathlib import Path

import pytest

from pipeline.corpora.corpus import CorpusItem, corpus_by_name
from pipeline.ingest import ingest
from pipeline.labels import canonical
from store.errors import CorpusError
from tests.pipeline.corpus_trees import small_corpus, tone
from tests.pipeline.test_corpora import split_rows

# corpus, path in its small tree, (speaker, gender, emotion, text id, text)
READINGS = [
    ("tess", "OAF_angry/OAF_back_angry.wav", ("OAF", "female", "anger", "back", "Say the word back.")),
    ("tess", "OAF_neutral/OA_bite_neutral.wav", ("OAF", "female", "neutral", "bite", "Say the word bite.")),
    (
        "tess", "YAF_pleasant_surprised/YAF_youth_ps.wav",
        ("YAF", "female", "surprise", "youth", "Say the word youth."),
    ),
    ("aesdd", "anger/a03 (4).wav", ("4", "unknown", "anger", "03", None)),
    ("aesdd", "fear/f05 (01).wav", ("1", "unknown", "fear", "05", None)),
    ("aesdd", "sadness/s20 (6).wav", ("6", "unknown", "sadness", None, None)),
    ("aesdd", "happiness/h11 (3)b.wav", ("3", "unknown", "happiness", "11", None)),
    ("cafe", "Colère/Fort/01-C-2-1.wav", ("01", "male", "anger", "1", "Un cheval fou dans mon jardin.")),
    (
        "cafe", "D‚go–t/Faible/12-D-1-6.wav",
        ("12", "female", "disgust", "6", "Six ours aimants domestiqués."),
    ),
    (
        "cafe", "Neutre/04-N-1-3.wav",
        ("04", "female", "neutral", "3", "Trois cygnes aveugles au bord du lac."),
    ),
    ("demos", "DEMOS/PR_m_23_tri00a.wav", ("m_23", "male", "sadness", None, None)),
    ("demos", "DEMOS/NP_f_61_gio02c.wav", ("f_61", "female", "happiness", None, None)),
    ("demos", "DEMOS/NP_f_61_col05a.wav", ("f_61", "female", "guilt", None, None)),
    ("demos", "NEU/m_07_neu01.wav", ("m_07", "male", "neutral", None, None)),
    ("emomatch", "03_Alegria_02.WAV", ("03", "female", "happiness", "02", None)),
    ("emomatch", "5/Ira__2.WAV", ("05", "male", "anger", "02", None)),
    ("emomatch", "50/Sorpresa_12.WAV", ("50", "unknown", "surprise", "12", None)),
    ("eyase", "AsserYassin/MAL_AsserYassin_ang_2646.wav", ("AsserYassin", "male", "anger", None, None)),
    ("eyase", "AsserYassin/MAL_AsserYassin_ang (12).wav", ("AsserYassin", "male", "anger", None, None)),
    ("eyase", "Menna/FEM_MennaShalaby_sad (3).wav", ("MennaShalaby", "female", "sadness", None, None)),
    ("oreau", "m/sessj/10a02Ja.wav", ("10", "male", "happiness", "Ja02", None)),
    ("oreau", "f/sesst/33z04Tb.wav", ("33", "female", "sadness", "Tz04", None)),
    ("shemo", "male/M36S02.wav", ("M36", "male", "sadness", None, None)),
    ("shemo", "male/M02W11.wav", ("M02", "male", "surprise", None, None)),
    ("shemo", "female/F01A01.wav", ("F01", "female", "anger", None, None)),
    ("savee", "AudioData/DC/a01.wav", ("DC", "male", "anger", "a01", None)),
    ("savee", "AudioData/DC/sa01.wav", ("DC", "male", "sadness", "sa01", None)),
    ("savee", "KL_su15.wav", ("KL", "male", "surprise", "su15", None)),
    ("turev-db", "Sound Source/Calm/1984_sk_eger.wav", ("1984", "unknown", "calm", "eger", "eger")),
    ("turev-db", "Sound Source/Angry/1157_kz_eger.wav", ("1157", "unknown", "anger", "eger", "eger")),
    ("urdu", "Neutral/SM20_F8_N012.wav", ("SM20", "male", "neutral", None, None)),
    ("urdu", "Angry/SF9_F3_A03.wav", ("SF9", "female", "anger", None, None)),
]  # fmt: skip


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, CorpusItem]]:
    folder = tmp_path_factory.mktemp("corpora")
    found = {}
    for name in {name for name, _, _ in READINGS}:
        items, skipped = split_rows(corpus_by_name(name), small_corpus(name, folder))
        assert skipped == {}
        found[name] = {item.path: item for item in items.values()}
    return found


@pytest.mark.parametrize(("name", "path", "expected"), READINGS)
def test_published_names(
    name: str, path: str, expected: tuple[str | None, ...], trees: dict[str, dict[str, CorpusItem]]
) -> None:
    item = trees[name][path]
    emotion = canonical(name, item.emotion_label)
    assert (item.speaker, item.gender, emotion, item.text_id, item.text) == expected


def read(name: str, folder: Path, *paths: str) -> tuple[dict[str, CorpusItem], dict[str, str]]:
    for path in paths:
        tone(folder / path)
    return split_rows(corpus_by_name(name), folder)


def test_recordings_that_share_a_file_name_keep_their_own_identity(tmp_path: Path) -> None:
    items, _ = read("savee", tmp_path, "DC/a01.wav", "JE/a01.wav", "KL_a01.wav", "KL/a01.wav")
    assert set(items) == {"DC_a01", "JE_a01", "KL_a01"}
    items, _ = read("emomatch", tmp_path, "1/Ira__2.WAV", "2/Ira__2.WAV", "02_ira_02.wav")
    assert set(items) == {"01_Ira_02", "02_Ira_02"}


def test_savee_names_without_a_speaker_are_reported(tmp_path: Path) -> None:
    _, skipped = read("savee", tmp_path, "a01.wav", "XX_a01.wav", "XX/s01.wav")
    assert "without a folder" in skipped["a01.wav"]
    assert "speaker XX" in skipped["XX_a01.wav"]
    assert "the name is not" in skipped["XX/s01.wav"]  # sadness is sa, surprise is su


def test_the_second_copy_in_the_zip_of_tess_is_reported(tmp_path: Path) -> None:
    inner = "TESS Toronto emotional speech set data/OAF_angry/OAF_back_angry.wav"
    items, skipped = read("tess", tmp_path, "OAF_angry/OAF_back_angry.wav", inner)
    assert items["OAF_back_angry"].path == "OAF_angry/OAF_back_angry.wav"
    assert skipped[inner] == "a second file of the same name and size"


def test_copies_and_companions_of_macos_do_not_count_as_unusable(tmp_path: Path) -> None:
    """Kaggle's zips of TESS and RAVDESS nest a whole copy; IEMOCAP's archive holds ._ files."""
    for path in ("03-01-01-01-01-01-01.wav", "copy/03-01-01-01-01-01-01.wav", "._03-01-01-01-01-01-01.wav"):
        tone(tmp_path / "Actor_01" / path)
    ingested = ingest(corpus_by_name("ravdess"), tmp_path, tmp_path / "cache")
    assert (len(ingested.utterances), ingested.quarantined) == (1, ())
    assert sorted(row.path for row in ingested.excluded) == [
        "Actor_01/._03-01-01-01-01-01-01.wav",
        "Actor_01/copy/03-01-01-01-01-01-01.wav",
    ]
    (tmp_path / "Actor_01/copy/03-01-01-01-01-01-01.wav").write_bytes(b"another recording")
    (other,) = ingest(corpus_by_name("ravdess"), tmp_path, tmp_path / "cache").quarantined
    assert "a second file of the name" in other.reason


def test_emomatch_names_without_a_speaker_or_sentence_are_reported(tmp_path: Path) -> None:
    _, skipped = read("emomatch", tmp_path, "raw/Ira__2.WAV", "03_Ira_13.WAV", "03_Calma_02.WAV")
    assert "no speaker" in skipped["raw/Ira__2.WAV"]
    assert "sentence 13" in skipped["03_Ira_13.WAV"]
    assert "the name is not" in skipped["03_Calma_02.WAV"]


def test_speakers_and_utterances_beyond_the_published_ones_are_reported(tmp_path: Path) -> None:
    _, skipped = read("aesdd", tmp_path, "a03 (7).wav", "a21 (1).wav")
    assert "speaker 7" in skipped["a03 (7).wav"]
    assert "utterance 21" in skipped["a21 (1).wav"]
    _, skipped = read("turev-db", tmp_path / "turev", "1111_sk_eger.wav")
    assert "speaker 1111" in skipped["1111_sk_eger.wav"]
    _, skipped = read("cafe", tmp_path / "cafe", "13-C-2-1.wav", "01-C-2-7.wav")
    assert "speaker 13" in skipped["13-C-2-1.wav"]
    assert "text 7" in skipped["01-C-2-7.wav"]


def test_decomposed_names_are_found_and_composed(tmp_path: Path) -> None:
    folder = unicodedata.normalize("NFD", "OréauFR_02")
    (item,) = read("oreau", tmp_path / folder, "f/sessj/23a02Ja.wav")[0].values()
    assert corpus_by_name("oreau").folder(tmp_path) == tmp_path / folder
    assert (item.gender, item.stem) == ("female", "23a02Ja")


SHEMO_LIST = """{
 "F21N05.wav": {"path": "shemo/F21N05.wav", "gender": "female", "speech_name": "F21N05",
  "text_name": "F21N3", "emotion": "neutral", "transcript": " سلام ", "ipa": "sælɒːm"},
 "M36S02.wav": {"path": "shemo/M36S02.wav", "gender": "male", "emotion": "anger", "transcript": ""},
 "M05H01.wav": {"path": "shemo/M05H01.wav", "gender": "male", "emotion": "happiness", "transcript": ""}
}"""


def test_the_corrected_list_of_shemo_decides_where_it_is_there(tmp_path: Path) -> None:
    root = small_corpus("shemo", tmp_path)
    (root / "modified_shemo.json").write_text(SHEMO_LIST, encoding="utf-8")
    items, skipped = split_rows(corpus_by_name("shemo"), root)
    assert {stem: (item.emotion_label, item.text) for stem, item in items.items()} == {
        "F21N05": ("neutral", "سلام"), "M36S02": ("anger", None),
    }  # fmt: skip
    assert "does not list the file" in skipped["female/F01A01.wav"]
    assert "the folder lacks it" in skipped["shemo/M05H01.wav"]


@pytest.mark.parametrize("content", ["[]", "{", '{"F21N05.wav": {"gender": "female"}}'])
def test_a_damaged_list_of_shemo_is_an_error(content: str, tmp_path: Path) -> None:
    root = small_corpus("shemo", tmp_path)
    (root / "modified_shemo.json").write_text(content)
    with pytest.raises(CorpusError, match=r"modified_shemo\.json.*to mend it: unpack the corrected list"):
        list(corpus_by_name("shemo").items(root))
