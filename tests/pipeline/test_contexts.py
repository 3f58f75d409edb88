"""Contexts of phones in the embedded aligner's model, and boundaries in the mean over all near paths."""

import io
import json
import tracemalloc
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.aligners.boundaries import mean_boundaries
from pipeline.aligners.contexts import Context, contexts_of
from pipeline.aligners.graph import Slot, best_path, build_graph, silence
from pipeline.aligners.hmm import Mixtures
from pipeline.aligners.model import Model, from_bytes
from pipeline.aligners.training import Example, Recipe, train
from store.errors import AlignmentError

SLOTS = (silence(), Slot("t", "t"), Slot("aː", "a"), silence(), Slot("a", "a"), Slot("n", "n"), silence())
UNITS = ("", "a", "n", "t")


def model(number: int = 0, *, apart: float = 3.0) -> Model:
    """One Gaussian a state in six dimensions."""
    rng, states = np.random.default_rng(number), 3 * len(UNITS)
    means = rng.normal(0, apart, (states, 6)).astype(np.float32)
    mixtures = Mixtures(np.zeros(states, np.float32), means, np.ones_like(means), np.arange(states + 1))
    stay = np.full(states, np.log(0.7), np.float32)
    return Model(UNITS, mixtures, stay, np.log1p(-np.exp(stay)), {}, 1.0)


def test_the_context_is_the_class_of_the_neighbour_in_the_text() -> None:
    found = dict.fromkeys(context for _, context in contexts_of(SLOTS, [slot.unit for slot in SLOTS]))
    assert list(found) == [
        ("t", 0, "silence"), ("t", 2, "vowel"), ("a", 0, "stop"), ("a", 2, "silence"),
        ("a", 0, "silence"), ("a", 2, "nasal"), ("n", 0, "vowel"), ("n", 2, "silence"),
    ]  # fmt: skip


def test_a_context_has_a_state_of_its_own_and_all_others_that_of_the_phone() -> None:
    wide = model().with_contexts([Context("a", 0, "stop"), Context("n", 2, "silence")])
    states = wide.states(SLOTS)
    assert states[2].tolist() == [12, 4, 5]
    assert states[4].tolist() == [3, 4, 5]
    assert states[5].tolist() == [6, 7, 13]
    assert np.array_equal(wide.mixtures.means[12], model().mixtures.means[3])
    assert np.array_equal(model().states(SLOTS)[:, 0], [0, 9, 3, 0, 3, 6, 0])


def test_an_unheard_phone_has_the_contexts_of_its_neighbour() -> None:
    wide = model().with_contexts([Context("t", 0, "silence")])
    assert wide.states([Slot("d", "d")])[0].tolist() == [12, 10, 11]


def test_contexts_survive_the_bytes_and_change_the_digest() -> None:
    wide = model().with_contexts([Context("a", 0, "stop")])
    assert from_bytes(wide.to_bytes()).contexts == (Context("a", 0, "stop"),)
    assert from_bytes(wide.to_bytes()).to_bytes() == wide.to_bytes()
    assert len({wide.digest, model().digest, replace(wide, contexts=(Context("a", 0, "nasal"),)).digest}) == 3


def header_of(data: bytes) -> dict[str, object]:
    with np.load(io.BytesIO(data)) as file:
        return dict(json.loads(bytes(file["header"])))


def with_header(data: bytes, **changes: object) -> bytes:
    """The model's bytes as another version would have written them."""
    with np.load(io.BytesIO(data)) as file:
        parts = {name: file[name] for name in file.files}
    header = json.dumps({**header_of(data), **changes}).encode()
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{**parts, "header": np.frombuffer(header, np.uint8)})
    return buffer.getvalue()


def test_contexts_have_a_format_that_older_readers_refuse() -> None:
    wide = model().with_contexts([Context("a", 0, "stop")]).to_bytes()
    assert (header_of(model().to_bytes())["format"], header_of(wide)["format"]) == (1, 2)
    assert from_bytes(with_header(wide, format=1)).contexts == (Context("a", 0, "stop"),)
    with pytest.raises(AlignmentError, match=r"embedded aligner, format 1 or 2.*format 3.*--retrain"):
        from_bytes(with_header(wide, format=3))


