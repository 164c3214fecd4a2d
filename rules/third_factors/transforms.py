"""Named steps between a layer-wise third factor and what the synapses receive."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field, SerializeAsAny

from snnplast.description import Description
from snnplast.learning import State
from snnplast.named import Named
from snnplast.task import Record


class Transform(Description):
    """One named step between a source's raw signal and what the synapses receive."""

    name: ClassVar[str]

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

    def __call__(self, signal: np.ndarray, record: Record, population: str, state: State) -> np.ndarray:
        z = record.representation(population)
        return signal - signal.mean() - z * np.mean(signal * z)


class GainControl(Transform):
    r"""Unit root mean square: xi <- xi / rms, rms^2 <- memory rms^2 + (1 - memory) mean(xi^2).

    It makes the learning rate independent of the scale of the source. memory: default 0.99, in [0, 1).
    The first signal initialises rms; a signal that has been zero throughout stays zero.
    """

    name: ClassVar[str] = "gain-control"

    memory: Annotated[float, Field(ge=0, lt=1, description="memory of the running mean square")] = 0.99

    def init(self, size: int) -> State:
        return {"mean_square": np.full((), np.nan)}

    def __call__(self, signal: np.ndarray, record: Record, population: str, state: State) -> np.ndarray:
        now, before = np.mean(signal**2), state["mean_square"]
        before[...] = now if np.isnan(before) else self.memory * before + (1 - self.memory) * now
        return signal / np.sqrt(before) if before > 0 else signal


class Clip(Transform):
    """xi <- clip(xi, -limit, limit). limit: default 5, > 0."""

    name: ClassVar[str] = "clip"

    limit: Annotated[float, Field(gt=0, description="largest absolute value")] = 5.0

    def __call__(self, signal: np.ndarray, record: Record, population: str, state: State) -> np.ndarray:
        return np.clip(signal, -self.limit, self.limit)


TRANSFORMS: dict[str, type[Transform]] = {t.name: t for t in (LayerNormJacobian, GainControl, Clip)}
AnyTransform = Annotated[SerializeAsAny[Transform], BeforeValidator(Named("transform", TRANSFORMS))]


class Chain:
    """Transforms applied in order, their state kept under '<population>.<place>-<transform>.<name>', places from 1."""

    def __init__(self, transforms: tuple[Transform, ...]) -> None:
        self.transforms = {f"{place}-{transform.name}": transform for place, transform in enumerate(transforms, 1)}

    def init(self, population: str, size: int) -> State:
        """State of the whole chain for one population."""
        return {
            f"{population}.{name}.{key}": value
            for name, transform in self.transforms.items()
            for key, value in transform.init(size).items()
        }

    def __call__(self, signal: np.ndarray, record: Record, population: str, state: State) -> np.ndarray:
        """The signal (n,) after all transforms; updates `state` in place."""
        for name, transform in self.transforms.items():
            prefix = f"{population}.{name}."
            own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            signal = transform(signal, record, population, own)
        return signal
