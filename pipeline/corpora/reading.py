"""What one file of a corpus is, as its name and its corpus's tables say: a reading, or why there is none."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What is known of one recording before it is opened; nothing here comes from the audio.

    ``name`` identifies the recording where its file name alone does not (None: the stem); ``text_id`` is
    shared by all recordings of one sentence; ``group`` is the session, dialogue or broadcast; ``split`` the
    corpus's own partition (``train``, ``validation``, ``test``, or as the corpus calls it); ``perceived`` the
    share of the listeners by native label; ``arousal``, ``valence`` and ``dominance`` are mean ratings on the
    corpus's scale; ``language`` and ``licence`` are None where they are those of the corpus.
    """

    speaker: str
    gender: str
    emotion_label: str
    text: str | None = None
    text_id: str | None = None
    group: str | None = None
    split: str | None = None
    perceived: Mapping[str, float] = field(default_factory=dict)
    arousal: float | None = None
    valence: float | None = None
    dominance: float | None = None
    language: str | None = None
    licence: str | None = None
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class CorpusItem(Reading):
    """A reading with its place.

    ``stem`` is the identifier within the corpus, in NFC; ``path`` is relative to the corpus folder, with
    forward slashes, as on the disk.
    """

    stem: str
    path: str


@dataclass(frozen=True)
class LeftOut:
    """A recording that the corpus's own rules leave out (no agreement, a control item), and why."""

    reason: str


Verdict = Reading | LeftOut | str | None
"""A reading; left out by rule; the reason why it is no recording of the corpus; or None for a file of the
sister corpus that lies in the same folder."""

PathReader = Callable[[PurePosixPath], Verdict]
"""Reads a path relative to the corpus folder, in NFC."""


@dataclass(frozen=True)
class Names:
    """How one corpus folder is read: the reader of its paths; name -> entry of its table, if it has one."""

    read: PathReader
    listed: Mapping[str, str] = field(default_factory=dict)


def by_stem(read_stem: Callable[[str], Verdict]) -> Names:
    """Return the names of a corpus whose file stems say everything."""
    return Names(lambda path: read_stem(path.stem))


@dataclass(frozen=True)
class FixedTexts:
    """The speakers (name -> gender) and sentences (id -> text) of a corpus that has a closed list of both."""

    corpus: str
    genders: Mapping[str, str]
    texts: Mapping[str, str]

    def reading(
        self, speaker: str, label: str, text_id: str, *, split: str | None = None,
        perceived: Mapping[str, float] | None = None,
    ) -> Reading | str:  # fmt: skip
        """Return the reading of one name, or the reason why its speaker or sentence is not of the corpus."""
        if speaker not in self.genders:
            return f"speaker {speaker} is not one of the {len(self.genders)} of {self.corpus}"
        if text_id not in self.texts:
            return f"text {text_id} is not one of the {len(self.texts)} of {self.corpus}"
        return Reading(
            speaker=speaker, gender=self.genders[speaker], emotion_label=label,
            text=self.texts[text_id], text_id=text_id, split=split, perceived=perceived or {},
        )  # fmt: skip


def shares(raters: Iterable[Sequence[str]]) -> dict[str, float]:
    """Return the share of each label over raters of whom each has one vote, split evenly over what it chose.

    Raters who chose nothing do not count; without any other the result is {}.
    """
    votes = [tuple(chosen) for chosen in raters if chosen]
    total: dict[str, float] = {}
    for chosen in votes:
        for label in chosen:
            total[label] = total.get(label, 0.0) + 1 / len(chosen)
    return {label: value / len(votes) for label, value in total.items()}
