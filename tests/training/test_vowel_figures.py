"""Vowel polygons: centres, distances and rings, against values worked out here."""

import re
from math import log

import numpy as np
import pytest

from training.reports.figures import VowelToken
from training.reports.vowel_figures import (
    FEWEST,
    Centre,
    centres_of,
    closer_than_neutral,
    draw_polygons,
)

PAIR = ("english", "german")


def tokens(corpus, emotion, vowel, place, n=FEWEST):
    f1, f2 = place
    return [VowelToken(corpus=corpus, vowel=vowel, emotion=emotion, f1=f1, f2=f2) for _ in range(n)]


def corner_tokens(emotion, shift):
    """Five corners in both corpora, German's F1 ``shift`` times English's."""
    places = {"i": (300, 2300), "E": (560, 1850), "A": (750, 1250), "O": (540, 950), "u": (330, 900)}
    return [
        token
        for vowel, (f1, f2) in places.items()
        for corpus, factor in zip(PAIR, (1.0, shift), strict=True)
        for token in tokens(corpus, emotion, vowel, (f1 * factor, f2))
    ]


def test_a_centre_is_the_geometric_mean():
    low, high = (
        tokens("english", "anger", "i", (200, 2_000), 1),
        tokens("english", "anger", "i", (800, 500), 1),
    )
    found = centres_of(low + high)
    assert found == {("english", "anger", "i"): Centre(pytest.approx(400), pytest.approx(1_000), 2)}


def test_a_distance_is_one_of_logarithms():
    assert Centre(400, 1_000, 1).distance(Centre(800, 1_000, 1)) == pytest.approx(log(2))
    assert Centre(400, 1_000, 1).distance(Centre(500, 2_000, 1)) == pytest.approx(np.hypot(log(1.25), log(2)))


def test_rings_are_for_vowels_closer_than_in_neutral():
    made = (
        tokens("english", "neutral", "i", (300, 2_000)) + tokens("german", "neutral", "i", (330, 2_000))
        + tokens("english", "anger", "i", (300, 2_000)) + tokens("german", "anger", "i", (320, 2_000))
        + tokens("english", "neutral", "u", (300, 900)) + tokens("german", "neutral", "u", (310, 900))
        + tokens("english", "anger", "u", (300, 900)) + tokens("german", "anger", "u", (330, 900))
    )  # fmt: skip
    assert closer_than_neutral(centres_of(made), PAIR, "anger") == ("i",)
    assert closer_than_neutral(centres_of(made), PAIR, "sadness") == ()


def test_too_few_tokens_make_no_ring():
    def made(n):
        return centres_of(
            tokens("english", "neutral", "@", (500, 1_500)) + tokens("german", "neutral", "@", (600, 1_500))
            + tokens("english", "anger", "@", (500, 1_500), n) + tokens("german", "anger", "@", (510, 1_500))
        )  # fmt: skip

    assert closer_than_neutral(made(FEWEST), PAIR, "anger") == ("@",)
    assert closer_than_neutral(made(FEWEST - 1), PAIR, "anger") == ()


def rings(drawing):
    return len(re.findall(r"<use[^>]*stroke: #1a8f3c", drawing.svg))


def test_the_figure_shows_neutral_first_and_rings_only_elsewhere():
    made = corner_tokens("anger", 1.05) + corner_tokens("neutral", 1.2) + corner_tokens("sadness", 1.3)
    drawing = draw_polygons(made, PAIR, ("anger", "neutral", "sadness", "fear"))
    assert drawing.svg.index(">neutral<") < drawing.svg.index(">anger<") < drawing.svg.index(">sadness<")
    assert ">fear<" not in drawing.svg
    assert "anger: /i/ /E/ /A/ /O/ /u/; sadness: none" in drawing.caption
    assert rings(drawing) == 10
    again = draw_polygons(made, PAIR, ("anger", "neutral", "sadness", "fear"))
    assert again.svg == drawing.svg


def test_without_neutral_speech_there_are_polygons_and_no_rings():
    drawing = draw_polygons(corner_tokens("anger", 1.05), PAIR, ("anger", "neutral"))
    assert rings(drawing) == 0
    assert ">anger<" in drawing.svg


def test_nothing_in_common_is_no_figure():
    assert draw_polygons([], PAIR, ("neutral",)) is None
    assert draw_polygons(tokens("english", "neutral", "i", (300, 2_000)), PAIR, ("neutral",)) is None
