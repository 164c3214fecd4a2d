"""Values in [0, 1] to Poisson spikes."""

from __future__ import annotations

import numpy as np


def poisson(values: np.ndarray, steps: int, peak: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    r"""Independent spikes with probability values * peak in each step.

    values: (n,) or (steps, n), each in [0, 1]. peak: probability of a spike per step at value 1, in (0, 1].
    Returns steps and indices, int64, sorted by step, then index; no neuron spikes twice in one step.

    Exact thinning: candidates at the largest probability are drawn by their geometric distances, so that the cost
    follows the number of spikes and not steps x n.
    """
    n = values.shape[-1]
    highest = peak * float(values.max(initial=0.0))
    if highest <= 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    cells = steps * n
    expected = cells * highest
    count = int(expected + 5 * np.sqrt(expected) + 10)
    places = np.cumsum(_gaps(rng, highest, count, cells)) - 1
    while places[-1] < cells:
        more = _gaps(rng, highest, count // 4 + 10, cells)
        places = np.concatenate([places, places[-1] + np.cumsum(more)])
    places = places[: np.searchsorted(places, cells)]
    step, index = np.divmod(places, n)
    probability = values[index] if values.ndim == 1 else values[step, index]
    kept = rng.random(places.size) * highest < probability * peak
    return step[kept], index[kept]


def _gaps(rng: np.random.Generator, probability: float, count: int, cells: int) -> np.ndarray:
    """Distances between candidates; those that reach beyond the trial are cut, so that their sum cannot overflow."""
    return np.minimum(rng.geometric(probability, count), cells + 1)
