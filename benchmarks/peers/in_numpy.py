"""The e-prop iteration as a plain numpy loop with the factored gradient."""

from __future__ import annotations

import common
import numpy as np


def main() -> None:
    given = common.problem()
    alpha, threshold, target = given["alpha"], given["threshold"], given["target"]
    x, steps = common.dense(given, 0), given["steps"]
    shown = [np.nonzero(row)[0] for row in x]
    w_in, w_rec, w_out, feedback = (given[name] for name in ("w_in", "w_rec", "w_out", "feedback"))
    n = len(w_out)

    def iterate() -> float:
        v, z, y = np.zeros(n), np.zeros(n), 0.0
        psi, spikes, error = np.zeros((steps, n)), np.zeros((steps, n)), np.zeros(steps)
        for t in range(steps):
            current = w_in[shown[t]].sum(axis=0) + w_rec[np.nonzero(z)[0]].sum(axis=0)
            v = alpha * v + (1 - alpha) * current - threshold * z
            psi[t] = 0.3 / threshold * np.maximum(0, 1 - np.abs(v - threshold) / threshold)
            z = (v >= threshold).astype(float)
            y = alpha * y + (1 - alpha) * (z @ w_out)
            spikes[t], error[t] = z, y - target[t]
        pull = given["regulariser"] * (spikes.mean(axis=0) - given["rate"]) / steps
        adjoint, back = np.zeros((steps + 1, n)), np.zeros(steps + 1)
        for t in range(steps - 1, -1, -1):
            back[t] = alpha * back[t + 1] + (1 - alpha) * error[t]
            adjoint[t] = alpha * adjoint[t + 1] + psi[t] * (back[t] * feedback + pull)
        w_in[:] -= given["eta"] * (1 - alpha) * (x.T @ adjoint[:-1])
        w_rec[:] -= given["eta"] * (1 - alpha) * (spikes[:-1].T @ adjoint[1:-1])
        w_out[:] -= given["eta"] * (spikes.T @ back[:-1])
        np.fill_diagonal(w_rec, 0)
        return 0.5 * float(np.sum(error**2))

    common.take_part(given, iterate, lambda: {"w_in": w_in, "w_rec": w_rec, "w_out": w_out})


if __name__ == "__main__":
    main()
