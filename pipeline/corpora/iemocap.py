"""IEMOCAP: American English, ten actors in five dialogues sessions, scripted and improvised, by listeners.

Busso, Bulut, Lee, Kazemzadeh, Mower, Kim, Chang, Lee, Narayanan (2008), "IEMOCAP: interactive emotional
dyadic motion capture database", Language Resources and Evaluation 42. Layout:
``Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav``; labels, ratings (valence, activation,
dominance) and votes in ``Session1/dialog/EmoEvaluation/Ses01F_impro01.txt``, texts in
``dialog/transcriptions/``. The speaker is session and letter of the LAST field: the letter after the session
names who wore the markers. Turns without agreement (xxx) are left out. Excitement is a class of its own. The
published WAV files have 16 kHz.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import LeftOut, Names, Reading, shares
from pipeline.corpora.tables import find_folder, gender, read_text
from store.errors import CorpusError

_NAME = re.compile(r"(Ses0[1-5])[FM]_(?:impro|script)\w+_([FM])\d{3}")
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_TURN = re.compile(rf"\[[^]]+\]\t(\S+)\t(\S+)\t\[{_NUMBER}, {_NUMBER}, {_NUMBER}\]\s*")
_VOTE = re.compile(r"C-E\d+:\t([^\t(]*)")  # C-F1 and C-M1 are the actors' own
_LINE = re.compile(r"(\S+) \[[^]]+\]:\s*(.*)")
_REMEDY = "unpack dialog/EmoEvaluation and dialog/transcriptions of every session beside sentences/"


@dataclass
class _Turn:
    label: str
    valence: float
    arousal: float
    dominance: float
    votes: list[list[str]] = field(default_factory=list)


def reader(root: Path) -> Names:
    """Return how names are read at ``root``; `CorpusError` where a dialogue lacks its evaluation or texts."""

    @cache
    def evaluation(session: Path, dialogue: str) -> dict[str, _Turn]:
        return turns(session / "dialog" / "EmoEvaluation" / f"{dialogue}.txt")

    @cache
    def texts(session: Path, dialogue: str) -> dict[str, str]:
        path = session / "dialog" / "transcriptions" / f"{dialogue}.txt"
        lines = map(_LINE.fullmatch, _lines(path, "a transcription"))
        return {line[1]: line[2].strip() for line in lines if line}

    def read(path: PurePosixPath) -> Reading | LeftOut | str:
        if "dialog" in path.parts:
            return LeftOut("a whole dialogue; its turns lie in sentences/")
        match = _NAME.fullmatch(path.stem)
        if match is None or "sentences" not in path.parts:
            return "the name is not dialogue and turn as in Session1/sentences/wav/.../Ses01F_impro01_F000"
        session = _session(root, path)
        dialogue = path.stem.rsplit("_", 1)[0]
        turn = evaluation(session, dialogue).get(path.stem)
        if turn is None:
            return f"EmoEvaluation/{dialogue}.txt does not list the turn"
        if turn.label == "xxx":
            return LeftOut("its listeners do not agree (xxx)")
        return Reading(
            speaker=f"{match[1]}-{match[2]}", gender=gender(match[2]), emotion_label=turn.label,
            text=texts(session, dialogue).get(path.stem) or None, group=match[1],
            perceived=shares(turn.votes), arousal=turn.arousal, valence=turn.valence,
            dominance=turn.dominance,
        )  # fmt: skip

    return Names(read)


def _session(root: Path, path: PurePosixPath) -> Path:
    """Return the folder of the session, the one beside the recording if it has its dialogues."""
    own = root.joinpath(*path.parts[: path.parts.index("sentences")])
    return own if (own / "dialog").is_dir() else find_folder(root, own.name) or own


def turns(path: Path) -> dict[str, _Turn]:
    """Return label, ratings and votes by turn of one file of evaluations; raises `CorpusError`."""
    found: dict[str, _Turn] = {}
    current: _Turn | None = None
    for line in _lines(path, "an evaluation"):
        if match := _TURN.fullmatch(line):
            valence, arousal, dominance = map(float, match.groups()[2:])
            current = found[match[1]] = _Turn(match[2], valence, arousal, dominance)
        elif current is not None and (vote := _VOTE.match(line)):
            current.votes.append([word.strip() for word in vote[1].split(";") if word.strip()])
    if not found:
        raise CorpusError("lines [start - end], turn, label, [V, A, D]", f"none in {path}", _REMEDY)
    return found


def _lines(path: Path, what: str) -> list[str]:
    return read_text(path, f"{what} of the dialogue {path.stem}", _REMEDY).splitlines()


IEMOCAP = FolderCorpus(
    name="iemocap",
    language="en",
    licence="USC release form",
    folders=("IEMOCAP", "IEMOCAP_full_release"),
    reader=reader,
)
