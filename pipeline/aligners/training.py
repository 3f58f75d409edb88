"""Trains the embedded aligner: a seed model on synthetic speech, then Viterbi EM on the user's own audio."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.aligners.contexts import Context, contexts_of
from pipeline.aligners.graph import STATES, Graph, Slot, best_path, build_graph
from pipeline.aligners.hmm import Array, Labels, Mixtures, averaged, single_gaussians, split, update
from pipeline.aligners.model import Model, transitions
from pipeline.aligners.seed import seed_frames
from store.vocabulary import SILENCE

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Recipe:
    """Every number of the training; its digest is part of the aligner's identity."""

    acoustic_scale: float = 0.3
    seed_gaussians: int = 400
    seed_updates: int = 8
    passes: int = 18
    context_passes: int = 6
    context_frames: int = 300
    snapshots: int = 3
    snapshot_step: int = 3
    final_hop: int = 80
    gaussians_per_minute: int = 60
    fewest_gaussians: int = 130
    most_gaussians: int = 300
    shortest_training_s: float = 60.0
    longest_training_s: float = 1200.0

    @property
    def growing(self) -> int:
        """Passes in which Gaussians are split; afterwards each keeps its place among those of its state."""
        return max(1, 2 * self.passes // 3)

    def kept_passes(self) -> frozenset[int]:
        """Return the passes whose mixtures are averaged: single passes differ by half a point at random."""
        last = range(self.passes, self.growing - 1, -self.snapshot_step)
        return frozenset(last[: self.snapshots])


@dataclass(frozen=True)
class Example:
    """One utterance ready for training: features (frames, 39) of its speech and its slots."""

    features: Array
    slots: tuple[Slot, ...]

    @property
    def shortest(self) -> int:
        """Fewest frames that its text needs."""
        return STATES * sum(not slot.optional for slot in self.slots)


@dataclass(frozen=True)
class _Plan:
    """The graph of an example over the states of its own units, and the model's number of each of these."""

    graph: Graph
    states: Labels


def train_seed(texts: Sequence[tuple[str, str]], recipe: Recipe) -> Model:
    """Return the seed model of all units in the renderings of ``texts`` ((text, language) pairs)."""
    features, names = [], []
    for rendered, labels in seed_frames(texts):
        features.append(rendered)
        names.extend(labels)
    units = tuple(sorted({unit for unit, _ in names} | {SILENCE}))
    index = {unit: place for place, unit in enumerate(units)}
    frames = np.concatenate(features)
    states = np.array([STATES * index[unit] + state for unit, state in names], dtype=np.int64)
    mixtures = single_gaussians(frames, states, STATES * len(units))
    counts = np.bincount(states, minlength=STATES * len(units))
    for step in range(recipe.seed_updates):
        mixtures = split(mixtures, counts, recipe.seed_gaussians * (step + 1) // recipe.seed_updates)
        mixtures = update(mixtures, frames, states)
    leaves = np.bincount(states[np.flatnonzero(np.diff(states))], minlength=STATES * len(units))
    log_stay, log_leave = transitions(counts - leaves, leaves)
    return Model(units, mixtures, log_stay, log_leave, {}, 0.0)


def train(
    seed: Model, examples: Sequence[Example], speakers: dict[str, Array], recipe: Recipe,
    progress: Progress | None = None,
) -> Model:  # fmt: skip
    """Return the model after Viterbi EM on ``examples`` alone, starting from the seed's alignment of them.

    The last passes give phones beginnings and ends by their contexts, those that have enough frames.
    """
    seconds = sum(len(example.features) for example in examples) / 100
    goal = int(np.clip(
        recipe.gaussians_per_minute * seconds / 60, recipe.fewest_gaussians, recipe.most_gaussians
    ))  # fmt: skip
    plans = [_plan(example, seed) for example in examples]
    model, kept = seed, []
    for step in range(recipe.passes):
        frames, states, paths = _align_all(model, examples, plans, recipe.acoustic_scale)
        counts = np.bincount(states, minlength=len(model.log_stay))
        mixtures = _restart(seed.mixtures, frames, states, counts) if step == 0 else model.mixtures
        if step < recipe.growing:
            started = int((counts > 0).sum())
            more = max(0, goal - started) * (step + 1) // recipe.growing
            mixtures = split(mixtures, counts, started + more)
        mixtures = update(mixtures, frames, states)
        log_stay, log_leave = _transitions(paths, plans, model)
        model = replace(model, mixtures=mixtures, log_stay=log_stay, log_leave=log_leave)
        if step + 1 in recipe.kept_passes():
            kept.append(mixtures)
        if progress:
            progress("train aligner", step + 1, recipe.passes + recipe.context_passes)
    model = replace(model, mixtures=averaged(kept), speakers=speakers, trained_s=seconds)
    if not recipe.context_passes:
        return model
    contexts = _frequent_contexts(model, examples, plans, recipe)
    return _with_contexts(model.with_contexts(contexts), examples, recipe, progress)


def _frequent_contexts(
    model: Model, examples: Sequence[Example], plans: Sequence[_Plan], recipe: Recipe
) -> list[Context]:
    """Return the contexts that have enough frames to be trained."""
    _, _, paths = _align_all(model, examples, plans, recipe.acoustic_scale)
    frames: Counter[Context] = Counter()
    for example, path in zip(examples, paths, strict=True):
        counts = np.bincount(path, minlength=STATES * len(example.slots)).reshape(-1, STATES)
        for place, context in contexts_of(example.slots, model.own_units(example.slots)):
            frames[context] += int(counts[place, context.state])
    return sorted(context for context, count in frames.items() if count >= recipe.context_frames)


def _with_contexts(
    model: Model, examples: Sequence[Example], recipe: Recipe, progress: Progress | None
) -> Model:
    """Return the model after more passes of EM; nothing is split any more, and all passes are averaged."""
    plans = [_plan(example, model) for example in examples]
    kept = []
    for step in range(recipe.context_passes):
        frames, states, paths = _align_all(model, examples, plans, recipe.acoustic_scale)
        log_stay, log_leave = _transitions(paths, plans, model)
        kept.append(update(model.mixtures, frames, states))
        model = replace(model, mixtures=kept[-1], log_stay=log_stay, log_leave=log_leave)
        if progress:
            progress("train aligner", recipe.passes + step + 1, recipe.passes + recipe.context_passes)
    return replace(model, mixtures=averaged(kept))


def _restart(seed: Mixtures, frames: Array, states: Labels, counts: NDArray[np.int64]) -> Mixtures:
    """Return one Gaussian a state from the user's frames; a state never visited keeps the seed's average."""
    own = single_gaussians(frames, states, seed.n_states)
    means, variances = own.means.copy(), own.variances.copy()
    for state in np.flatnonzero(counts < STATES):
        part = slice(int(seed.first[state]), int(seed.first[state + 1]))
        weights = np.exp(seed.log_weights[part])[:, None]
        means[state] = (weights * seed.means[part]).sum(0)
        spread = (weights * (seed.variances[part] + seed.means[part] ** 2)).sum(0) - means[state] ** 2
        variances[state] = np.maximum(spread, own.variances.min(0))
    return replace(own, means=means, variances=variances)


def _plan(example: Example, model: Model) -> _Plan:
    states, own = np.unique(model.states(example.slots), return_inverse=True)
    return _Plan(build_graph(example.slots, own.reshape(-1, STATES)), states)


def _align_all(
    model: Model, examples: Sequence[Example], plans: Sequence[_Plan], scale: float
) -> tuple[Array, Labels, list[NDArray[np.int64]]]:
    """Return all aligned frames, their states, and the path of each utterance (empty where there is none)."""
    frames, states, paths = [], [], []
    for example, plan in zip(examples, plans, strict=True):
        scaled = np.float32(scale) * model.mixtures.peak_log_likelihood(example.features, plan.states)
        path = best_path(plan.graph, scaled, model.log_stay[plan.states], model.log_leave[plan.states])
        paths.append(np.empty(0, dtype=np.int64) if path is None else path)
        if path is not None:
            frames.append(example.features)
            states.append(plan.states[plan.graph.pdf[path]])
    return np.concatenate(frames), np.concatenate(states), paths


def _transitions(
    paths: Sequence[NDArray[np.int64]], plans: Sequence[_Plan], model: Model
) -> tuple[Array, Array]:
    """Return the transitions counted on ``paths``; states on none of them keep the model's."""
    n_states = len(model.log_stay)
    stays, leaves = np.zeros(n_states, dtype=np.int64), np.zeros(n_states, dtype=np.int64)
    for path, plan in zip(paths, plans, strict=True):
        if len(path):
            moved = np.diff(path, append=-1) != 0
            states = plan.states[plan.graph.pdf[path]]
            stays += np.bincount(states[~moved], minlength=n_states)
            leaves += np.bincount(states[moved], minlength=n_states)
    log_stay, log_leave = transitions(stays, leaves)
    seen = stays + leaves > 0
    return np.where(seen, log_stay, model.log_stay), np.where(seen, log_leave, model.log_leave)
