"""THAI SER: Thai, 200 actors in 100 sessions, scripted and improvised, five emotions by agreement.

VISTEC-depa AI (2021), "THAI SER dataset", github.com/vistec-AI/dataset-releases.
Layout: ``studio1-10/studio001/con/s001_con_actor001_script2_2_2b.flac`` = session (s studio, z Zoom),
microphone (con and mic carry labels, clip is a copy), actor, script or improvisation;
``emotion_label.json`` and ``actor_demography.json``. A recording's label is the emotion that at least 0.71 of
the raters' votes name. The published FLAC files have 44.1 kHz; there are no texts.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.reading import LeftOut, Names, Reading, shares
from pipeline.corpora.tables import gender, read_json, require_table
from store.errors import CorpusError

AGREEMENT = 0.71
IGNORED = frozenset({"None", "Other"})

_NAME = re.compile(r"([sz])(\d{3})_(con|clip|mic)_actor(\d{3})_(script|impro)\d+_.+")
_REMEDY = "unpack emotion_label.json and actor_demography.json beside the folders of the sessions"


def reader(root: Path) -> Names:
    """Return how names are read at ``root``; `CorpusError` without its two sound tables."""
    table = require_table(root, _REMEDY, "emotion_label.json")
    heard = _heard(table)
    sexes = _sexes(require_table(root, _REMEDY, "actor_demography.json"))

    def read_stem(stem: str) -> Reading | LeftOut | str:
        match = _NAME.fullmatch(stem)
        if match is None:
            return "the name is not session, microphone, actor, script as in s001_con_actor001_script2_2_2b"
        place, number, microphone, actor, _ = match.groups()
        if microphone == "clip":
            return LeftOut("the clip microphone copies what con or mic recorded, and carries no label")
        votes = heard.get(stem)
        if votes is None:
            return "emotion_label.json does not list the file"
        label = agreed(votes)
        if label is None:
            return LeftOut(f"no emotion has {AGREEMENT:.0%} of the raters' votes")
        fold = f"fold{(int(number) - 1) // 10 + 1}" if place == "s" else "zoom"
        return Reading(
            speaker=f"actor{actor}", gender=gender(sexes.get(actor, "")), emotion_label=label,
            group=f"{place}{number}", split=fold, perceived=votes,
        )  # fmt: skip

    return Names(lambda path: read_stem(path.stem), {stem: f"{stem}.flac" for stem in heard})


def agreed(votes: Mapping[str, float]) -> str | None:
    """Return the label that has the largest share, alone and of at least `AGREEMENT`, or None."""
    best = max(votes.values(), default=0.0)
    winners = [label for label, share in votes.items() if share == best]
    return winners[0] if len(winners) == 1 and best >= AGREEMENT else None


def _heard(path: Path) -> dict[str, dict[str, float]]:
    """Return the raters' shares by stem, votes for none and other emotions ignored."""
    try:
        return {name.rsplit(".", 1)[0]: _votes(entries) for name, entries in read_json(path, _REMEDY).items()}
    except (AttributeError, KeyError, IndexError, TypeError) as error:
        expected = "file -> [{annotated: [[emotion, ...], ...]}]"
        raise CorpusError(expected, f"other JSON in {path}", _REMEDY) from error


def _votes(entries: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    raters = ([item] if isinstance(item, str) else item for item in entries[0]["annotated"])
    return shares([label for label in rater if label not in IGNORED] for rater in raters)


def _sexes(path: Path) -> dict[str, str]:
    """Return the sex by actor number, three digits."""
    try:
        rows = read_json(path, _REMEDY)["data"]
        return {str(row["Actor's ID"]).zfill(3): str(row["Sex"]) for row in rows}
    except (KeyError, TypeError) as error:
        raise CorpusError('{data: [{"Actor\'s ID", "Sex"}]}', f"other JSON in {path}", _REMEDY) from error


THAI_SER = FolderCorpus(
    name="thai-ser",
    language="th",
    licence="CC-BY-SA-4.0",
    folders=("THAI SER", "THAI-SER", "THAISER", "thai_ser"),
    reader=reader,
)
