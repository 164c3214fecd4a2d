"""Values in [0, 1] to spikes: at random, or evenly spaced."""

from __future__ import annotations

import numpy as np

from snnplast.network.sampling import occupied


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
    places = occupied(rng, highest, cells)
    step, index = np.divmod(places, n)
    probability = values[index] if values.ndim == 1 else values[step, index]
    kept = rng.random(places.size) * highest < probability * peak
    return step[kept], index[kept]


def regular(values: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Evenly spaced spikes: of a neuron with value v, v * steps of them up to rounding, the same ones every time.

    values: (n,), each in [0, 1]. A neuron spikes in step s where floor(v (s + 1) + 1/2) exceeds floor(v s + 1/2).
    Returns steps and indices, int64, sorted by step, then index.

    >>> regular(np.array([1.0, 0.5, 0.0]), 4)
    (array([0, 0, 1, 2, 2, 3]), array([0, 1, 0, 0, 1, 0]))
    """
    passed = np.floor(np.arange(steps + 1)[:, None] * values + 0.5)
    step, index = np.nonzero(passed[1:] > passed[:-1])
    return step, index
