"""Dawid-Skene: the true label of each item and the errors of each rater, by expectation-maximisation."""

import numpy as np
from numpy.typing import NDArray

_LEAST = 1e-10


def dawid_skene(
    items: NDArray[np.intp], raters: NDArray[np.intp], labels: NDArray[np.intp], n_labels: int,
    *, iterations: int = 100, tolerance: float = 1e-5,
) -> NDArray[np.float64]:  # fmt: skip
    """Return the probability of each label for each item, shape (items, n_labels).

    ``items``, ``raters`` and ``labels`` number who said what of what, one vote each, all of one length.
    Dawid, Skene (1979), "Maximum likelihood estimation of observer error-rates using the EM algorithm",
    Applied Statistics 28(1). It starts from the shares of the votes and ends after ``iterations`` or when the
    log-likelihood grows by less than ``tolerance``.
    """
    n_items, n_raters = int(items.max()) + 1, int(raters.max()) + 1
    counts = np.bincount(items * n_labels + labels, minlength=n_items * n_labels).reshape(n_items, n_labels)
    probability: NDArray[np.float64] = counts / counts.sum(axis=1, keepdims=True)
    said, before = raters * n_labels + labels, -np.inf
    for _ in range(iterations):
        # M step: confusion[k, rater, label], the rate at which a rater says label where k is true
        confusion = np.stack([
            np.bincount(said, probability[items, true], n_raters * n_labels).reshape(n_raters, n_labels)
            for true in range(n_labels)
        ])  # fmt: skip
        rates = confusion / np.maximum(confusion.sum(axis=2, keepdims=True), _LEAST)
        log_rates = np.log(np.maximum(rates, _LEAST)).reshape(n_labels, -1)
        # E step
        log_joint = np.log(np.maximum(probability.mean(axis=0), _LEAST)) + np.stack(
            [np.bincount(items, log_rates[true][said], n_items) for true in range(n_labels)], axis=1
        )
        evidence = np.logaddexp.reduce(log_joint, axis=1, keepdims=True)
        probability = np.exp(log_joint - evidence)
        likelihood = float(evidence.sum())
        if likelihood - before < tolerance:
            break
        before = likelihood
    return probability
