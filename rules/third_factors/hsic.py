r"""HSIC: a third factor from the information-bottleneck objective over a window of the last samples.

With a window of N samples (x: input, y: one-hot class, z: the layer's representation; sample N the newest),

    k_a(i, j) = exp(-|a_i - a_j|^2 / (2 sigma_a^2 dim a)),   Kbar = H K H,   H = I - 1 1^T / N
    J  = (N-1)^-2 sum_ij (Kbar_x - gamma Kbar_y)_ij k_z(i, j)      per layer, minimised
    xi = dJ/dz_N = -2 / (sigma_z^2 D (N-1)^2) sum_j (Kbar_x - gamma Kbar_y)_Nj k_z(N, j) (z_N - z_j)        "exact"

The authors' public code takes the trace of an elementwise product where the objective has that of a matrix product:

    d_j = (1 - mean_i k_x(i, j)) - gamma (1 - mean_i k_y(i, j)),   alpha_j = 2 k_z(N, j) / (sigma_z^2 D) (z_N - z_j)
    xi  = 1 / (N (N-1)^2) sum_j (d_j + d_N) alpha_j                                                  "reference"

This is the gradient of 2 (N-1)^-2 sum_j d_j (1 - mean_i k_z(i, j)), and of J only where N = 2. For N > 2 every term in
which two samples meet in x or y is lost: of the classes only their frequencies in the window remain, and descent pushes
a new sample away from all others, whatever their class. The mean cosine with the exact xi is 0.3 to 0.5 at N = 16.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.learning import Compiled, CompiledSignal, Context, State, Trials
from snnplast.network import Network, Wiring
from snnplast.rules.references import DARUWALLA_2024
from snnplast.rules.third_factors.hsic_compiled import compiled_signal, drives, signals
from snnplast.rules.third_factors.layerwise import LayerwiseFactor, wanted
from snnplast.task import Record


class HSIC(Compiled, LayerwiseFactor):
    """Gradient of the windowed HSIC objective (Daruwalla & Lipasti 2024), one xi per layer and sample.

    Samples are remembered as they were when shown. No signal until N samples have been seen.
    xi: "exact" (default), or "reference": what the public code computes of the same window, which is not the gradient
    for N > 2; for comparison.
    window: N, default 32, >= 2. gamma: weight of the class term, default 10, >= 0.
    sigma_x, sigma_y, sigma_z: kernel widths, defaults 0.5, 0.25, 1, > 0.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.IBHebbian(third_factor=snn.HSIC(window=3))
    >>> with snn.open(snn.Experiment(small_network(), small_task(), rule, iterations=4, engine="runtime")) as sim:
    ...     for _ in range(4):
    ...         before, _ = sim.snapshot()["input_to_first"], sim.update()
    ...         print(bool((sim.weights["input_to_first"] != before).any()), end=" ")
    False False True True
    """

    name: ClassVar[str] = "hsic"
    reference: ClassVar[str] = DARUWALLA_2024

    xi: Annotated[Literal["exact", "reference"], Field(description="the gradient, or what the public code has")] = (
        "exact"
    )
    window: Annotated[int, Field(ge=2, description="N, samples remembered")] = 32
    gamma: Annotated[float, Field(ge=0, description="weight of HSIC(Y, Z)")] = 10.0
    sigma_x: Annotated[float, Field(gt=0, description="kernel width of inputs")] = 0.5
    sigma_y: Annotated[float, Field(gt=0, description="kernel width of classes")] = 0.25
    sigma_z: Annotated[float, Field(gt=0, description="kernel width of representations")] = 1.0

    def init(self, context: Context) -> State:
        network, n = context.network, self.window
        inputs = sum(network.populations[name].size for name in _shown(network))
        sizes = {f"{name}.z": network.populations[name].size for name in context.targets}
        sizes |= {"x": inputs, "y": context.read.size}
        memory = {name: np.zeros((n, size)) for name, size in sizes.items()}
        return super().init(context) | memory | {"kernel": np.zeros((n, n)), "seen": np.zeros((), np.int64)}

    def raw(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray | None]:
        x = np.concatenate([record.stimulus(name) for name in _shown(record.network)])
        y, row = wanted(record, context), int(state["seen"]) % self.window
        z = {name: state[f"{name}.z"] for name in context.targets}
        for name, seen in z.items():
            seen[row] = record.representation(name)
        if record.compiled:
            return signals(self, x, y, z, state) or dict.fromkeys(z)
        self.remember(x, y, state)
        ready = state["seen"] >= self.window
        return {name: self.gradient(state["kernel"], seen, row) if ready else None for name, seen in z.items()}

    def compiled_signal(
        self,
        trials: Trials,
        context: Context,
        state: State,
        values: Mapping[str, np.ndarray],
        wiring: Mapping[str, Wiring],
    ) -> CompiledSignal | None:
        own = all(getattr(type(self), name) is getattr(HSIC, name) for name in ("raw", "remember", "gradient"))
        return compiled_signal(self, trials, context, state) if own else None

    def signal(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray | None]:
        return super().signal(record, context, state)

    def remember(self, x: np.ndarray, y: np.ndarray, state: State) -> int:
        """Put a sample in the window and update K = k_x - gamma k_y (N, N); returns its row."""
        row = int(state["seen"]) % self.window
        state["seen"] += 1
        state["x"][row], state["y"][row] = x, y
        k = _kernel(state["x"], row, self.sigma_x) - self.gamma * _kernel(state["y"], row, self.sigma_y)
        state["kernel"][row], state["kernel"][:, row] = k, k
        return row

    def gradient(self, kernel: np.ndarray, z: np.ndarray, newest: int) -> np.ndarray:
        """xi (D,) of sample `newest`. kernel: k_x - gamma k_y (N, N); z: (N, D)."""
        n, dim = z.shape
        means = kernel.mean(axis=0)
        if self.xi == "exact":
            pull = kernel[newest] - means[newest] - means + means.mean()
        else:
            pull = (means + means[newest] - 2 * kernel[newest, newest]) / n  # -(d_j + d_N) / N
        weight = pull * _kernel(z, newest, self.sigma_z)
        return -2 / (self.sigma_z**2 * dim * (n - 1) ** 2) * (weight @ (z[newest] - z))


def _shown(network: Network) -> list[str]:
    """The sources that show samples."""
    return [name for name, p in network.populations.items() if drives(p)]


def _kernel(a: np.ndarray, row: int, sigma: float) -> np.ndarray:
    """k(row, j) for all j: (N,)."""
    distance = np.sum((a - a[row]) ** 2, axis=1)
    return np.exp(-distance / (2 * sigma**2 * a.shape[1]))