def test_training_finds_where_a_phone_begins_otherwise() -> None:
    """After a stop the first state of *a* lies elsewhere; only its context can learn that."""
    truth = model().with_contexts([Context("a", 0, "stop")])
    truth.mixtures.means[12] += 4
    rng = np.random.default_rng(5)
    states = np.repeat(truth.states(SLOTS).ravel(), 5)
    examples = [
        Example((truth.mixtures.means[states] + rng.normal(0, 1, (len(states), 6))).astype(np.float32), SLOTS)
        for _ in range(40)
    ]
    one_a_state = Recipe(context_frames=150, fewest_gaussians=12, most_gaussians=12)
    trained = train(model(), examples, {}, one_a_state)
    assert Context("a", 0, "stop") in trained.contexts
    place = 12 + trained.contexts.index(Context("a", 0, "stop"))
    assert trained.mixtures.means[place] == pytest.approx(truth.mixtures.means[12], abs=0.5)
    general = train(model(), examples, {}, replace(one_a_state, context_passes=0))
    unused = np.setdiff1d(np.arange(12), trained.states(SLOTS))  # all of whose neighbours have contexts
    assert len(unused)
    assert np.array_equal(trained.log_stay[unused], general.log_stay[unused])
    assert np.array_equal(trained.log_leave[unused], general.log_leave[unused])
    few = train(model(), examples, {}, replace(one_a_state, context_frames=10**6))
    assert few.contexts == ()
    assert len(few.log_stay) == 12


def all_paths(n_frames: int, n_states: int) -> NDArray[np.int64]:
    """Every left-to-right path through all states, (paths, frames)."""
    steps = [moves for moves in product((0, 1), repeat=n_frames - 1) if sum(moves) == n_states - 1]
    return np.cumsum(np.array([[0, *moves] for moves in steps]), axis=1)


@given(st.integers(0, 10**6), st.integers(6, 11))
@settings(max_examples=40, deadline=None)
def test_boundaries_are_the_mean_over_all_paths(number: int, n_frames: int) -> None:
    rng = np.random.default_rng(number)
    graph = build_graph([Slot("a", "a"), Slot("n", "n")], np.arange(6).reshape(2, 3))
    scores = rng.normal(0, 2, (n_frames, 6)).astype(np.float32)
    stay = np.log(rng.uniform(0.1, 0.9, 6)).astype(np.float32)
    leave = np.log1p(-np.exp(stay)).astype(np.float32)
    paths = all_paths(n_frames, 6)
    weights = np.array([
        scores[np.arange(n_frames), path].sum()
        + sum(leave[a] if b > a else stay[a] for a, b in pairwise(path))
        for path in paths
    ])  # fmt: skip
    weights = np.exp(weights - weights.max())
    expected = (weights * (paths < 3).sum(axis=1)).sum() / weights.sum()
    path = best_path(graph, scores, stay, leave)
    assert path is not None
    found = mean_boundaries(graph, path, scores, stay, leave)
    assert found[0] == 0
    assert found[-1] == n_frames
    assert abs(found[1] - expected) <= 0.5 + 1e-6


@given(st.integers(0, 10**6), st.integers(30, 300), st.floats(0.01, 3000))
@settings(max_examples=40, deadline=None)
def test_no_phone_gets_shorter_than_its_states_however_unlikely_the_text(
    number: int, n_frames: int, spread: float
) -> None:
    rng = np.random.default_rng(number)
    graph = build_graph(SLOTS, model().states(SLOTS), repeat=2)
    scores = rng.normal(0, spread, (n_frames, 12)).astype(np.float32)
    path = best_path(graph, scores, model().log_stay, model().log_leave)
    assert path is not None
    found = mean_boundaries(graph, path, scores, model().log_stay, model().log_leave)
    assert np.diff(found).min() >= graph.per_slot
    assert len(found) == 1 + len(np.unique(path // graph.per_slot))
    assert (found[0], found[-1]) == (0, n_frames)


def peak_bytes(n_phones: int) -> int:
    """The most memory that the boundaries of ``n_phones`` phones of 15 frames each take."""
    rng = np.random.default_rng(7)
    graph = build_graph([Slot("a", "a"), Slot("n", "n")] * (n_phones // 2), np.arange(3 * n_phones) % 6)
    states = np.repeat(np.arange(3 * n_phones), 5)
    scores = rng.normal(0, 1, (len(states), 6)).astype(np.float32)
    stay = np.full(6, np.log(0.8), np.float32)
    tracemalloc.start()
    try:
        mean_boundaries(graph, states, scores, stay, np.log1p(-np.exp(stay)))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_boundaries_of_a_long_recording_take_memory_by_its_length_not_its_square() -> None:
    peak_bytes(10)  # compiles
    assert peak_bytes(800) < 6 * peak_bytes(200)
