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
    "esd-en": (
        "Emotion Speech Dataset",
        [
            "0011/Angry/evaluation/0011_000351.wav",
            "0013/Surprise/0013_001451.wav",
            "0017/Neutral/test/0017_000021.wav",
            "0017/Sad/train/0017_001101.wav",
        ],
    ),
    "esd-zh": (
        "ESD",
        ["0001/Happy/evaluation/0001_000701.wav", "0005/Sad/0005_001071.wav", "0010/Angry/0010_000700.wav"],
    ),
    "thai-ser": (
        "THAISER",
        [
            "studio1-10/studio001/con/s001_con_actor001_script2_2_2b.flac",
            "studio1-10/studio001/con/s001_con_actor001_impro2_17.flac",
            "zoom11-20/zoom020/mic/z020_mic_actor200_impro1_3.flac",
        ],
    ),
    "msp-podcast": (
        "MSP-PODCAST-Publish-1.12",
        [
            "Audios/MSP-PODCAST_0001_0008.wav",
            "Audios/MSP-PODCAST_0153_0226_0001.wav",
            "Audios/MSP-PODCAST_1023_0235.wav",
        ],
    ),
    "biic-podcast": (
        "BIIC-Podcast",
        ["Audios/BIIC-PODCAST_0001_0031.wav", "Audios/BIIC-PODCAST_0001_0016_0001.wav"],
    ),
    "dusha": (
        "crowd",
        [
            "crowd_train/wavs/0a1f6c4b2d7e4f0e9b1c2d3e4f506172.wav",
            "crowd_test/wavs/f1e2d3c4b5a697887766554433221100.wav",
        ],
    ),
    "crema-d": (
        "CREMA-D",
        [
            "AudioWAV/1001_DFA_ANG_XX.wav",
            "AudioWAV/1001_IEO_DIS_LO.wav",
            "AudioWAV/1015_WSI_NEU_XX.wav",
            "AudioWAV/1010_IEO_HAP_HI.wav",
        ],
    ),
    "iemocap": (
        "IEMOCAP_full_release",
        [
            "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav",
            "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M001.wav",
            "Session5/sentences/wav/Ses05M_script01_1b/Ses05M_script01_1b_F003.wav",
        ],
    ),
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


MSP_CONSENSUS = (
    "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
    "MSP-PODCAST_0001_0008.wav,N,3.4,4,4.2,127,Male,Test1\n"
    "MSP-PODCAST_0153_0226_0001.wav,H,5,6.2,4.6,Unknown,Unknown,Development\n"
    "MSP-PODCAST_1023_0235.wav,O,2,2,3,Unknown,Female,Train\n"
)
MSP_DETAILED = (
    "FileName,WorkerID,EmoClass_Major,EmoClass_Second,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
    'MSP-PODCAST_0001_0008.wav,w1,Neutral,"Neutral,Happy",3,4,4,127,Male,Test1\n'
    "MSP-PODCAST_0001_0008.wav,w2,Neutral,Neutral,3,4,4,127,Male,Test1\n"
    "MSP-PODCAST_0001_0008.wav,w3,Sad,Sad,3,4,4,127,Male,Test1\n"
    "MSP-PODCAST_0001_0008.wav,w4,Other-Bored,Bored,3,4,4,127,Male,Test1\n"
)
BIIC_CONSENSUS = (
    "FileName,EmoClass,EmoAct,EmoVal,EmoDom,Split_Set\n"
    "BIIC-PODCAST_0001_0031.wav,angry,5.5,2,5,Train\n"
    "BIIC-PODCAST_0001_0016_0001.wav,7,3,4,4,Test\n"
)
THAI_LABELS = """{
 "s001_con_actor001_script2_2_2b.flac": [{"assigned_emo": "Angry", "majority_emo": "Angry", "agreement": 0.8,
  "annotated": [["Angry"], ["Angry"], ["Angry"], ["Angry"], ["Frustrated", "Sad"], ["None"]]}],
 "s001_con_actor001_impro2_17.flac": [{"assigned_emo": "Happy", "majority_emo": "Happy", "agreement": 1.0,
  "annotated": [["Happy"], ["Happy"], ["Happy", "Other"]]}],
 "z020_mic_actor200_impro1_3.flac": [{"assigned_emo": "Frustrated", "majority_emo": "Frustrated",
  "agreement": 0.75, "annotated": [["Frustrated"], ["Frustrated"], ["Frustrated"], ["Neutral"]]}]
}"""
THAI_ACTORS = """{"data": [{"Actor's ID": "001", "Sex": "Female", "Age": 21},
 {"Actor's ID": "200", "Sex": "Male", "Age": 30}]}"""
_DUSHA_HEAD = (
    "hash_id\taudio_path\tduration\tannotator_emo\tgolden_emo\tspeaker_text\tspeaker_emo\tsource_id"
    "\tannotator_id\n"
)


