"""The command `phones`: mapping, classes, sources, and what two languages share."""

import pytest

from flows.__main__ import main
from flows.phone_tables import shared_vowels_of
from pipeline.phones import own_vowel_rows, shared_vowel
from store.vocabulary import SHARED_VOWELS


def test_one_language(capsys):
    assert main(["phones", "de"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "de: /i/ /E/ /@/ /A/ /O/ /u/ /aI/ /aU/"
    rows = {line.split()[0]: line for line in out.splitlines()[2:] if line}
    assert rows["a"].split()[1:3] == ["vowel", "/A/"]
    assert rows["e"].split()[2] == "-"
    assert "neither EH nor the diphthong EY" in rows["e"]
    assert "general row" not in rows["a"]
    assert "general row" in rows["o"] or rows["o"].split()[2] == "-"


def test_two_languages(capsys):
    assert main(["phones", "en", "de"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == [
        "shared by en and de: /i/ /E/ /@/ /A/ /O/ /u/ /aI/ /aU/", "only in en: /eI/ /oU/", "only in de: none",
    ]  # fmt: skip


def test_the_published_pair_shares_all_ten():
    assert shared_vowels_of("en") == shared_vowels_of("cmn") == SHARED_VOWELS


@pytest.mark.parametrize("language", ["en", "de", "it", "pl", "ru", "cmn"])
def test_the_table_says_what_the_alignment_uses(language):
    for row in own_vowel_rows(language):
        assert shared_vowel(row.phone, language) == row.vowel


def test_a_language_of_espeak_without_rows_takes_the_general_ones(capsys):
    assert main(["phones", "fr"]) == 0
    assert "(general rows only)" in capsys.readouterr().out


def test_an_unknown_language_is_one_line(capsys):
    assert main(["phones", "xx"]) == 2
    assert "found 'xx'" in capsys.readouterr().err
