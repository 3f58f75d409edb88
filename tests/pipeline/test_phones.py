"""The phone table: every row is IPA, unknown phones are named, shared vowels follow the published map."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import espeak, phones
from store.errors import AlignmentError
from store.vocabulary import SHARED_VOWELS

LANGUAGES = ("en", "de", "it", "pl", "cmn", "ru")


@pytest.mark.parametrize(
    ("phone", "phone_set", "ipa"),
    [
        ("AA1", "arpabet", "ɑ"), ("AH0", "arpabet", "ə"), ("AH1", "arpabet", "ʌ"), ("ah", "arpabet", "ʌ"),
        ("ER0", "arpabet", "ɚ"), ("sil", "arpabet", ""), ("SP", "arpabet", ""), ("spn", "mfa", ""),
        ("ow", "mfa", "oʊ"), ("aj˥˩", "mfa", "aɪ"), ("ʈʂʰ", "mfa", "ʈʂʰ"), ("i˧˥", "mfa", "i"),
        ("i:", "sampa", "iː"), ("6", "sampa", "ɐ"), ("@", "sampa", "ə"), ("ts", "sampa", "ts"),
        ("iao4", "pinyin", "jaʊ"), ("ㄠ", "zhuyin", "aʊ"), ("onɡ5", "espeak", "onɡ"), ("ɛː", "ipa", "ɛː"),
    ],
)  # fmt: skip
def test_symbols_of_each_set(phone: str, phone_set: str, ipa: str) -> None:
    assert phones.to_ipa(phone, phone_set) == ipa


@pytest.mark.parametrize(
    ("phone", "phone_set"),
    [("QQ", "arpabet"), ("7", "mfa"), ("%", "sampa"), ("xyz", "pinyin"), ("Ω", "espeak")],
)
def test_an_unmapped_phone_is_named(phone: str, phone_set: str) -> None:
    with pytest.raises(AlignmentError, match=rf"{phone_set}.*{phone}"):
        phones.to_ipa(phone, phone_set)


def test_an_unknown_set_is_named() -> None:
    with pytest.raises(AlignmentError, match=r"arpabet.*'klingon'"):
        phones.to_ipa("AA", "klingon")


@pytest.mark.parametrize("phone_set", ["arpabet", "mfa", "sampa", "pinyin", "zhuyin"])
def test_every_row_of_the_table_is_ipa(phone_set: str) -> None:
    for symbol in phones._table()["sets"][phone_set]:
        assert phones.articulatory_class(phones.to_ipa(symbol, phone_set).replace("͡", "")) != "silence"


@pytest.mark.parametrize("language", ["any", *LANGUAGES])
def test_shares_of_an_espeak_symbol_add_up(language: str) -> None:
    for symbol in phones._table()["espeak"].get(language, {}):
        parts = phones.split_espeak(symbol, language)
        assert not parts or sum(share for _, share in parts) == pytest.approx(1)
        assert all(phones.articulatory_class(phone) for phone, _ in parts)


@pytest.mark.parametrize(
    ("phone", "language", "parts"),
    [
        ("ɑːɹ", "en", ["ɑː", "ɹ"]), ("ɜ", "de", ["ɐ"]), ("iɛɜ", "cmn", ["j", "ɛ"]), ("ts.h", "cmn", ["ʈʂʰ"]),
        ("o-5", "cmn", ["ɤ"]), ("onɡ5", "zh", ["ʊ", "ŋ"]), ("(en)", "de", []), ("ʲ", "pl", []),
    ],
)  # fmt: skip
def test_espeak_symbols_are_split(phone: str, language: str, parts: list[str]) -> None:
    assert [name for name, _ in phones.split_espeak(phone, language)] == parts


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "en",
            {
                "iː": "i",
                "ɛ": "E",
                "ʌ": "@",
                "ə": "@",
                "ɑː": "A",
                "ɔː": "O",
                "uː": "u",
                "aɪ": "aI",
                "oʊ": "oU",
            },
        ),
        ("en", dict.fromkeys(["æ", "ɪ", "ʊ", "ɜː", "ɚ", "ɔɪ", "ɹ", "t", ""])),
        (
            "de",
            {
                "iː": "i",
                "ɛː": "E",
                "ə": "@",
                "a": "A",
                "ɑː": "A",
                "ɔ": "O",
                "uː": "u",
                "aʊ": "aU",
                "aɪ": "aI",
            },
        ),
        ("de", dict.fromkeys(["eː", "oː", "ɪ", "ʊ", "ɐ", "ɔʏ", "yː", "ɑ̃"])),
        ("cmn", {"ɑ˥": "A", "ʊ": "u", "ɤ": "@", "jɛn": "E", "aŋ": "A", "waɪ": "aI", "juŋ": "u", "o": "O"}),
        ("cmn", dict.fromkeys(["y", "ɹ̩", "ɚ", "ɥæn"])),
        ("it", {"ɪ": "i", "e": "E", "o": "O"}),
        ("pl", {"ɨ": None, "ɛ": "E", "ɔ̃": None}),
    ],
)
def test_shared_vowels(language: str, expected: dict[str, str | None]) -> None:
    assert {phone: phones.shared_vowel(phone, language) for phone in expected} == expected


def test_all_ten_vowels_occur_in_english_and_mandarin() -> None:
    for language in ("en", "cmn"):
        assert {row.vowel for row in phones.vowel_rows(language) if row.vowel} == set(SHARED_VOWELS)


def test_every_row_has_a_source() -> None:
    assert all(row.source for language in LANGUAGES for row in phones.vowel_rows(language))
    table = tomllib.loads(Path(phones.__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    assert {*table["sets"], "espeak"} <= table["sources"].keys()


@given(st.sampled_from(sorted(phones._classes())), st.sampled_from(["", "ː", "ʲ", "ʰ", "\u0303", "\u0325"]))
def test_marks_do_not_change_the_class(letter: str, mark: str) -> None:
    assert phones.articulatory_class(letter + mark) == phones.articulatory_class(letter)


@given(st.text(min_size=1, max_size=3), st.sampled_from(LANGUAGES))
def test_any_symbol_is_mapped_or_refused_by_name(symbol: str, language: str) -> None:
    if not symbol.strip() or phones._is_ipa(symbol.strip()):
        assert all(phones.articulatory_class(name) for name, _ in phones.split_espeak(symbol, language))
    elif not any(mark in symbol for mark in "0123456789.-()ɜ˥˦˧˨˩⁰¹²³⁴⁵"):
        with pytest.raises(AlignmentError, match="'espeak'"):
            phones.split_espeak(symbol, language)


def test_consonants_have_no_shared_vowel() -> None:
    for phone, kind in phones._classes().items():
        if kind != "vowel":
            assert phones.shared_vowel(phone, "de") is None


def test_the_published_texts_are_covered() -> None:
    for text, language in [
        ("Das schwarze Stück Papier", "de"),
        ("cinquantasette", "it"),
        ("Wyraźnie żółć", "pl"),
    ]:
        for word in espeak.words_to_phones(text, language):
            assert all(phones.split_espeak(phone, language) for phone in word)
