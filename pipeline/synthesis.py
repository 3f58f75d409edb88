"""Makes the embedded sample: two small SYNTHETIC corpora, spoken by espeak-ng by `sample_recipe.toml`."""

import hashlib
import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pipeline.audio import NativeAudio, to_mono, write_wav
from pipeline.corpora.sample import LICENCE
from pipeline.espeak import synthesise, version
from store.atomic import folder_aside, unwritable
from store.digests import digest

RECIPE = Path(__file__).with_name("sample_recipe.toml")
STAGE = "sample"

_CODE_VERSION = 1  # raise it when this module makes other samples of the same recipe
_GENDERS = {"f": "female", "m": "male"}
_README = """SYNTHETIC SPEECH

{name}: {clips} recordings in the language "{language}", spoken by espeak-ng {version}, not by people.
The emotions are settings of rate, pitch, pitch range and volume (recipe {recipe}).
The corpus shows that the software works end to end; scores on it say nothing about human emotion.
Licence of sentences and recordings: {licence}.
"""

Progress = Callable[[str, int, int], None]


class Prosody(BaseModel):
    """espeak's settings: words a minute (80 to 450), pitch and its range (0 to 99), volume (0 to 200)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate_wpm: int
    pitch: int
    pitch_range: int
    volume: int


class SampleCorpus(BaseModel):
    """One corpus of the recipe: language, speakers (name -> espeak voice variant) and sentences."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: str
    speakers: Mapping[str, str]
    sentences: tuple[str, ...]


class Recipe(BaseModel):
    """The whole recipe; the jitters are half-widths around the prosody of an emotion."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: int
    prosody: Mapping[str, Prosody]
    jitter: Prosody
    speaker_jitter: Prosody
    corpora: Mapping[str, SampleCorpus]


@dataclass(frozen=True)
class SampleClip:
    """One recording to make: its file stem and what espeak-ng is told."""

    stem: str
    text: str
    language: str
    variant: str
    prosody: Prosody


@cache
def recipe() -> Recipe:
    """Return the recipe of the sample."""
    return Recipe.model_validate(tomllib.loads(RECIPE.read_text(encoding="utf-8")))


def recipe_digest(name: str) -> str:
    """Return the digest of all that the bytes of the sample corpus ``name`` depend on."""
    made_of = recipe().model_dump(mode="json", exclude={"corpora"})
    own = recipe().corpora[name].model_dump(mode="json")
    return digest({"name": name, "made_of": made_of, "own": own, "espeak": version(), "code": _CODE_VERSION})


def sample_clips(name: str) -> tuple[SampleClip, ...]:
    """Return the recordings of the sample corpus ``name``: each speaker, emotion and sentence once."""
    corpus = recipe().corpora[name]
    return tuple(
        SampleClip(
            f"{speaker}_{emotion}_{number:02d}", text, corpus.language, variant,
            _prosody(name, speaker, emotion, number),
        )
        for speaker, variant in corpus.speakers.items()
        for emotion in recipe().prosody
        for number, text in enumerate(corpus.sentences, start=1)
    )  # fmt: skip


def ensure_sample(folder: Path, progress: Progress | None = None) -> None:
    """Make the sample corpora below ``folder`` unless they are there and of the present recipe.

    Each corpus is written aside and put in place in one step; the same recipe and espeak-ng give the same
    bytes. ``progress`` is called with (``"sample"``, clips made, clips in all).

    Raises
    ------
    StoreError
        The folder cannot be written.
    AlignmentError
        espeak-ng does not start.
    """
    wanting = {name: sample_clips(name) for name in recipe().corpora if not _is_present(folder / name, name)}
    total = sum(len(clips) for clips in wanting.values())
    done = 0
    for name, clips in wanting.items():
        with _aside(folder / name, name) as aside:
            for clip in clips:
                write_wav(aside / "wav" / f"{clip.stem}.wav", render(clip), recipe().rate)
                done += 1
                if progress is not None:
                    progress(STAGE, done, total)
            _write_tables(aside, name)


def render(clip: SampleClip) -> NDArray[np.float32]:
    """Return the samples of one clip at the recipe's rate, shape (n,), float32."""
    settings = clip.prosody
    speech = synthesise(
        clip.text,
        clip.language,
        variant=clip.variant,
        rate_wpm=settings.rate_wpm,
        pitch=settings.pitch,
        pitch_range=settings.pitch_range,
        volume=settings.volume,
    )
    samples = speech.samples.astype(np.float32)[:, np.newaxis] / np.float32(32768)
    return to_mono(NativeAudio(samples, speech.rate), recipe().rate)


def _prosody(name: str, speaker: str, emotion: str, number: int) -> Prosody:
    """Return the emotion's prosody, shifted for speaker and utterance by fixed pseudo-random amounts."""
    base = recipe().prosody[emotion].model_dump()
    own = recipe().speaker_jitter.model_dump()
    once = recipe().jitter.model_dump()
    return Prosody(**{
        key: round(
            base[key]
            + own[key] * _deviation(name, speaker, key)
            + once[key] * _deviation(name, speaker, emotion, str(number), key)
        )
        for key in base
    })  # fmt: skip


def _deviation(*names: str) -> float:
    """Return a number in [-1, 1) that depends on the names only, on every machine."""
    first = int.from_bytes(hashlib.sha256("/".join(names).encode()).digest()[:6], "big")
    return first / 2**47 - 1


def _is_present(folder: Path, name: str) -> bool:
    """Tell whether the corpus lies there complete and of the present recipe."""
    marker = folder / "recipe"
    if not marker.is_file() or marker.read_text(encoding="utf-8").strip() != recipe_digest(name):
        return False
    present = {path.stem for path in (folder / "wav").glob("*.wav")}
    return present == {clip.stem for clip in sample_clips(name)}


@contextmanager
def _aside(final: Path, name: str) -> Iterator[Path]:
    """Yield a folder that takes the place of an incomplete or older ``final`` once it is whole."""
    try:
        with folder_aside(final) as aside:
            (aside / "wav").mkdir()
            yield aside
            if final.exists() and not _is_present(final, name):
                shutil.rmtree(final)
    except OSError as error:
        raise unwritable(final, error) from error


def _write_tables(folder: Path, name: str) -> None:
    """Write the tables that the adapter reads, the list of settings, the README and the recipe's digest."""
    corpus, clips = recipe().corpora[name], sample_clips(name)
    _write(folder / "sentences.tsv", [("text_id", "text")] + [
        (f"{number:02d}", text) for number, text in enumerate(corpus.sentences, start=1)
    ])  # fmt: skip
    _write(folder / "speakers.tsv", [("speaker", "gender", "variant")] + [
        (speaker, _GENDERS[speaker[0]], variant) for speaker, variant in corpus.speakers.items()
    ])  # fmt: skip
    _write(folder / "clips.tsv", [("stem", "variant", *Prosody.model_fields)] + [
        (clip.stem, clip.variant, *map(str, clip.prosody.model_dump().values())) for clip in clips
    ])  # fmt: skip
    readme = _README.format(
        name=name, clips=len(clips), language=corpus.language, version=version(),
        recipe=recipe_digest(name), licence=LICENCE,
    )  # fmt: skip
    (folder / "README").write_text(readme, encoding="utf-8")
    (folder / "recipe").write_text(recipe_digest(name) + "\n", encoding="utf-8")


def _write(path: Path, rows: Sequence[tuple[str, ...]]) -> None:
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
