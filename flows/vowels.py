"""The vowel tokens of a corpus pair for the report: measured, and normalised over the pair (Nearey 1)."""

from collections.abc import Sequence

import numpy as np

from features.vowel_formants import VowelToken as MeasuredVowel
from features.vowel_formants import measure_vowels, nearey_hertz
from store.feature_store import FeatureStore
from store.records import Utterance
from training.reports.figures import VowelToken


def measured_vowels(
    store: FeatureStore, spec: str, utterances: Sequence[Utterance]
) -> list[tuple[Utterance, MeasuredVowel]]:
    """Return the vowel tokens of the utterances whose formants and phones are stored, in Hz as measured."""
    stored = {item.id: item for item in utterances if store.has(spec, item.id)}
    return [
        (stored[name], token)
        for name, rows in store.read_many(spec, list(stored)).items()
        if (alignment := store.alignment(name)) is not None
        for token in measure_vowels(np.asarray(rows, dtype=np.float32), alignment.phones).tokens
    ]


def normalised(found: Sequence[tuple[Utterance, MeasuredVowel]]) -> tuple[VowelToken, ...]:
    """Return the tokens of both corpora, normalised by speaker and put on one axis in Hz.

    Each formant is exp(ln F - the speaker's mean + the mean over all tokens of the pair). Source: Nearey
    1978; system 002, figure 2.
    """
    if not found:
        return ()
    hertz = nearey_hertz(
        np.array([token.value for _, token in found]), [item.speaker_key for item, _ in found]
    )
    return tuple(
        VowelToken(corpus=item.corpus, vowel=token.vowel, f1=float(f1), f2=float(f2), emotion=item.emotion)
        for (item, token), (f1, f2) in zip(found, hertz, strict=True)
    )
