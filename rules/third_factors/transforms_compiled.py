"""The compiled form of a chain of transforms: see transforms.h."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snnplast.learning import State
from snnplast.native.stage import place, stands
from snnplast.rules.third_factors.transforms import Transform

_FORMS = ("layer-norm-jacobian", "gain-control", "clip")
"""In the order of transforms.h."""


class _Transform(ctypes.Structure):
    _fields_ = (("form", ctypes.c_int64), ("setting", ctypes.c_double), ("mean_square", ctypes.c_void_p))


def have_forms(transforms: Sequence[Transform]) -> bool:
    """Whether each of them has a compiled form."""
    return all(stands(type(transform), "__call__", "compiled_form") for transform in transforms)


def table(transforms: Sequence[Transform], population: str, state: State) -> Any:
    """The chain of one population, whose state is that of a layer-wise source."""
    rows = []
    for number, transform in enumerate(transforms, 1):
        setting = getattr(transform, "memory", getattr(transform, "limit", 0.0))
        kept = state.get(f"{population}.{number}-{transform.name}.mean_square")
        rows.append(_Transform(_FORMS.index(transform.compiled_form), setting, place(kept)))
    return (_Transform * len(rows))(*rows)


def headers() -> dict[str, str]:
    """`#include "transforms.h"` and "lanes.h", for a library with layer-wise signals."""
    return {name: Path(__file__).with_name(name).read_text() for name in ("transforms.h", "lanes.h")}
