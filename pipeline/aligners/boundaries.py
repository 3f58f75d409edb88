"""Where phones begin in the mean over all paths near the best one, by a forward and a backward pass."""

import numpy as np
from numpy.typing import NDArray

from pipeline.aligners.graph import Graph

REACH = 40
"""Frames by which another path may lead or lag the best one."""


def mean_boundaries(
    graph: Graph, path: NDArray[np.int64], log_likelihood: NDArray[np.float32], log_stay: NDArray[np.float32],
    log_leave: NDArray[np.float32],
) -> NDArray[np.int64]:  # fmt: skip
    """Return the first frame of each slot on ``path``, and the number of frames: (slots on the path + 1,).

    All paths through these slots count by their probability, as far as they lie within `REACH`. No slot gets
    shorter than ``graph.per_slot`` frames, since it is so on none of the paths. Where the paths become too
    unlikely for the numbers (a text that is not spoken), the best one's own boundaries stand.
    """
    from pipeline.aligners.compiled import expected_frames  # numba takes half a second to load

    owners = path // graph.per_slot
    edges = np.concatenate([[0], np.flatnonzero(np.diff(owners)) + 1, [len(path)]])
    pdf = graph.pdf.reshape(-1, graph.per_slot)[owners[edges[:-1]]].ravel()
    place = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    frames = np.arange(len(path))
    lowest, highest = place[np.maximum(frames - REACH, 0)], place[np.minimum(frames + REACH, len(path) - 1)]
    expected = expected_frames(
        log_likelihood, pdf, np.exp(log_stay[pdf].astype(np.float64)),
        np.exp(log_leave[pdf].astype(np.float64)), lowest, highest, graph.per_slot,
    )  # fmt: skip
    if np.isnan(expected).any():
        return edges
    exact = np.round(np.cumsum(expected), 6)  # without what adding up lost, 18.5 for 18.4999999999
    return np.floor(np.concatenate([[0.0], exact]) + 0.5).astype(np.int64)
