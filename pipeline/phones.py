"""Phone symbols of every aligner to IPA, and IPA to the ten shared vowels, by the table `phones.toml`."""

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

from store.errors import AlignmentError
from store.vocabulary import SHARED_VOWELS, SILENCE

SILENT_MARKS = frozenset({"", "sil", "sp", "spn", "<eps>", "pau", "#", "ssil", "nsn", "+spn+", "+nsn+"})
"""Symbols that mean silence, noise or an unknown word in any phone set (compared in lower case)."""

_TONES = re.compile("[˥˦˧˨˩⁰¹²³⁴⁵0-9]+$")
_ESPEAK_MANDARIN_TONE = re.compile("(?<=.)(?:[0-9]+|ɜ)$")
_ESPEAK_FLAG = re.compile(r"^\([a-z-]*\)$")


@dataclass(frozen=True)
class VowelRow:
    """One row of the shared-vowel map: IPA, shared vowel (None: excluded), where the choice comes from."""

    phone: str
    vowel: str | None
    source: str


@cache
def shared_vowel(phone: str, language: str) -> str | None:
    """Return the shared vowel (X-SAMPA, one of `SHARED_VOWELS`) of an IPA phone, None if it has none.

    Length and tone are ignored; a nasal vowel has no shared vowel. Source: system 002 (AGA-CL), vowel
    inventory; for languages the paper does not treat, the rows of `phones.toml` say what was chosen and why.
    """
    plain = unicodedata.normalize("NFC", _TONES.sub("", phone)).replace("ː", "").replace("ˑ", "")
    table = _vowels(_language(language))
    row = table.get(plain) or table.get(_nucleus(plain))
    return row.vowel if row else None


def vowel_rows(language: str) -> tuple[VowelRow, ...]:
    """Return the shared-vowel map of a language, its own rows before the general ones."""
    return tuple(_vowels(_language(language)).values())


def own_vowel_rows(language: str) -> tuple[VowelRow, ...]:
    """Return the rows that the table holds for this very language; () where it has the general ones only."""
    own = {row[0] for row in _table()["shared"].get(_language(language), [])}
    return tuple(row for row in vowel_rows(language) if row.phone in own)


def to_ipa(phone: str, phone_set: str) -> str:
    """Return one symbol of an aligner's phone set in IPA, "" for silence.

    Parameters
    ----------
    phone
        The symbol as the aligner writes it.
    phone_set
        ``arpabet`` (with or without stress), ``mfa`` (IPA with tones), ``sampa`` (EMO-DB), ``pinyin``,
        ``zhuyin`` (finals), ``espeak`` or ``ipa``.

    Raises
    ------
    AlignmentError
        If the set is unknown or has no such phone.
    """
    if phone.strip().lower() in SILENT_MARKS:
        return SILENCE
    symbol = unicodedata.normalize("NFC", phone.strip())
    if phone_set in ("espeak", "ipa"):
        return "".join(part for part, _ in split_espeak(symbol, ""))
    if phone_set not in _table()["sets"]:
        known = ", ".join([*_table()["sets"], "espeak", "ipa"])
        raise AlignmentError(f"one of the phone sets {known}", repr(phone_set), "name one of them")
    table: dict[str, str] = _table()["sets"][phone_set]
    bare = _TONES.sub("", symbol)
    for candidate in (
        (symbol, bare, symbol.upper(), bare.upper()) if phone_set == "arpabet" else (symbol, bare)
    ):
        if candidate in table:
            return table[candidate]
    if phone_set == "mfa" and _is_ipa(bare):
        return bare
    if phone_set == "sampa" and all(mark in table for mark in symbol):
        return "".join(table[mark] for mark, _ in groupby(symbol))  # e.g. I@ in one segment; nn is a long n
    raise _unmapped(phone, phone_set)


def split_espeak(phone: str, language: str) -> tuple[tuple[str, float], ...]:
    """Return the IPA phones that one espeak symbol covers, each with its share of the symbol's duration.

    A vowel with an r or l after it, and a Mandarin medial before it, become phones of their own, so that the
    vowel's interval is the vowel's. A symbol with letters outside the IPA raises AlignmentError.
    """
    symbol = unicodedata.normalize("NFC", phone.strip())
    language = _language(language)
    if language == "cmn":
        symbol = _ESPEAK_MANDARIN_TONE.sub("", symbol)
    if _ESPEAK_FLAG.match(symbol):
        return ()
    rows = {**_table()["espeak"]["any"], **_table()["espeak"].get(language, {})}
    symbol = _TONES.sub("", symbol).removesuffix("-") if symbol not in rows else symbol
    if symbol not in rows:
        if symbol and not _is_ipa(symbol):
            raise _unmapped(phone, "espeak")
        return ((symbol, 1.0),) if symbol else ()
    parts = [part.partition(":") for part in rows[symbol].split()]
    return tuple((name, float(share) if share else 1.0 / len(parts)) for name, _, share in parts)


@cache
def articulatory_class(phone: str) -> str:
    """Return an IPA phone's class: a key of ``[classes]`` in the table, or ``silence``."""
    if phone in SILENT_MARKS:
        return "silence"
    letters = _letters(phone)
    classes = _classes()
    pair = "".join(letters[:2])
    if len(letters) > 1 and classes.get(pair) == "affricate":
        return "affricate"
    found = classes.get(letters[0]) if letters else None
    if found is None:
        raise _unmapped(phone, "ipa")
    if (
        "\u0329" in unicodedata.normalize("NFD", phone)
        and found in ("liquid", "fricative")
        and phone[0] in "ɹɻzʐ"
    ):
        return "vowel"  # the apical vowels of Mandarin
    return found


def _nucleus(phone: str) -> str:
    """Return a final such as ``jaŋ`` without its glide and coda."""
    return phone.lstrip("jwɥ").rstrip("nŋ")


def _language(code: str) -> str:
    return {"zh": "cmn", "en-us": "en", "en-gb": "en"}.get(code.lower(), code.lower())


def _letters(phone: str) -> list[str]:
    """Return the base letters of an IPA symbol (ç is one letter, a tie bar none)."""
    plain = unicodedata.normalize("NFD", phone).replace("c\u0327", "\u00e7")
    marks = str(_table()["classes"]["modifiers"]).split()
    return [c for c in plain if not unicodedata.combining(c) and c not in marks]


def _is_ipa(phone: str) -> bool:
    letters = _letters(phone)
    return bool(letters) and all(letter in _classes() for letter in letters)


def _unmapped(phone: str, phone_set: str) -> AlignmentError:
    return AlignmentError(
        f"a phone of the set {phone_set!r}", repr(phone), "add a row for it to pipeline/phones.toml"
    )


@cache
def _table() -> dict[str, dict[str, dict[str, str]]]:
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    return tomllib.loads(unicodedata.normalize("NFC", text))


@cache
def _classes() -> dict[str, str]:
    rows = {name: phones for name, phones in _table()["classes"].items() if name != "modifiers"}
    return {phone: name for name, phones in rows.items() for phone in str(phones).split()}


@cache
def _vowels(language: str) -> dict[str, VowelRow]:
    shared = _table()["shared"]
    rows: dict[str, VowelRow] = {}
    for phone, vowel, source in [*shared.get(language, []), *shared["default"]]:
        if vowel and vowel not in SHARED_VOWELS:
            raise AlignmentError("a shared vowel", repr(vowel), f"mend the row of {phone!r} in phones.toml")
        rows.setdefault(phone, VowelRow(phone, vowel or None, source))
    return rows
