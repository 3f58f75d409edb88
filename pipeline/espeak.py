"""Grapheme-to-phoneme conversion and synthesis with phone times, by the espeak-ng library in this process.

espeak-ng (GPL-3) is loaded at run time from the wheel `espeakng-loader`; no part of it is copied here.
Its waveform generator keeps state between utterances that no call resets, so the library is loaded afresh for
each synthesis (about 3 ms): the same arguments then give the same samples, whatever was said before.
"""

import _ctypes
import atexit
import ctypes
import re
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from store.errors import AlignmentError

VOICES = {"en": "en-us", "zh": "cmn"}
"""Language code to espeak voice where they differ; American English keeps AA, AO and OW apart."""

_SYNCHRONOUS, _PHONEME_EVENTS_IN_IPA_NO_EXIT, _UTF8, _CHARACTERS = 2, 0x8003, 1, 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_IPA_SEPARATED_BY_UNDERSCORE = 0x02 | (ord("_") << 8)
_PHONEME_EVENT, _SEED = 7, 1
_LONGEST_DATA_PATH = 120
_LANGUAGE_SWITCH = re.compile(r"\([a-z]{2,3}(-[a-z0-9]+)*\)")


class _EventValue(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """One `espeak_EVENT` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int), ("identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("value", _EventValue),
    )  # fmt: skip


class _Voice(ctypes.Structure):
    """The leading fields of `espeak_VOICE`."""

    _fields_ = (("name", ctypes.c_char_p), ("languages", ctypes.c_void_p), ("identifier", ctypes.c_char_p))


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class Synthesis:
    """Speech of one text: ``samples`` (n,) int16 at ``rate`` Hz and the phones that tile [0, n).

    ``phones`` are (espeak's IPA symbol without stress, start sample, stop sample), "" for silence. The
    symbols are espeak's own: `pipeline.phones.split_espeak` splits and normalises them.
    """

    samples: NDArray[np.int16]
    rate: int
    phones: tuple[tuple[str, int, int], ...]


class _Recorder:
    """Collects the samples and the phoneme events of one synthesis."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.events: list[tuple[int, str]] = []
        self.callback = _Callback(self._receive)  # held here: the library keeps only a raw pointer

    def _receive(self, wave: "ctypes._Pointer[ctypes.c_short]", count: int, events: Iterable[_Event]) -> int:
        if wave and count > 0:
            self.chunks.append(ctypes.string_at(wave, 2 * count))
        for event in events:  # terminated by type 0; a ctypes pointer itself has no end
            if event.type == 0:
                break
            if event.type == _PHONEME_EVENT:
                name = ctypes.string_at(ctypes.addressof(event.value), 8).split(b"\0")[0]
                self.events.append((event.sample, name.decode(errors="ignore")))
        return 0


_lock = threading.Lock()  # the library is one global state machine
_loaded: list[tuple[ctypes.CDLL, int]] = []


def synthesise(
    text: str, language: str, *, variant: str = "", rate_wpm: int = 175, pitch: int = 50,
    pitch_range: int = 50, volume: int = 100,
) -> Synthesis:  # fmt: skip
    """Return ``text`` spoken by an espeak voice, with its phone times.

    Parameters
    ----------
    text, language
        Plain text (no mark-up) and the code of its language, e.g. ``"de"``.
    variant
        An espeak voice variant such as ``"f2"`` or ``"m3"``; "" for the language's own voice.
    rate_wpm, pitch, pitch_range, volume
        espeak's parameters: words a minute (80 to 450), 0 to 99, 0 to 99, 0 to 200.

    Raises
    ------
    AlignmentError
        If espeak-ng has no such language or variant.
    """
    recorder = _Recorder()
    encoded = text.replace("\0", " ").encode()
    with _library(fresh=True) as (library, rate):
        _choose_voice(library, language, variant)
        for parameter, value in (
            (_RATE, rate_wpm),
            (_PITCH, pitch),
            (_RANGE, pitch_range),
            (_VOLUME, volume),
        ):
            library.espeak_SetParameter(parameter, value, 0)
        library.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))
        library.espeak_SetSynthCallback(recorder.callback)
        library.espeak_Synth(encoded, len(encoded) + 1, 0, _CHARACTERS, 0, _UTF8, None, None)
        _unload()
    samples = np.frombuffer(b"".join(recorder.chunks), dtype=np.int16).copy()
    return Synthesis(samples, rate, tuple(_tile(recorder.events, len(samples))))


