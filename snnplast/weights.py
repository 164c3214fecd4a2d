"""Initial weights of a projection: dimensionless, one per synapse, in source-major order."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator

from snnplast.described import reals
from snnplast.description import Description
from snnplast.errors import UserError


class Weights(Description):
    """How initial weights are drawn."""

    def draw(self, rng: np.random.Generator, pre: np.ndarray, post: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Weights (n_synapses,) of the pairs (pre, post) of a projection between `shape` = (n_pre, n_post) neurons."""
        raise NotImplementedError


def _fan_in(post: np.ndarray, n_post: int) -> np.ndarray:
    return np.bincount(post, minlength=n_post)


class Normal(Weights):
    """w ~ N(0, (gain / sqrt(fan_in))^2), fan_in being the target neuron's. gain: default 1, >= 0."""

    gain: Annotated[float, Field(ge=0)] = 1.0

    def draw(self, rng: np.random.Generator, pre: np.ndarray, post: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        return self.gain * rng.standard_normal(pre.size) / np.sqrt(_fan_in(post, shape[1])[post])


class Gaussian(Weights):
    """w ~ N(0, std^2), whatever the fan-in. std: default 1, >= 0."""

    std: Annotated[float, Field(ge=0)] = 1.0

    def draw(self, rng: np.random.Generator, pre: np.ndarray, post: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        return self.std * rng.standard_normal(pre.size)


class Glorot(Weights):
    """w ~ U(-l, l), l = gain sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010). gain: default 1, >= 0."""

    gain: Annotated[float, Field(ge=0)] = 1.0

    def draw(self, rng: np.random.Generator, pre: np.ndarray, post: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        fans = _fan_in(post, shape[1])[post] + np.bincount(pre, minlength=shape[0])[pre]
        return self.gain * np.sqrt(6 / fans) * rng.uniform(-1, 1, pre.size)


class Uniform(Weights):
    """w ~ U(low, high). Defaults -1, 1; low <= high."""

    low: float = -1.0
    high: float = 1.0

    def draw(self, rng: np.random.Generator, pre: np.ndarray, post: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        if self.low > self.high:
            raise UserError(f"Uniform(low={self.low:g}, high={self.high:g}): low must not exceed high")
        return rng.uniform(self.low, self.high, pre.size)


class ExplicitWeights(Weights):
    """Given weights: a number, a matrix (n_pre, n_post), or one value per synapse in source-major order."""

    values: Any

    @field_validator("values")
    @classmethod
    def _finite(cls, values: Any) -> np.ndarray:
        return np.array(reals("", values), dtype=float)

    def draw(self, rng: np.random.Generator, pre: np.ndarray, post: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        if self.values.ndim == 0:
            return np.full(pre.size, float(self.values))
        if self.values.shape == shape:
            return self.values[pre, post]
        if self.values.shape == pre.shape:
            return self.values.copy()
        raise UserError(
            f"weights have shape {self.values.shape}; allowed are a number, (n_pre, n_post) = {shape} "
            f"or ({pre.size},), one per synapse"
        )


def as_weights(value: Any) -> Weights:
    """A `Weights` description from itself, a number or an array."""
    return value if isinstance(value, Weights) else ExplicitWeights(values=value)
