"""EMO-DB's hand labels: what a line means, and that the whole corpus can be read."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.aligners.hand import HandAligner, read_lablaut
from store.errors import AlignmentError
from store.records import Alignment, Skipped, Utterance

LABELS = """signal x
nfields 1
#
    0.100000   -1 _t
    0.120000   -1 !t\t+asp
    0.150000   -1 E6
    0.250000   -1 \t+hoe
    0.300000   -1 p
    0.350000   -1 !p
    0.360000   -1 pasp
    0.400000   -1 i:\t+lar\t3
    0.450000   -1 -lar
    0.500000   -1 (
    0.600000   -1 I@
    0.700000   -1 .
"""
SHARED = Path(__file__).parents[2].parent / "shared" / "corpora" / "emodb"


def make(stem: str, seconds: float = 1.0) -> Utterance:
    return Utterance(
        id=f"emodb/{stem}", corpus="emodb", path=f"{stem}.wav", speaker=stem[:2], gender="male",
        language="de", emotion="neutral", native_label="N", text="x", text_id=None, group=None,
        n_samples=round(seconds * 16_000), sample_rate=16_000, n_channels=1, audio_sha256=stem, licence="CC0",
    )  # fmt: skip


def load(utterance: Utterance) -> NDArray[np.float32]:
    return np.zeros(utterance.n_samples, np.float32)


def test_parts_of_a_stop_and_voice_quality_make_no_segments(tmp_path: Path) -> None:
    (tmp_path / "03a01Faxx.lablaut").write_text(LABELS, encoding="latin-1")
    rows = read_lablaut(tmp_path / "03a01Faxx.lablaut")
    assert [(item.label, item.start, item.stop) for item in rows] == [
        ("t", 0.1, 0.15), ("E", 0.15, 0.3), ("p", 0.3, 0.4), ("i:", 0.4, 0.5), ("", 0.5, 0.6),
        ("I@", 0.6, 0.7),
    ]  # fmt: skip
    (found,) = HandAligner(tmp_path).align([make("03a01Fa")], load)
    assert isinstance(found, Alignment)
    assert [(i.phone, i.vowel) for i in found.phones] == [
        ("t", None), ("ɛ", "E"), ("p", None), ("iː", "i"), ("ɪə", None)
    ]  # fmt: skip
    assert found.intervals[-1].stop == 16_000


def test_files_that_are_missing_empty_or_damaged_are_rows(tmp_path: Path) -> None:
    (tmp_path / "08a01Waxx.lablaut").write_text("signal x\n#\n", encoding="latin-1")
    (tmp_path / "08a02Waxx.lablaut").write_text(LABELS.replace("0.150000", "soon"), encoding="latin-1")
    aligner = HandAligner(tmp_path)
    rows = list(aligner.align([make("08a01Wa"), make("08a02Wa"), make("99z99Xx")], load))
    reasons = [row.reason for row in rows if isinstance(row, Skipped)]
    assert "holds no labels" in reasons[0]
    assert "'soon' for a time" in reasons[1]
    assert reasons[2] == "no hand labels of this name"
    with pytest.raises(AlignmentError, match="none in"):
        HandAligner(tmp_path / "elsewhere")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the EMO-DB recordings are not beside the project")
def test_all_of_emodbs_labels_are_read() -> None:
    stems = sorted(path.stem for path in (SHARED / "wav").iterdir())
    rows = list(HandAligner(SHARED / "lablaut").align([make(stem, 30.0) for stem in stems], load))
    skipped = [(row.utterance, row.reason) for row in rows if isinstance(row, Skipped)]
    assert skipped == [("emodb/08a01Wa", "08a01Waxx.lablaut holds no labels")]
    vowels = {i.vowel for row in rows if isinstance(row, Alignment) for i in row.phones}
    assert vowels >= {"i", "E", "@", "A", "O", "u", "aI", "aU"}
