import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.losses import Triplets, draw_triplets, draw_vowel_triplets, gather, triplet_loss


def test_loss_of_known_vectors() -> None:
    anchor = torch.tensor([[2.0, 0.0], [1.0, 0.0]])
    positive = torch.tensor([[0.0, 3.0], [1.0, 0.0]])
    negative = torch.tensor([[5.0, 0.0], [0.0, 1.0]])
    # Normalised: first sqrt(2) - 0 + 0.2; second 0 - sqrt(2) + 0.2 < 0.
    assert triplet_loss(anchor, positive, negative, 0.2).item() == pytest.approx((2**0.5 + 0.2) / 2)


def test_no_triplets_cost_nothing_and_keep_the_graph() -> None:
    empty = torch.zeros(0, 4, requires_grad=True)
    loss = triplet_loss(empty, empty, empty, 0.2)
    loss.backward()
    assert loss.item() == 0.0


def test_gradient_is_finite_where_anchor_and_positive_coincide() -> None:
    vectors = torch.randn(3, 4, requires_grad=True)
    triplet_loss(vectors, vectors, torch.randn(3, 4), 5.0).backward()
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()


def test_gather_picks_target_then_source_tokens() -> None:
    source = torch.arange(12.0).reshape(2, 3, 2)
    target = -torch.arange(8.0).reshape(2, 2, 2)
    picked = gather(source, target, Triplets(np.array([3]), np.array([4]), np.array([0])))
    assert [item.tolist() for item in picked] == [[[-6.0, -7.0]], [[8.0, 9.0]], [[0.0, 1.0]]]


batches = st.tuples(st.integers(0, 2**31), st.integers(1, 20), st.integers(0, 3))


@given(batches)
def test_triplets_obey_equation_4(case: tuple[int, int, int]) -> None:
    seed, limit, emotion = case
    rng = np.random.default_rng(seed)
    source_labels, target_labels = rng.integers(0, 4, 6), rng.integers(-1, 4, 5)
    source_vowels, target_vowels = rng.integers(-1, 3, (6, 4)), rng.integers(-1, 3, (5, 7))
    found = draw_triplets(
        {emotion: (0, 2)}, source_labels=source_labels, source_vowels=source_vowels,
        target_labels=target_labels, target_vowels=target_vowels, limit=limit, rng=rng,
    )  # fmt: skip
    vowel = target_vowels.flatten()[found.anchor]
    assert set(vowel) <= {0, 2}
    assert (source_vowels.flatten()[found.positive] == vowel).all()
    assert (source_vowels.flatten()[found.negative] == vowel).all()
    assert (target_labels[found.anchor // 7] == emotion).all()
    assert (source_labels[found.positive // 4] == emotion).all()
    assert (source_labels[found.negative // 4] != emotion).all()
    for number in (0, 2):
        possible = (
            ((target_vowels == number) & (target_labels == emotion)[:, None]).sum()
            * ((source_vowels == number) & (source_labels == emotion)[:, None]).sum()
            * ((source_vowels == number) & (source_labels != emotion)[:, None]).sum()
        )
        assert (vowel == number).sum() == min(limit, possible)


@given(batches)
def test_triplets_without_labels_oppose_vowels(case: tuple[int, int, int]) -> None:
    seed, limit, _ = case
    rng = np.random.default_rng(seed)
    source, target = rng.integers(-1, 3, (6, 4)), rng.integers(-1, 3, (5, 7))
    found = draw_vowel_triplets((1,), source, target, limit, rng)
    assert (target.flatten()[found.anchor] == 1).all()
    assert (source.flatten()[found.positive] == 1).all()
    assert np.isin(source.flatten()[found.negative], (0, 2)).all()