def dusha_rows(name: str, emotions: str, text: str, source: str, golden: str = "") -> str:
    """Return one row a vote for a recording of Dusha."""
    return "".join(
        f"{name}\twavs/{name}.wav\t2.1\t{emotion}\t{golden}\t{text}\tneutral\t{source}\tann{number}\n"
        for number, emotion in enumerate(emotions.split())
    )


DUSHA_TRAIN = _DUSHA_HEAD + dusha_rows(
    "0a1f6c4b2d7e4f0e9b1c2d3e4f506172", "angry angry angry angry angry", "включи музыку", "src17"
)
DUSHA_TEST = _DUSHA_HEAD + dusha_rows(
    "f1e2d3c4b5a697887766554433221100", "positive positive positive", "поставь будильник", "src9"
)
CREMA_ACTORS = (
    "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n"
    "1010,27,Female,Caucasian,Not Hispanic\n1015,32,Male,African American,Not Hispanic\n"
    "1076,25,Female,Caucasian,Not Hispanic\n"
)
CREMA_VOTES = (
    '"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"\n'
    '"100001",6,1,0,0,3,0,"1001_DFA_ANG_XX",10,0.6,"A"\n'
    '"200001",0,0,0,0,9,0,"1001_DFA_ANG_XX",9,1,"N"\n'
)
IEMOCAP_EVALUATION = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.0000, 3.5000]
C-E2:\tNeutral;\t()
C-E3:\tNeutral; Sadness;\t()
C-E4:\tNeutral;\t()
C-F1:\tSadness;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[10.0100 - 11.3925]\tSes01F_impro01_M001\texc\t[4.0000, 3.5000, 2.5000]
C-E2:\tExcited;\t()

[14.8872 - 18.0175]\tSes01F_impro01_F002\txxx\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral state;\t()
C-E3:\tFrustration;\t()
"""
IEMOCAP_TEXTS = """Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
Ses01F_impro01_M001 [010.0100-011.3925]: Yeah.
Ses01F_impro01_FXX0 [012.0000-013.0000]: Uh-huh.
M: not a line of a turn
"""

# name -> file -> content: the tables that lie in the corpus folder
FILES: dict[str, dict[str, str | bytes]] = {
    "nemo": {"data.tsv": NEMO_TABLE},
    "sample-en": dict(TABLES),
    "sample-cmn": dict(TABLES),
    "esd-en": {
        "0011/0011.txt": "0011_000351\tThe nine the eggs, I keep.\tAngry\n",
        "0013/0013.txt": "0013_001451\tI did go and made many prisoners.\tSurprise\r\n".encode("utf-16"),
        "0017/0017.txt": (
            "0017_000021\tIt’s a café.\tNeutral\n0017_001101 I did go and made many prisoners. sad \n"
        ).encode("cp1252"),
    },
    "esd-zh": {
        "0001/0001.txt": "0001_000701\t打远一看，它们的确很是美丽，\t快乐\n".encode("gb2312"),
        "0005/0005.txt": "0005_001071 他有两个孩子。伤心\n".encode("gb2312"),
        "0010/0010.txt": "0010_000700\t小树苗。\t生气\r\n".encode("utf-16-le"),
    },
    "thai-ser": {"emotion_label.json": THAI_LABELS, "actor_demography.json": THAI_ACTORS},
    "msp-podcast": {
        "Labels/labels_consensus.csv": MSP_CONSENSUS,
        "Labels/labels_detailed.csv": MSP_DETAILED,
        "Transcripts/MSP-PODCAST_0001_0008.txt": "Well, I think so.\n",
        "Transcripts/MSP-PODCAST_0153_0226_0001.txt": "That is great!",
        "Transcripts/MSP-PODCAST_1023_0235.txt": "I do not know.",
    },
    "biic-podcast": {"labels_consensus.csv": BIIC_CONSENSUS},
    "dusha": {
        "crowd_train/raw_crowd_train.tsv": DUSHA_TRAIN,
        "crowd_test/raw_crowd_test.tsv": DUSHA_TEST,
    },
    "crema-d": {
        "VideoDemographics.csv": CREMA_ACTORS,
        "processedResults/tabulatedVotes.csv": CREMA_VOTES,
    },
    "iemocap": {
        "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt": IEMOCAP_EVALUATION,
        "Session1/dialog/transcriptions/Ses01F_impro01.txt": IEMOCAP_TEXTS,
        "Session5/dialog/EmoEvaluation/Ses05M_script01_1b.txt": (
            "[1.0 - 2.0]\tSes05M_script01_1b_F003\tfru\t[2.0, 3.0, 4.0]\nC-E1:\tFrustration;\t()\n"
        ),
        "Session5/dialog/transcriptions/Ses05M_script01_1b.txt": (
            "Ses05M_script01_1b_F003 [001.0000-002.0000]: What do you want?\n"
        ),
    },
}


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
    root = corpora / folder.split("/")[0]
    for file, content in FILES.get(name, {}).items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    return root
