"""The embedded aligner: an HMM-GMM of phones trained on the user's own corpus, seeded by espeak-ng."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.aligners.acoustics import HOP, Array
from pipeline.aligners.aligner import Load, Progress, alignment_key, skipped, tiled
from pipeline.aligners.arithmetic import one_blas_thread
from pipeline.aligners.boundaries import mean_boundaries
from pipeline.aligners.graph import best_path, build_graph
from pipeline.aligners.hearing import hear, mean_cepstrum, why_unheard
from pipeline.aligners.model import Model, from_bytes
from pipeline.aligners.pronunciation import pronounce, require_languages, slots, unusable
from pipeline.aligners.training import Recipe
from pipeline.espeak import version
from pipeline.phones import shared_vowel
from store.digests import digest
from store.errors import AudioError
from store.records import Alignment, PhoneInterval, Skipped, Utterance

VERSION = 4
SEED_ONLY = "under a minute of speech: aligned by the seed model alone, whose times are less certain"


class EmbeddedAligner:
    """Aligns with a trained `Model`: its times depend on the model and the one recording, nothing else."""

    name = "embedded"

    def __init__(
        self, data: bytes, recipe: Recipe | None = None, *, workers: int = 0, corpus: Sequence[Utterance] = ()
    ) -> None:
        """Read a model from its bytes; ``corpus`` is all there is to align, for the notes."""
        self.model = from_bytes(data)
        self._recipe = recipe or Recipe()
        self._workers = workers
        self.notes: tuple[str, ...] = (
            *(() if self.model.trained_s else (SEED_ONLY,)),
            *_outgrown(self.model, corpus),
            *_without_contexts(self.model),
        )
        self.identity = digest({
            "aligner": self.name, "version": VERSION, "recipe": asdict(self._recipe), "espeak": version(),
            "model": self.model.digest,
        })  # fmt: skip

    def key(self, utterance: Utterance) -> str:
        """Return the key of the utterance's alignment: audio, text, language, model and the speaker's mean.

        No other speaker is part of it, so that one can be taken out of the model.
        """
        mean = self.model.mean_digest(utterance.speaker_key)
        return digest({"alignment": alignment_key(utterance, self.identity), "mean": mean})

    def align(
        self, utterances: Sequence[Utterance], load: Load, progress: Progress | None = None
    ) -> Iterator[Alignment | Skipped]:
        """Yield an alignment or a reason for each utterance; a language unknown to espeak is an error."""
        require_languages(utterances)
        yield from self._align_all(utterances, load, progress)

    def _align_all(
        self, utterances: Sequence[Utterance], load: Load, progress: Progress | None
    ) -> list[Alignment | Skipped]:
        """Return all rows at once: a generator would leave BLAS limited for whoever runs in between."""
        rows = []
        with one_blas_thread(), ThreadPoolExecutor(max_workers=max(1, self._workers)) as pool:
            for row in pool.map(lambda utterance: self._align_one(utterance, load), utterances):
                rows.append(row)
                if progress:
                    progress("align", len(rows), len(utterances))
        return rows

    def _align_one(self, utterance: Utterance, load: Load) -> Alignment | Skipped:
        reason = unusable(utterance)
        if reason:
            return skipped(utterance, reason)
        try:
            samples = load(utterance)
        except AudioError as error:
            return skipped(utterance, str(error))
        reason = why_unheard(samples)
        return skipped(utterance, reason) if reason else self.align_samples(utterance, samples)

    def align_samples(self, utterance: Utterance, samples: Array) -> Alignment | Skipped:
        """Align one recording whose samples (n,) at COMMON_RATE are at hand."""
        heard = hear(samples, self._recipe.final_hop)
        places = slots(pronounce(utterance.text or "", utterance.language))
        fine = HOP // self._recipe.final_hop
        graph = build_graph(places, self.model.states(places), repeat=fine)
        mean = self.model.speakers.get(utterance.speaker_key)
        features = heard.features(mean_cepstrum([heard]) if mean is None else mean)
        likelihood = np.float32(self._recipe.acoustic_scale / fine) * self.model.mixtures.peak_log_likelihood(
            features
        )
        path = best_path(graph, likelihood, self.model.log_stay, self.model.log_leave)
        if path is None:
            frames = f"{graph.shortest} frames needed, {len(features)} there"
            return skipped(utterance, f"the text is too long for the recording: {frames}")
        gap = likelihood[np.arange(len(path)), graph.pdf[path]] - likelihood.max(axis=1)
        until = np.concatenate([[0.0], np.cumsum(gap, dtype=np.float64)])
        places_of_path = path // graph.per_slot
        edges = mean_boundaries(graph, path, likelihood, self.model.log_stay, self.model.log_leave)
        edges = ((heard.start + edges) * heard.hop).tolist()
        runs = _runs(places_of_path)
        intervals = [
            PhoneInterval(
                phone=places[place].phone, vowel=shared_vowel(places[place].phone, utterance.language),
                start=start, stop=stop, score=float((until[last] - until[first]) / (last - first)),
            )
            for (place, first, last), (start, stop) in zip(runs, pairwise(edges), strict=True)
            if places[place].phone
        ]  # fmt: skip
        spoken = np.array([bool(slot.phone) for slot in places])[places_of_path]
        return Alignment(
            utterance=utterance.id, key=self.key(utterance), aligner=self.name,
            score=float(gap[spoken].mean()), intervals=tiled(intervals, len(samples)),
        )  # fmt: skip


def _outgrown(model: Model, corpus: Sequence[Utterance]) -> tuple[str, ...]:
    """Return what to say of a model trained when less than half of the corpus was there."""
    present = sum(unusable(utterance) is None for utterance in corpus)
    if not model.corpus_size or present <= 2 * model.corpus_size:
        return ()
    return (
        f"the stored model was trained when {model.corpus_size} of these {present} utterances were there: "
        "--retrain trains it on all of them and replaces all alignments",
    )


def _without_contexts(model: Model) -> tuple[str, ...]:
    """Return what to say of a model trained before there were contexts."""
    if not model.trained_s or model.asked_contexts:
        return ()
    return (
        "the stored model knows no contexts of phones: --retrain gives it those that are frequent enough "
        "and replaces all alignments",
    )


def _runs(values: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """Yield (value, first, stop) of each run of equal values."""
    edges = (np.flatnonzero(np.diff(values)) + 1).tolist()
    for first, stop in zip([0, *edges], [*edges, len(values)], strict=True):
        yield int(values[first]), first, stop
