"""Scores of one set of predictions: recalls, UAR, accuracy, F1 and the confusion matrix, all as fractions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from store.errors import TrainingError

Labels = Sequence[str]


def confusion(true: Labels, predicted: Labels, classes: Labels) -> NDArray[np.int64]:
    """Return the counts N, shape (K, K): N[i, j] items of class i were predicted as class j.

    Raises
    ------
    TrainingError
        If the lengths differ, there is no item, or a label is not among ``classes``.
    """
    if len(true) != len(predicted) or not len(true):
        raise TrainingError(
            "as many predictions as references, at least one",
            f"{len(predicted)} predictions for {len(true)} references",
            "score each test utterance once",
        )
    index = {name: i for i, name in enumerate(classes)}
    unknown = sorted({*true, *predicted} - index.keys())
    if unknown:
        raise TrainingError(f"labels of {', '.join(classes)}", ", ".join(unknown), "map or drop these labels")
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(counts, ([index[name] for name in true], [index[name] for name in predicted]), 1)
    return counts


def recalls(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the recall of each class, shape (K,); NaN for a class absent from the reference."""
    support = counts.sum(axis=1).astype(np.float64)
    found = np.full(len(counts), np.nan)
    np.divide(np.diag(counts), support, out=found, where=support > 0)
    return found


def f1_scores(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return F1 of each class, 2 N_ii / (row sum + column sum), shape (K,); 0 where there is none."""
    total = (counts.sum(axis=1) + counts.sum(axis=0)).astype(np.float64)
    found = np.zeros(len(counts))
    np.divide(2.0 * np.diag(counts), total, out=found, where=total > 0)
    return found


def uar_of(counts: NDArray[np.int64]) -> float:
    """Return the unweighted average recall over the classes present in the reference."""
    return float(np.nanmean(recalls(counts)))


def wa_of(counts: NDArray[np.int64]) -> float:
    """Return the accuracy (weighted accuracy, micro recall)."""
    return float(np.trace(counts) / counts.sum())


def macro_f1_of(counts: NDArray[np.int64]) -> float:
    """Return the mean F1 over the classes present in the reference (as UAR, an absent class is left out)."""
    return float(f1_scores(counts)[counts.sum(axis=1) > 0].mean())


def weighted_f1_of(counts: NDArray[np.int64]) -> float:
    """Return the mean F1 weighted by the classes' support."""
    return float(counts.sum(axis=1) @ f1_scores(counts) / counts.sum())


def out_of_set(counts: NDArray[np.int64]) -> int:
    """Return how many predictions named a class absent from the reference."""
    return int(counts[:, counts.sum(axis=1) == 0].sum())


def uar(true: Labels, predicted: Labels, classes: Labels) -> float:
    """Return the unweighted average recall; see `uar_of` and `confusion`."""
    return uar_of(confusion(true, predicted, classes))


def wa(true: Labels, predicted: Labels, classes: Labels) -> float:
    """Return the accuracy; see `wa_of` and `confusion`."""
    return wa_of(confusion(true, predicted, classes))


def macro_f1(true: Labels, predicted: Labels, classes: Labels) -> float:
    """Return the macro F1; see `macro_f1_of` and `confusion`."""
    return macro_f1_of(confusion(true, predicted, classes))


def weighted_f1(true: Labels, predicted: Labels, classes: Labels) -> float:
    """Return the weighted F1; see `weighted_f1_of` and `confusion`."""
    return weighted_f1_of(confusion(true, predicted, classes))
