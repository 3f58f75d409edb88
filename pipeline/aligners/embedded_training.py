"""Trains the model of the embedded aligner on a corpus: seed, sample, speakers' means, Viterbi EM."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.aligners.acoustics import HOP
from pipeline.aligners.aligner import Load, Progress
from pipeline.aligners.arithmetic import one_blas_thread
from pipeline.aligners.hearing import Heard, hear, mean_cepstrum, why_unheard
from pipeline.aligners.model import Model
from pipeline.aligners.pronunciation import pronounce, require_languages, slots, unit_of, unusable
from pipeline.aligners.training import Example, Recipe, train, train_seed
from store.errors import AudioError
from store.records import Utterance
from store.vocabulary import COMMON_RATE

_MOST_SEED_TEXTS, _LONGEST_SEED_TEXT = 60, 300


def train_embedded(
    utterances: Sequence[Utterance], load: Load, *, recipe: Recipe | None = None,
    progress: Progress | None = None,
) -> bytes:  # fmt: skip
    """Return the bytes of a model trained on these utterances; under a minute of speech it is the seed alone.

    Raises
    ------
    AlignmentError
        If espeak-ng lacks a language.
    """
    recipe = recipe or Recipe()
    require_languages(utterances)
    usable = [utterance for utterance in utterances if not unusable(utterance)]
    if not usable:
        return Model.empty().to_bytes()  # nothing to learn from; `align` gives each utterance its reason
    with one_blas_thread():
        model = _trained(usable, load, recipe, progress)
    return replace(model, corpus_size=len(usable)).to_bytes()


def _trained(utterances: Sequence[Utterance], load: Load, recipe: Recipe, progress: Progress | None) -> Model:
    """Return the seed model, trained further if there is enough speech that can hold its text."""
    seed = train_seed(seed_texts(utterances), recipe)
    heard = _hear_all(_sample(utterances, recipe.longest_training_s), load, progress)
    by_speaker: dict[str, list[Heard]] = defaultdict(list)
    for utterance, one in heard:
        by_speaker[utterance.speaker_key].append(one)
    speakers = {name: mean_cepstrum(several) for name, several in sorted(by_speaker.items())}
    examples = [
        Example(one.features(speakers[u.speaker_key]), slots(pronounce(u.text or "", u.language)))
        for u, one in heard
    ]
    usable = [example for example in examples if len(example.features) >= example.shortest]
    seconds = sum(len(example.features) for example in usable) * HOP / COMMON_RATE
    if seconds < recipe.shortest_training_s:
        return replace(seed, speakers=speakers)
    return train(seed, usable, speakers, recipe, progress)


def seed_texts(utterances: Sequence[Utterance]) -> tuple[tuple[str, str], ...]:
    """Return the (text, language) pairs to synthesise: if many, the short and the new ones."""
    chosen: list[tuple[str, str]] = []
    seen: set[str] = set()
    pairs = {(u.text or "", u.language) for u in utterances}
    for pair in sorted(pairs, key=lambda pair: (len(pair[0]), pair)):
        units = {unit_of(phone) for word in pronounce(*pair) for phone in word}
        few = len(chosen) < _MOST_SEED_TEXTS and len(pair[0]) <= _LONGEST_SEED_TEXT
        if few or not units <= seen:
            chosen.append(pair)
            seen.update(units)
    return tuple(chosen)


def _sample(utterances: Sequence[Utterance], seconds: float) -> list[Utterance]:
    """Return utterances of about ``seconds`` in all, spread evenly over the corpus in order of their ids."""
    ordered = sorted(utterances, key=lambda u: u.id)
    total = sum(u.seconds for u in ordered)
    if total <= seconds:
        return ordered
    count = max(1, int(len(ordered) * seconds / total))
    return [ordered[int(place)] for place in np.linspace(0, len(ordered) - 1, count)]


def _hear_all(
    utterances: Sequence[Utterance], load: Load, progress: Progress | None
) -> list[tuple[Utterance, Heard]]:
    heard = []
    for done, utterance in enumerate(utterances, 1):
        try:
            samples = load(utterance)
        except AudioError:
            continue  # `align` reports it
        if why_unheard(samples) is None:
            heard.append((utterance, hear(samples)))
        if progress:
            progress("analyse", done, len(utterances))
    return heard
