"""Optimisers in compiled form: see optimizer.h."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snnplast.native.functions import functions
from snnplast.native.stage import Stage, address, header, place

if TYPE_CHECKING:
    from snnplast.learning.optimizer import Limit, Optimizer, State

_HERE = Path(__file__).parent
_P, _L, _D = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


class Settings(ctypes.Structure):
    """What an optimiser is."""

    _fields_ = (
        *(("adam", _L), ("learning_rate", _D), ("final", _D), ("clip", _D), ("weight_decay", _D)),
        *(("beta_1", _D), ("beta_2", _D), ("epsilon", _D)),
    )

    @classmethod
    def of(cls, optimizer: Optimizer) -> Settings:
        """Those of one that has a compiled form."""
        schedule, clip = optimizer.schedule, optimizer.clip
        final = 1.0 if schedule.name == "constant" else schedule.final
        own = (getattr(optimizer, name, 0.0) for name in ("beta_1", "beta_2", "epsilon"))
        adam, clip = optimizer.compiled == "adam", np.inf if clip is None else clip
        return cls(adam, optimizer.learning_rate, final, clip, optimizer.weight_decay, *own)


class _Limit(ctypes.Structure):
    _fields_ = (("values", _P), ("each", _L))


class Parameter(ctypes.Structure):
    """What is changed, by which gradient, within which limits, and the optimiser's state of it."""

    _fields_ = (
        *(("size", _L), ("values", _P), ("gradient", _P), ("scale", _P), ("low", _Limit), ("high", _Limit)),
        *(("n", _P), ("m", _P), ("u", _P)),
    )


class Updates:
    """Steps of one parameter: by C++ code where `compiled` is asked for and there is such a form, else by numpy.

    Both give the same bits. values, state: changed in place, see `Optimizer.update`, as are bounds and scale.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        values: np.ndarray,
        state: State,
        bounds: tuple[Limit, Limit] = (None, None),
        scale: np.ndarray | None = None,
        compiled: bool = False,
    ) -> None:
        self.optimizer, self.values, self.state, self.bounds, self.scale = optimizer, values, state, bounds, scale
        plain = values.flags.c_contiguous and values.dtype == float
        self.settings = Settings.of(optimizer) if compiled and optimizer.compiled and plain else None
        sides = [None if side is None else np.ascontiguousarray(side, dtype=float) for side in bounds]
        limits = [_Limit() if side is None else _Limit(side.ctypes.data, int(side.size > 1)) for side in sides]
        even = None if scale is None else np.ascontiguousarray(scale, dtype=float)
        self._held = (*sides, even)
        own = (place(state.get(name)) for name in ("n", "m", "u"))
        self.parameter = Parameter(values.size, place(values), None, place(even), *limits, *own)

    def __call__(self, gradient: np.ndarray, progress: float) -> None:
        """One step; progress: part of the run that is done, in [0, 1)."""
        if self.settings is None:
            self.optimizer.update(self.values, gradient, self.state, progress, self.bounds, self.scale)
            return
        given = np.ascontiguousarray(gradient, dtype=float)
        if given.shape != self.values.shape:
            raise ValueError(f"a gradient of shape {given.shape}: {self.values.shape} is needed")
        self.parameter.gradient = given.ctypes.data
        library().optimizer_update(ctypes.byref(self.settings), ctypes.byref(self.parameter), progress)


class _Updated(ctypes.Structure):
    _fields_ = (
        *(("count", _L), ("optimizers", _P), ("parameters", _P), ("losses", _P)),
        *(("before", _L), ("iterations", _L)),
    )


class UpdatedTrials:
    """Updates as a stage of trials each of which changes parameters. gradients: where those of a trial are, by name.

    Raises `ValueError` where a parameter has no compiled updates.
    """

    def __init__(self, updates: Mapping[str, Updates], gradients: Mapping[str, np.ndarray]) -> None:
        own = [(updates[name], gradient) for name, gradient in gradients.items()]
        settings = [update.settings for update, _ in own]
        if any(one is None for one in settings):
            raise ValueError("an optimiser, or a parameter, without compiled updates")
        optimizers = (Settings * len(own))(*settings)
        parameters = (Parameter * len(own))(*(update.parameter for update, _ in own))
        for parameter, (_, gradient) in zip(parameters, own, strict=True):
            parameter.gradient = place(gradient)
        self._data = _Updated(len(own), ctypes.addressof(optimizers), ctypes.addressof(parameters))
        self.stage = Stage(address(library().update_after_trial), self._data, (optimizers, parameters, own))

    def expect(self, losses: np.ndarray, before: int, iterations: int) -> None:
        """What comes next. losses: where those of the trials will be. before, iterations: updates, done and of all."""
        self._data.losses, self._data.before, self._data.iterations = place(losses), before, iterations


def headers() -> Mapping[str, str]:
    """For a library that learns: `#include "optimizer.h"`."""
    return {"optimizer.h": (_HERE / "optimizer.h").read_text()}


@functools.cache
def library() -> Any:
    """The functions, compiled."""
    source = (_HERE / "optimizer.cpp").read_text()
    found = functions({**header(), **headers(), "optimizer.cpp": source}, "optimizer.cpp")
    found.optimizer_update.argtypes, found.optimizer_update.restype = (_P, _P, _D), None
    return found
