"""The command `phones`: how a language's vowels map to the shared ones, and what two languages share."""

from collections.abc import Iterable, Iterator

from pipeline.espeak import has_language
from pipeline.phones import VowelRow, articulatory_class, own_vowel_rows, vowel_rows
from store.errors import ConfigurationError
from store.vocabulary import SHARED_VOWELS


def phone_lines(language: str, other: str | None = None) -> Iterator[str]:
    """Yield the mapping of one language, or of two and the vowels they share, one line a row.

    Raises
    ------
    ConfigurationError
        For a language that neither the table nor espeak-ng knows.
    """
    for name in (language, other):
        if name is not None:
            yield from _table(name)
    if other is not None:
        yield from _common(language, other)


def shared_vowels_of(language: str) -> tuple[str, ...]:
    """Return the shared vowels a language's phones map to, in the order of the vocabulary.

    Its own rows decide; the general ones count only for a language that has none.
    """
    found = {row.vowel for row in own_vowel_rows(language) or vowel_rows(language)}
    return tuple(vowel for vowel in SHARED_VOWELS if vowel in found)


def _table(language: str) -> Iterator[str]:
    own = own_vowel_rows(language)
    if not own and not has_language(language):
        raise ConfigurationError(
            "a language code such as en, de or cmn",
            repr(language),
            "name one that espeak-ng speaks, or add its rows under [shared] in pipeline/phones.toml",
        )
    yield f"{language}: {_listed(shared_vowels_of(language))}" + ("" if own else " (general rows only)")
    yield f"{'phone':<8}{'class':<8}{'shared':<8}source"
    for row in vowel_rows(language):
        fallback = "" if row in own else " (general row, where the phone occurs)"
        yield f"{row.phone:<8}{articulatory_class(row.phone):<8}{_shown(row):<8}{row.source}{fallback}"
    yield ""


def _shown(row: VowelRow) -> str:
    return f"/{row.vowel}/" if row.vowel else "-"


def _common(first: str, second: str) -> Iterator[str]:
    ours, theirs = shared_vowels_of(first), shared_vowels_of(second)
    yield f"shared by {first} and {second}: {_listed(vowel for vowel in ours if vowel in theirs)}"
    yield f"only in {first}: {_listed(vowel for vowel in ours if vowel not in theirs)}"
    yield f"only in {second}: {_listed(vowel for vowel in theirs if vowel not in ours)}"


def _listed(vowels: Iterable[str]) -> str:
    return " ".join(f"/{vowel}/" for vowel in vowels) or "none"
