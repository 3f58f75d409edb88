"""The embedded aligner against EMO-DB's hand labels (four speakers), by the scorer beside the corpora."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline import audio
from pipeline.aligners.embedded import EmbeddedAligner
from pipeline.aligners.embedded_training import train_embedded
from store.records import Alignment, Utterance
from store.vocabulary import COMMON_RATE

SHARED = Path(__file__).parents[2].parent / "shared"
EMODB, SCORER = SHARED / "corpora" / "emodb", SHARED / "tools" / "score_alignment.py"
SPEAKERS = ("03", "08", "09", "10")


def corpus() -> list[Utterance]:
    lines = (EMODB / "sentences.tsv").read_text(encoding="utf-8").splitlines()
    texts = dict(line.split("\t") for line in lines)
    return [
        Utterance(
            id=f"emodb/{path.stem}", corpus="emodb", path=path.name, speaker=path.stem[:2], gender="unknown",
            language="de", emotion="neutral", native_label=path.stem[5], text=texts[path.stem[2:5]],
            text_id=None, group=None, n_samples=3 * COMMON_RATE, sample_rate=COMMON_RATE, n_channels=1,
            audio_sha256=path.stem, licence="CC0",
        )
        for path in sorted((EMODB / "wav").iterdir()) if path.stem[:2] in SPEAKERS
    ]  # fmt: skip


def load(utterance: Utterance) -> NDArray[np.float32]:
    return audio.load(EMODB / "wav" / utterance.path)


@pytest.mark.slow
@pytest.mark.skipif(
    not (EMODB.is_dir() and SCORER.is_file()), reason="no EMO-DB and scorer beside the project"
)
def test_vowels_lie_where_people_put_them(tmp_path: Path) -> None:
    utterances = corpus()
    rows = list(EmbeddedAligner(train_embedded(utterances, load)).align(utterances, load))
    table = tmp_path / "intervals.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["utterance", "phone", "start_s", "end_s"])
        for row in rows:
            assert isinstance(row, Alignment)
            for item in row.intervals:
                out.writerow([row.utterance, item.phone, item.start / COMMON_RATE, item.stop / COMMON_RATE])
    command = [sys.executable, str(SCORER), str(table), "--lablaut", str(EMODB / "lablaut"), "--json"]
    score = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    print(score)  # shown where the test fails
    assert score["vowel_median_ms"] <= 8.5
    assert score["vowel_within_20_pct"] >= 79  # all ten speakers give 84
    assert score["vowel_within_50_pct"] >= 93
    assert score["vowel_mid_hit_pct"] >= 95
    assert score["vowel_precision_pct"] >= 91
