"""The page of an alignment: what is drawn from known samples and phones, and what the tables say."""

import re

import numpy as np
import pytest

from store.records import Alignment, PhoneInterval, Skipped
from store.vocabulary import COMMON_RATE
from training.reports.alignment_figures import (
    DYNAMIC_RANGE,
    PhoneValues,
    draw_durations,
    draw_phone_scores,
    draw_utterance,
    in_speech,
    spectrogram,
)
from training.reports.alignment_page import (
    AlignmentContent,
    group_reasons,
    phone_rows,
    phone_values,
    write_alignment_page,
)

INTERVALS = (
    PhoneInterval(phone="", vowel=None, start=0, stop=1_600, score=0.0),
    PhoneInterval(phone="d", vowel=None, start=1_600, stop=2_080, score=-0.5),
    PhoneInterval(phone="aɪ", vowel="aI", start=2_080, stop=4_800, score=-0.1),
    PhoneInterval(phone="d", vowel=None, start=4_800, stop=6_400, score=-0.3),
)
ROW = Alignment(utterance="toy/a", key="k", aligner="embedded", score=-0.2, intervals=INTERVALS)


def tone(hertz, seconds=0.4):
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * COMMON_RATE)) / COMMON_RATE).astype(
        np.float32
    )


@pytest.mark.parametrize("hertz", [500, 1_000, 3_000])
def test_the_spectrogram_shows_a_tone_where_it_is(hertz):
    values = spectrogram(tone(hertz))
    assert values.max() == 0
    assert values.min() >= -DYNAMIC_RANGE
    assert values.shape == (257, 200)
    peak = values[:, 100].argmax() * COMMON_RATE / 512
    assert abs(peak - hertz) < 100


def test_silence_has_a_spectrogram():
    assert np.isfinite(spectrogram(np.zeros(1_000, np.float32))).all()


def test_formants_are_shown_within_phones_only():
    shown = in_speech(np.full((41, 3), 500, np.float32), INTERVALS)
    assert np.flatnonzero(np.isfinite(shown[:, 0])).tolist() == list(range(10, 40))


def test_the_picture_of_an_utterance_names_its_phones_and_is_the_same_each_time():
    formants = np.tile(np.float32([500, 1_500, 2_500]), (41, 1))
    drawings = [draw_utterance("u", "caption", tone(200), formants, INTERVALS) for _ in range(2)]
    assert drawings[0].svg == drawings[1].svg
    texts = re.findall(r">([^<>]+)</text>", drawings[0].svg)
    assert [text for text in texts if text in ("d", "aɪ")] == ["d", "aɪ", "d"]
    assert {"F1", "F2", "F3", "time (s)"} <= set(texts)


def test_tokens_are_grouped_by_phone_the_most_frequent_first():
    values = phone_values([ROW])
    assert list(values) == ["d", "aɪ"]
    assert values["d"].seconds.tolist() == [0.03, 0.1]
    assert values["d"].scores.tolist() == [-0.5, -0.3]
    rows = phone_rows(values, {"d": "stop"}, {"aɪ": "aI"}, 0.03)
    assert (rows[0].kind, rows[0].n, rows[0].median_ms, rows[0].short_percent) == ("stop", 2, "65", "50")
    assert (rows[1].vowel, rows[1].median_score) == ("/aI/", "-0.10")


def test_each_histogram_has_its_count_and_its_short_ones():
    values = {"ə": PhoneValues(phone="ə", seconds=np.array([0.03, 0.03, 0.05, 9.0]), scores=np.full(4, -0.4))}
    assert "[ə] 4, 50 % short" in draw_durations(values, 0.03).svg
    assert "[ə] median -0.40" in draw_phone_scores(values).svg


def test_reasons_are_counted_without_their_numbers():
    rows = [
        Skipped(utterance=f"toy/{k}", corpus="toy", path="", stage="align", reason=reason)
        for k, reason in enumerate(["score -1.50 (at least -0.75)", "no text", "score -0.9 (at least -0.75)"])
    ]
    assert group_reasons(rows) == (("score N (at least N)", 2), ("no text", 1))


def test_the_page_stands_alone_and_escapes_what_it_shows(tmp_path):
    left_out = Skipped(
        utterance="toy/<b>", corpus="toy", path="", stage="align", reason="score -1.50 <script>"
    )
    values = phone_values([ROW])
    content = AlignmentContent(
        title="Alignment of toy", aligner="embedded", notes=("a note",), n_utterances=2, n_aligned=1,
        n_phones=3, shortest_ms=30, reasons=group_reasons([left_out]), left_out=(left_out,),
        phones=phone_rows(values, {}, {}, 0.03),
    )  # fmt: skip
    drawing = draw_utterance("u-0", "caption", tone(200), np.full((41, 3), np.nan, np.float32), INTERVALS)
    write_alignment_page(tmp_path / "page.html", content, [drawing], values, 0.03)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "score N &lt;script&gt;" in page
    assert "toy/&lt;b&gt;" in page
    assert "1 of 2 utterances aligned" in page
    assert page.count("<svg") == 3
    assert not re.findall(r"(?:src|href)=\"(?!#|data:)", page)


def test_hand_labels_without_scores_have_no_histogram_of_them(tmp_path):
    flat = {"a": PhoneValues(phone="a", seconds=np.array([0.1]), scores=np.zeros(1))}
    content = AlignmentContent(
        title="t", aligner="hand", notes=(), n_utterances=1, n_aligned=1, n_phones=1,
        shortest_ms=30, reasons=(), left_out=(), phones=(),
    )  # fmt: skip
    write_alignment_page(tmp_path / "page.html", content, [], flat, 0.03)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    assert "Every utterance was aligned and passed." in page
