"""Named steps between a layer-wise third factor and what the synapses receive."""

from __future__ import annotations

import functools
import math
from typing import Annotated, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field, SerializeAsAny

from snnplast.description import Description
from snnplast.learning import State
from snnplast.named import Named
from snnplast.ordered import mean
from snnplast.task import Record


class Transform(Description):
    """One named step between a source's raw signal and what the synapses receive."""

    name: ClassVar[str]
    compiled_form: ClassVar[str] = ""
    """Name of the same in transforms.h, of the class itself that defines `__call__`."""

    def init(self, size: int) -> State:
        """State before the first trial for a population of `size` neurons."""
        return {}

    def __call__(self, signal: np.ndarray, record: Record, population: str, state: State) -> np.ndarray:
        """The changed signal (n,); updates `state` in place."""
        raise NotImplementedError


class LayerNormJacobian(Transform):
    r"""Through the layer normalisation: xi <- xi - mean(xi) - z mean(xi z), the means over the layer.

    The factor 1/sd is left to the gain control. z: the layer's rate representation.
    """

    name: ClassVar[str] = "layer-norm-jacobian"
    compiled_form: ClassVar[str] = "layer-norm-jacobian"

    def __call__(self, signal: np.ndarray, record: Record, population: str, state: State) -> np.ndarray:
        z = record.representation(population)
        return signal - mean(signal) - z * mean(signal * z)


class GainControl(Transform):
    r"""Unit root mean square: xi <- xi / rms, rms^2 <- memory rms^2 + (1 - memory) mean(xi^2).

    It makes the learning rate independent of the scale of the source. memory: default 0.99, in [0, 1).
    The first signal initialises rms; a signal that has been zero throughout stays zero.
    """

    name: ClassVar[str] = "gain-control"
    compiled_form: ClassVar[str] = "gain-control"

    memory: Annotated[float, Field(ge=0, lt=1, description="memory of the running mean square")] = 0.99

    def init(self, size: int) -> State:
        return {"mean_square": np.full((), np.nan)}

    def __call__(self, signal: np.ndarray, record: Record, population: str, state: State) -> np.ndarray:
        now, kept = mean(signal * signal), state["mean_square"]
        if not math.isnan(before := float(kept)):
            now = self.memory * before + (1 - self.memory) * now
        kept[...] = now
        return signal / math.sqrt(now) if now > 0 else signal


class Clip(Transform):
    """xi <- clip(xi, -limit, limit). limit: default 5, > 0."""

    name: ClassVar[str] = "clip"
    compiled_form: ClassVar[str] = "clip"

    limit: Annotated[float, Field(gt=0, description="largest absolute value")] = 5.0

    def __call__(self, signal: np.ndarray, record: Record, population: str, state: State) -> np.ndarray:
        return np.minimum(np.maximum(signal, -self.limit), self.limit)


TRANSFORMS: dict[str, type[Transform]] = {t.name: t for t in (LayerNormJacobian, GainControl, Clip)}
AnyTransform = Annotated[SerializeAsAny[Transform], BeforeValidator(Named("transform", TRANSFORMS))]


class Chain:
    """Transforms applied in order, their state kept under '<population>.<place>-<transform>.<name>', places from 1."""

    def __init__(self, transforms: tuple[Transform, ...]) -> None:
        self.transforms = {f"{place}-{transform.name}": transform for place, transform in enumerate(transforms, 1)}
        self._keys: dict[str, list[tuple[Transform, list[tuple[str, str]]]]] = {}

    def init(self, population: str, size: int) -> State:
        """State of the whole chain for one population."""
        return {
            f"{population}.{name}.{key}": value
            for name, transform in self.transforms.items()
            for key, value in transform.init(size).items()
        }

    def __call__(self, signal: np.ndarray, record: Record, population: str, state: State) -> np.ndarray:
        """The signal (n,) after all transforms; updates `state` in place."""
        if population not in self._keys:
            self._keys[population] = [
                (transform, [(key, f"{population}.{name}.{key}") for key in transform.init(signal.size)])
                for name, transform in self.transforms.items()
            ]
        for transform, keys in self._keys[population]:
            signal = transform(signal, record, population, {key: state[name] for key, name in keys})
        return signal


@functools.lru_cache(maxsize=64)
def chain_of(transforms: tuple[Transform, ...]) -> Chain:
    """Their chain, made once."""
    return Chain(transforms)
