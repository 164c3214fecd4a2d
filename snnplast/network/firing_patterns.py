"""Published constants that make neurons fire in well-known patterns, as settings of `AdEx` and `Izhikevich`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Patterns = Mapping[str, Mapping[str, str | float]]
"""Pattern -> field -> value."""


def _table(fields: Mapping[str, str], rows: Mapping[str, Sequence[float]]) -> Patterns:
    """fields: name -> unit, "" for none."""

    def written(value: float, unit: str) -> str | float:
        return f"{value:g}{'' if unit.startswith('/') else ' '}{unit}" if unit else value

    return {
        name: {field: written(value, unit) for (field, unit), value in zip(fields.items(), row, strict=True)}
        for name, row in rows.items()
    }


ADEX = _table(
    {
        "C": "pF", "g_L": "nS", "E_L": "mV", "V_T": "mV", "Delta_T": "mV", "a": "nS", "tau_w": "ms", "b": "pA",
        "V_r": "mV", "I_ext": "pA",
    },
    {
        "tonic": (200, 10, -70, -50, 2, 2, 30, 0, -58, 500),
        "adapting": (200, 12, -70, -50, 2, 2, 300, 60, -58, 500),
        "initial burst": (130, 18, -58, -50, 2, 4, 150, 120, -50, 400),
        "regular bursting": (200, 10, -58, -50, 2, 2, 120, 100, -46, 210),
        "delayed accelerating": (200, 12, -70, -50, 2, -10, 300, 0, -58, 300),
        "delayed bursting": (100, 10, -65, -50, 2, -10, 90, 30, -47, 110),
        "transient": (100, 10, -65, -50, 2, 10, 90, 100, -47, 180),
        "irregular": (100, 12, -60, -50, 2, -11, 130, 30, -48, 160),
    },
)  # fmt: skip
"""Those of Naud, Marcille, Clopath & Gerstner (2008), Firing patterns in the adaptive exponential integrate-and-fire
model, with the constants of Brian2's example of it (Schmitt & Billaudelle, 2022), which P. Mueller adapted to match the
paper's figures; spikes are cut off at 0 mV there."""

IZHIKEVICH = _table(
    {"a": "/ms", "b": "", "c": "mV", "d": "mV"},
    {
        "regular spiking": (0.02, 0.2, -65, 8),
        "intrinsically bursting": (0.02, 0.2, -55, 4),
        "chattering": (0.02, 0.2, -50, 2),
        "fast spiking": (0.1, 0.2, -65, 2),
        "low-threshold spiking": (0.02, 0.25, -65, 2),
    },
)
"""Izhikevich (2003), figure 2."""
