"""From a text to the slots of the embedded aligner: phones, optional pauses and optional reduced vowels."""

from collections.abc import Sequence
from functools import cache, lru_cache

from pipeline.aligners.graph import Slot, silence
from pipeline.espeak import has_language, words_to_phones
from pipeline.phones import articulatory_class, split_espeak
from store.errors import AlignmentError
from store.records import Utterance

_REDUCED = frozenset({"ə"})
_SYLLABIC = ("n", "m", "l", "ŋ")


@lru_cache(maxsize=4096)
def pronounce(text: str, language: str) -> tuple[tuple[str, ...], ...]:
    """Return the IPA phones of each word of ``text``; a language espeak-ng lacks raises AlignmentError."""
    words = []
    for word in words_to_phones(text, language):
        phones = tuple(name for symbol in word for name, _ in split_espeak(symbol, language))
        if phones:
            words.append(phones)
    return tuple(words)


def slots(words: tuple[tuple[str, ...], ...]) -> tuple[Slot, ...]:
    """Return the slots of an utterance: words with an optional pause before, between and after them.

    A schwa before n, m, l or ŋ may be left out, as speakers of German and English do (*haben* as [haːbm]);
    without this, one vowel in six of EMO-DB is a phantom.
    """
    places = [silence()]
    for word in words:
        for position, phone in enumerate(word):
            places.append(Slot(phone, unit_of(phone), _may_be_dropped(word, position)))
        places.append(silence())
    return tuple(places)


def reduced_forms(word: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the word without its droppable schwas, if it has any."""
    kept = tuple(phone for place, phone in enumerate(word) if not _may_be_dropped(word, place))
    return (kept,) if kept != word else ()


@cache
def unit_of(phone: str) -> str:
    """Return the HMM unit of a phone: length is left to the durations, so that long and short share data."""
    return phone.replace("ː", "").replace("ˑ", "")


def _may_be_dropped(word: tuple[str, ...], position: int) -> bool:
    if word[position] not in _REDUCED or position == 0 or position + 1 >= len(word):
        return False
    return word[position + 1] in _SYLLABIC and articulatory_class(word[position - 1]) != "vowel"


def require_languages(utterances: Sequence[Utterance]) -> None:
    """Raise AlignmentError if a text is in a language that espeak-ng does not speak."""
    for language in sorted({u.language for u in utterances if u.text}):
        if not has_language(language):
            raise AlignmentError(
                "texts in a language that espeak-ng speaks", f"{language!r} in {utterances[0].corpus}",
                "bring an alignment of this corpus as TextGrids (--aligner textgrid)",
            )  # fmt: skip


def unusable(utterance: Utterance) -> str | None:
    """Return why an utterance cannot be aligned as far as its text tells, or None."""
    if not (utterance.text or "").strip():
        return "no text"
    if not pronounce(utterance.text or "", utterance.language):
        return f"a text without any word: {utterance.text!r}"
    return None
