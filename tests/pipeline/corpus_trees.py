"""Small corpora for the tests (published names, short tones as audio), and where the real ones lie."""

from pathlib import Path

import numpy as np
import soundfile

SHARED = Path(__file__).parents[2].parent / "shared"
CORPORA = SHARED / "corpora"

AT_HAND = ("emodb", "emovo", "ravdess", "nemo")
"""The corpora that lie beside the checkout."""

# name -> (folder as it is unpacked, recordings as published); the names come from the descriptions that
# docs/corpora.md lists, not from the adapters
PUBLISHED = {
    "emodb": ("EMO-DB", ["wav/03a01Fa.wav", "wav/03a01Nc.wav", "wav/03a01Wa.wav", "wav/08a01Td.wav"]),
    "emovo": ("EMOVO", ["f1/dis-f1-b1.wav", "f1/rab-f1-b1.wav", "m2/neu-m2-n5.wav", "m3/gio-m3-l1.wav"]),
    "ravdess": (
        "ravdess/Audio_Speech_Actors_01-24",
        [
            "Actor_01/03-01-01-01-01-01-01.wav",
            "Actor_01/03-01-08-01-02-02-01.wav",
            "Actor_07/03-01-03-01-02-01-07.wav",
            "Actor_12/03-01-05-01-02-01-12.wav",
        ],
    ),
    "sample-en": ("sample-en", ["wav/f1_anger_01.wav", "wav/m1_sadness_02.wav"]),
    "sample-cmn": ("sample-cmn", ["wav/f1_neutral_02.wav", "wav/m1_happiness_01.wav"]),
    "tess": (
        "TESS Toronto emotional speech set data",
        [
            "OAF_angry/OAF_back_angry.wav",
            "OAF_Fear/OAF_bean_fear.wav",
            "YAF_pleasant_surprised/YAF_youth_ps.wav",
            "OAF_neutral/OA_bite_neutral.wav",
        ],
    ),
    "aesdd": (
        "Acted Emotional Speech Dynamic Database",
        ["anger/a03 (4).wav", "sadness/s20 (6).wav", "fear/f05 (01).wav", "happiness/h11 (3)b.wav"],
    ),
    "cafe": (
        "CaFE_48k",
        ["Colère/Fort/01-C-2-1.wav", "D‚go–t/Faible/12-D-1-6.wav", "Neutre/04-N-1-3.wav"],
    ),
    "demos": (
        "DEMoS",
        [
            "DEMOS/PR_m_23_tri00a.wav",
            "DEMOS/NP_f_61_gio02c.wav",
            "DEMOS/NP_f_61_col05a.wav",
            "NEU/m_07_neu01.wav",
        ],
    ),
    "emomatch": (
        "EmoMatchSpanishDB",
        ["03_Alegria_02.WAV", "5/Ira__2.WAV", "50/Sorpresa_12.WAV", "49_Miedo_07.wav"],
    ),
    "eyase": (
        "EYASE",
        [
            "AsserYassin/MAL_AsserYassin_ang_2646.wav",
            "AsserYassin/MAL_AsserYassin_ang (12).wav",
            "Menna/FEM_MennaShalaby_sad (3).wav",
        ],
    ),
    "oreau": (
        "OréauFR_02",
        ["m/sessj/10a02Ja.wav", "f/sesst/33z04Tb.wav", "m/sessn/07a20Na.wav"],
    ),
    "shemo": ("ShEMO", ["male/M36S02.wav", "female/F21N05.wav", "female/F01A01.wav", "male/M02W11.wav"]),
    "savee": (
        "SAVEE",
        [
            "AudioData/DC/a01.wav",
            "AudioData/DC/sa01.wav",
            "AudioData/JE/a01.wav",
            "KL_su15.wav",
            "JK_n30.wav",
        ],
    ),
    "turev-db": (
        "TurEV-DB-master",
        [
            "Sound Source/Calm/1984_sk_eger.wav",
            "Sound Source/Sad/7895_hl_kitap.wav",
            "Sound Source/Angry/1157_kz_eger.wav",
            "Sound Source/Happy/6783_mt_eger.wav",
        ],
    ),
    "urdu": (
        "URDU-Dataset-master",
        [
            "Neutral/SM20_F8_N012.wav",
            "Angry/SF9_F3_A03.wav",
            "Happy/SM1/SM1_F1_H06.wav",
            "Sad/SM26_F20_S098.wav",
        ],
    ),
    "nemo": ("nEMO", ["samples/EB0_anger_1.wav", "samples/EB0_fear_1.wav", "samples/KS0_surprised_10.wav"]),
}

TABLES = {
    "sentences.tsv": "text_id\ttext\n01\tOne sentence.\n02\t两个句子。\n",
    "speakers.tsv": "speaker\tgender\tvariant\nf1\tfemale\tf2\nm1\tmale\tm3\n",
}

NEMO_TABLE = (
    "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
    "EB0_anger_1.wav\tanger\tTo jest zdanie.\tto jest zdanie\t        EB0\tfemale\t27\n"
    "EB0_fear_1.wav\tfear\tTo jest zdanie.\tto jest zdanie\t        EB0\tfemale\t27\n"
    "KS0_surprised_10.wav\tsurprised\tKupiłem nową szafę.\tkupiłem nową szafę\t        KS0\tmale\t23\n"
)


def tone(
    path: Path, *, hertz: float = 220.0, rate: int = 16_000, channels: int = 1, seconds: float = 0.1
) -> Path:
    """Write a sine as 16 bit audio in the format of the extension and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    soundfile.write(str(path), np.stack([wave] * channels, axis=1), rate, subtype="PCM_16")
    return path


def small_corpus(name: str, corpora: Path) -> Path:
    """Lay out a small corpus below ``corpora`` as it is published and return its folder."""
    folder, recordings = PUBLISHED[name]
    for number, recording in enumerate(recordings):
        tone(corpora / folder / recording, hertz=200.0 + 20 * number)
    if name == "nemo":
        (corpora / folder / "data.tsv").write_text(NEMO_TABLE, encoding="utf-8")
    for table, content in TABLES.items() if name.startswith("sample-") else ():
        (corpora / folder / table).write_text(content, encoding="utf-8")
    return corpora / folder.split("/")[0]
