"""Neurons of the literature in Brian2's equations, with constants at which they spike on a few weak inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2 import ms

from snnplast.network.custom_neurons import CustomNeurons

SYNAPSES = "dge/dt = -ge/te : 1\ndgi/dt = -gi/ti : 1"
"""An excitatory and an inhibitory current or conductance, which decay."""

TIMES = {"te": 5 * ms, "ti": 10 * ms}

EQUATIONS = {
    "cuba": "dv/dt = (ge - gi - v)/tau : 1",
    "coba": "dv/dt = (El - v + ge*(Ee - v) + gi*(Ei - v))/tau : 1 (unless refractory)",
    "adex": """
        dv/dt = (gL*(El - v) + gL*DT*exp((v - VT)/DT) - wad + ge - gi)/Cm : 1
        dwad/dt = (aw*(v - El) - wad)/tw : 1""",
    "izhikevich": """
        dv/dt = (0.04*v**2 + 5*v + 140 - u + ge - gi)/(1*ms) : 1
        du/dt = ak*(bk*v - u)/(1*ms) : 1""",
    "two compartments": """
        dv/dt = (coupling*(u - v) - v + plateau/(1 + exp((onset - u)/slope)))/tau : 1
        du/dt = (coupling*(v - u) - u + ge - gi)/td : 1""",
}

CONSTANTS: dict[str, dict[str, Any]] = {
    "cuba": {"tau": 20 * ms},
    "coba": {"tau": 20 * ms, "El": 0.0, "Ee": 4.0, "Ei": -1.0},
    "adex": {
        "gL": 1.0, "DT": 0.2, "VT": 1.0, "El": 0.0, "Cm": 20 * ms, "aw": 0.1, "tw": 100 * ms, "Vr": 0.05, "bw": 0.3,
    },
    "izhikevich": {"ak": 0.02, "bk": 0.2, "ck": -65.0, "dk": 8.0},
    "two compartments": {
        "tau": 20 * ms, "td": 12 * ms, "coupling": 0.5, "plateau": 1.5, "onset": 1.2, "slope": 0.25, "back": 0.2,
    },
}  # fmt: skip

SPIKES: dict[str, dict[str, Any]] = {
    "cuba": {"threshold": "v >= 1", "reset": "v -= 1", "distance": "v - 1", "threshold_scale": 1},
    "coba": {
        "threshold": "v >= 1", "reset": "v = 0", "distance": "v - 1", "threshold_scale": 1, "refractory": 3 * ms,
    },
    "adex": {
        "threshold": "v >= 1.3", "reset": "v = Vr\nwad += bw", "distance": "v - 1.3", "threshold_scale": 1,
        "refractory": 2 * ms,
    },
    "izhikevich": {
        "threshold": "v >= 30", "reset": "v = ck\nu += dk", "distance": "v + 50", "threshold_scale": 10,
        "initial": {"v": -65.0, "u": -13.0},
    },
    "two compartments": {
        "threshold": "v >= 1", "reset": "v = 0\nu += back", "distance": "v - 1", "threshold_scale": 1,
        "refractory": 2 * ms,
    },
}  # fmt: skip

METHODS = {
    "cuba": "exact",
    "coba": "exponential_euler",
    "adex": "euler",
    "izhikevich": "euler",
    "two compartments": "euler",
}
"""The integrator that each usually has."""

INTEGRATORS = {
    "cuba": ("exact", "euler", "exponential_euler", "rk2", "rk4", "heun"),
    "coba": ("euler", "exponential_euler", "rk2", "rk4", "heun"),
    "adex": ("euler", "rk2", "rk4", "heun"),
    "izhikevich": ("euler", "rk2", "rk4", "heun"),
    "two compartments": ("euler", "exponential_euler", "rk2", "rk4", "heun"),
}
"""Those of Brian2's that can solve the equations of each; without noise, heun is euler."""

WEIGHTS = {"cuba": (0.9, 0.5), "coba": (0.2, 0.2), "adex": (0.9, 0.5), "izhikevich": (5.0, 3.0)}
WEIGHTS["two compartments"] = (0.9, 0.4)
"""Typical weights of excitation and inhibition."""


def neurons(kind: str, size: int, into: str = "ge", constants: dict[str, Any] | None = None, **fields: Any):
    """A population of a kind. constants, fields: others than its own."""
    given = {
        "equations": f"{EQUATIONS[kind]}\n{SYNAPSES}",
        "method": METHODS[kind],
        "constants": {**CONSTANTS[kind], **TIMES, **(constants or {})},
        **SPIKES[kind],
        **fields,
    }
    return custom(size, into, **given)


def custom(size: int, into: str, **fields: Any) -> CustomNeurons:
    """Neurons of one's own, whose spikes' input goes into a variable."""
    return CustomNeurons(size, into=into, **fields)


def weights(kind: str, n_pre: int, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Positive weights (n_pre, n) of projections into ge and gi."""
    strong, weak = WEIGHTS[kind]
    return {"ge": strong * rng.random((n_pre, n)), "gi": weak * rng.random((n_pre, n))}
