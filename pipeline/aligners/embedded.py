"""The embedded aligner: a monophone HMM-GMM trained on the user's own corpus, seeded by espeak-ng."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.aligners.acoustics import HOP, cepstra, energy_db, speech_span, with_deltas
from pipeline.aligners.aligner import Load, Progress, alignment_key, skipped, tiled
from pipeline.aligners.graph import best_path, build_graph
from pipeline.aligners.hmm import Array
from pipeline.aligners.model import Model, from_bytes
from pipeline.aligners.pronunciation import pronounce, slots, unit_of
from pipeline.aligners.training import Example, Recipe, train, train_seed
from pipeline.espeak import has_language, version
from pipeline.phones import shared_vowel
from store.digests import digest
from store.errors import AlignmentError, AudioError
from store.records import Alignment, PhoneInterval, Skipped, Utterance

VERSION = 1
SHORTEST_SAMPLES = 5 * HOP
_MOST_SEED_TEXTS, _LONGEST_SEED_TEXT = 60, 300


@dataclass(frozen=True)
class _Heard:
    """The static cepstra (frames, 13) of one recording, where the speech lies, and which frames are loud."""

    static: Array
    start: int
    stop: int
    loud: NDArray[np.bool_]


class EmbeddedAligner:
    """Aligns with a trained `Model`: its times depend on the model and the one recording, nothing else."""

    name = "embedded"

    def __init__(self, data: bytes, recipe: Recipe | None = None, *, workers: int = 0) -> None:
        self.model = from_bytes(data)
        self._recipe = recipe or Recipe()
        self._workers = workers
        self.identity = digest({
            "aligner": self.name, "version": VERSION, "recipe": asdict(self._recipe), "espeak": version(),
            "model": hashlib.sha256(data).hexdigest(),
        })  # fmt: skip

    def key(self, utterance: Utterance) -> str:
        """Return the key of the utterance's alignment: audio, text, language, speaker and this model."""
        return alignment_key(utterance, self.identity)

    def align(
        self, utterances: Sequence[Utterance], load: Load, progress: Progress | None = None
    ) -> Iterator[Alignment | Skipped]:
        """Yield an alignment or a reason for each utterance; a language unknown to espeak is an error."""
        require_languages(utterances)
        with ThreadPoolExecutor(max_workers=max(1, self._workers)) as pool:
            rows = pool.map(lambda utterance: self._align_one(utterance, load), utterances)
            for done, row in enumerate(rows, 1):
                yield row
                if progress:
                    progress("align", done, len(utterances))

    def _align_one(self, utterance: Utterance, load: Load) -> Alignment | Skipped:
        reason = unusable(utterance)
        if reason:
            return skipped(utterance, reason)
        try:
            samples = load(utterance)
        except AudioError as error:
            return skipped(utterance, str(error))
        if len(samples) < SHORTEST_SAMPLES:
            return skipped(utterance, f"too short to align: {len(samples)} samples")
        return self.align_samples(utterance, samples)

    def align_samples(self, utterance: Utterance, samples: Array) -> Alignment | Skipped:
        """Align one recording whose samples (n,) at COMMON_RATE are at hand."""
        heard = _hear(samples)
        places = slots(pronounce(utterance.text or "", utterance.language))
        fine = HOP // self._recipe.final_hop
        units = {slot.unit: self.model.index_of(slot.unit) for slot in places}
        graph = build_graph(places, units, repeat=fine)
        mean = self.model.speakers.get(utterance.speaker_key)
        mean = _mean([heard]) if mean is None else mean
        features = with_deltas(cepstra(samples, self._recipe.final_hop) - mean, fine)
        features = features[heard.start * fine : heard.stop * fine]
        likelihood = self._recipe.acoustic_scale / fine * self.model.mixtures.log_likelihood(features)
        path = best_path(graph, likelihood, self.model.log_stay, self.model.log_leave)
        if path is None:
            frames = f"{graph.shortest} frames needed, {len(features)} there"
            return skipped(utterance, f"the text is too long for the recording: {frames}")
        gap = likelihood[np.arange(len(path)), graph.pdf[path]] - likelihood.max(axis=1)
        intervals = []
        for first, last in _runs(path // graph.per_slot):
            slot = places[int(path[first]) // graph.per_slot]
            if slot.phone:
                intervals.append(PhoneInterval(
                    phone=slot.phone, vowel=shared_vowel(slot.phone, utterance.language),
                    start=heard.start * HOP + first * self._recipe.final_hop,
                    stop=min(heard.start * HOP + last * self._recipe.final_hop, len(samples)),
                    score=float(gap[first:last].mean()),
                ))  # fmt: skip
        spoken = np.array([bool(places[int(state) // graph.per_slot].phone) for state in path])
        return Alignment(
            utterance=utterance.id, key=self.key(utterance), aligner=self.name,
            score=float(gap[spoken].mean()), intervals=tiled(intervals, len(samples)),
        )  # fmt: skip


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
    seed = train_seed(seed_texts(usable), recipe)
    heard = _hear_all(_sample(usable, recipe.longest_training_s), load, progress)
    by_speaker: dict[str, list[_Heard]] = defaultdict(list)
    for utterance, one in heard:
        by_speaker[utterance.speaker_key].append(one)
    speakers = {name: _mean(several) for name, several in sorted(by_speaker.items())}
    examples = [
        Example(_features(one, speakers[u.speaker_key]), slots(pronounce(u.text or "", u.language)))
        for u, one in heard
    ]
    seconds = sum(len(example.features) for example in examples) * HOP / 16000
    if seconds < recipe.shortest_training_s:
        model = Model(seed.units, seed.mixtures, seed.log_stay, seed.log_leave, speakers, 0.0)
    else:
        model = train(seed, examples, speakers, recipe, progress)
    return model.to_bytes()


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
) -> list[tuple[Utterance, _Heard]]:
    heard = []
    for done, utterance in enumerate(utterances, 1):
        try:
            samples = load(utterance)
        except AudioError:
            continue  # `align` reports it
        if len(samples) >= SHORTEST_SAMPLES:
            heard.append((utterance, _hear(samples)))
        if progress:
            progress("hear", done, len(utterances))
    return heard


def _hear(samples: Array) -> _Heard:
    energy = energy_db(samples)
    start, stop = speech_span(energy)
    return _Heard(cepstra(samples), start, stop, energy >= np.percentile(energy, 95) - 30)


def _mean(heard: Sequence[_Heard]) -> Array:
    """Return the mean cepstrum (13,) of the loud frames."""
    return np.asarray(np.concatenate([one.static[one.loud] for one in heard]).mean(axis=0), dtype=np.float32)


def _features(heard: _Heard, mean: Array) -> Array:
    return with_deltas(heard.static - mean)[heard.start : heard.stop]


def _runs(values: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield (first, stop) of each run of equal values."""
    edges = np.flatnonzero(np.diff(values)) + 1
    yield from zip([0, *edges.tolist()], [*edges.tolist(), len(values)], strict=True)