def words_to_phones(text: str, language: str) -> tuple[tuple[str, ...], ...]:
    """Return the words of ``text``, each as espeak's IPA symbols (stress and language flags removed).

    The whole text is converted at once, so that liaison and reduction between words are the sentence's.
    An unsupported language raises AlignmentError.
    """
    words = _transcribe(text.replace("\0", " "), language)
    phones = (tuple(_plain(phone) for phone in word.split("_")) for word in words)
    kept = (tuple(phone for phone in word if phone) for word in phones)
    return tuple(word for word in kept if word)


def has_language(language: str) -> bool:
    """Return whether espeak-ng speaks ``language`` (an ISO 639 code such as ``de``, ``en``, ``cmn``)."""
    return VOICES.get(language, language) in _languages()


def version() -> str:
    """Return the version of the espeak-ng library, e.g. ``1.52.0``."""
    with _library() as (library, _):
        library.espeak_Info.restype = ctypes.c_char_p
        return bytes(library.espeak_Info(None)).decode().split()[0]


def _tile(events: list[tuple[int, str]], n_samples: int) -> Iterator[tuple[str, int, int]]:
    """Turn event starts into intervals without gaps; events without duration (word ends) vanish."""
    starts = [min(sample, n_samples) for sample, _ in events]
    if not starts or starts[0] > 0:
        yield "", 0, starts[0] if starts else n_samples
    for (start, stop), (_, name) in zip(
        zip(starts, [*starts[1:], n_samples], strict=True), events, strict=True
    ):
        if stop > start:
            yield _plain(name), start, stop


def _plain(phone: str) -> str:
    """Remove stress marks, spaces and stray separators from one espeak symbol."""
    return phone.translate({ord(mark): None for mark in "ˈˌ'ˑ‿ _|"})


def _transcribe(text: str, language: str) -> list[str]:
    buffer = ctypes.create_string_buffer(text.encode())
    position = ctypes.c_void_p(ctypes.addressof(buffer))
    clauses = []
    with _library() as (library, _):
        _choose_voice(library, language, "")
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        while position.value:  # one clause a call; the library sets the pointer to null at the end
            clause = library.espeak_TextToPhonemes(
                ctypes.byref(position), _UTF8, _IPA_SEPARATED_BY_UNDERSCORE
            )
            clauses.append((clause or b"").decode())
    return _LANGUAGE_SWITCH.sub("", " ".join(clauses)).split()


def _choose_voice(library: ctypes.CDLL, language: str, variant: str) -> None:
    name = VOICES.get(language, language) + (f"+{variant}" if variant else "")
    known = has_language(language) and (
        not variant or variant in _variants()
    )  # espeak ignores an unknown variant
    if not known or library.espeak_SetVoiceByName(name.encode()) != 0:
        found = f"{language!r} with variant {variant!r}" if variant else repr(language)
        raise AlignmentError(
            "a language that espeak-ng speaks", found,
            "use a corpus in a supported language, or bring an alignment as TextGrids",
        )  # fmt: skip


@cache
def _languages() -> frozenset[str]:
    """Return the names of all formant voices, read from the voice files (MBROLA voices need more data)."""
    folder = Path(espeakng_loader.get_data_path()) / "lang"
    return frozenset(path.name.lower() for path in folder.rglob("*") if path.is_file())


@cache
def _variants() -> frozenset[str]:
    folder = Path(espeakng_loader.get_data_path()) / "voices" / "!v"
    return frozenset(path.name for path in folder.iterdir())


@contextmanager
def _library(*, fresh: bool = False) -> Iterator[tuple[ctypes.CDLL, int]]:
    """Yield the library and its sampling rate under the lock; ``fresh`` makes sure that no state is left."""
    with _lock:
        if fresh:
            _unload()
        if not _loaded:
            _loaded.append(_load())
        yield _loaded[0]


def _load() -> tuple[ctypes.CDLL, int]:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    options = (_SYNCHRONOUS, 0, _data_path().encode(), _PHONEME_EVENTS_IN_IPA_NO_EXIT)
    rate = int(library.espeak_Initialize(*options))
    if rate <= 0:
        found = f"error {rate} with the data in {_data_path()}"
        raise AlignmentError("espeak-ng to start", found, "reinstall espeakng-loader")
    return library, rate


def _unload() -> None:
    while _loaded:
        library, _ = _loaded.pop()
        library.espeak_Terminate()
        _ctypes.dlclose(library._handle)


@cache
def _data_path() -> str:
    """Return the data folder; a long one is reached by a short link, since espeak-ng cuts long paths."""
    path = str(espeakng_loader.get_data_path())
    if len(path.encode()) <= _LONGEST_DATA_PATH:
        return path
    folder = tempfile.mkdtemp(prefix="espeak-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    link = Path(folder) / "espeak-ng-data"
    link.symlink_to(path)
    return str(link)
