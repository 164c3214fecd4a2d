"""Initial weights of a projection: dimensionless, one per synapse, in source-major order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from snnplast.described import reals
from snnplast.description import Description
from snnplast.errors import UserError


class Weights(Description):
    """How initial weights are drawn."""

    def check(self, synapses: int | None, shape: tuple[int, int]) -> None:
        """Raise `UserError` where these cannot be the weights of so many synapses; None: not known before drawing."""

    def draw(self, rng: np.random.Generator, pre: np.ndarray, post: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Weights (n_synapses,) of the pairs (pre, post) of a projection between `shape` = (n_pre, n_post) neurons."""
        raise NotImplementedError


BLOCK = 1 << 20
"""Synapses at once where something is looked up for each: an index array is copied as int64 to do so."""


def _parts(synapses: int) -> Iterator[slice]:
    for first in range(0, synapses, BLOCK):
        yield slice(first, first + BLOCK)


def _fan(neurons: np.ndarray, size: int) -> np.ndarray:
    """How many synapses each of `size` neurons has at this end."""
    counts = np.zeros(size, np.int64)
    for part in _parts(neurons.size):
        counts += np.bincount(neurons[part], minlength=size)
    return counts


class Normal(Weights):
    """w ~ N(0, (gain / sqrt(fan_in))^2), fan_in being the target neuron's. gain: default 1, >= 0.

    >>> pre, post = np.repeat(np.arange(400), 100), np.tile(np.arange(100), 400)
    >>> weights = Normal(gain=2).draw(np.random.default_rng(1), pre, post, (400, 100))
    >>> round(float(weights.std()), 2)
    0.1
    """

    gain: Annotated[float, Field(ge=0)] = 1.0

    def draw(self, rng: np.random.Generator, pre: np.ndarray, post: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        weights = rng.standard_normal(pre.size)
        weights *= self.gain
        root = np.sqrt(_fan(post, shape[1]))
        for part in _parts(post.size):
            weights[part] /= root[post[part]]
        return weights


class Gaussian(Weights):
    """w ~ N(0, std^2), whatever the fan-in. std: default 1, >= 0.

    >>> Gaussian(std=0.5).std
    0.5
    >>> Gaussian(std=-1)
    Traceback (most recent call last):
    snnplast.description.WrongValue: Gaussian.std = -1: input should be greater than or equal to 0
    """

    std: Annotated[float, Field(ge=0)] = 1.0

    def draw(self, rng: np.random.Generator, pre: np.ndarray, post: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        weights = rng.standard_normal(pre.size)
        weights *= self.std
        return weights


class Glorot(Weights):
    """w ~ U(-l, l), l = gain sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010). gain: default 1, >= 0.

    >>> pre, post = np.repeat(np.arange(400), 200), np.tile(np.arange(200), 400)
    >>> weights = Glorot().draw(np.random.default_rng(1), pre, post, (400, 200))
    >>> round(float(abs(weights).max()), 3)  # sqrt(6 / (400 + 200))
    0.1
    """

    gain: Annotated[float, Field(ge=0)] = 1.0

    def draw(self, rng: np.random.Generator, pre: np.ndarray, post: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        weights, fan_out, fan_in = rng.uniform(-1, 1, pre.size), _fan(pre, shape[0]), _fan(post, shape[1])
        for part in _parts(post.size):
            weights[part] *= self.gain * np.sqrt(6 / (fan_in[post[part]] + fan_out[pre[part]]))
        return weights


class Uniform(Weights):
    """w ~ U(low, high).

    low, high: bounds, defaults -1 and 1, low <= high; in the unit of the projection.

    >>> Uniform(low=0, high=0.1).high
    0.1
    >>> Uniform(low=0.1, high=0)
    Traceback (most recent call last):
    snnplast.description.WrongValue: Uniform: low = 0.1 must not exceed high = 0
    """

    low: float = -1.0
    high: float = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> Uniform:
        if self.low > self.high:
            raise ValueError(f"low = {self.low:g} must not exceed high = {self.high:g}")
        return self

    def draw(self, rng: np.random.Generator, pre: np.ndarray, post: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        return rng.uniform(self.low, self.high, pre.size)


class ExplicitWeights(Weights):
    """Given weights, one and all.

    values: a number, a matrix (n_pre, n_post), or one value per synapse in source-major order; real, finite.

    `Network.connect` takes them without this class, and raises `UserError` for a shape that does not fit.

    >>> from snnplast import LIF, Network
    >>> net = Network(); net.add("a", LIF(2)); net.add("b", LIF(3))
    >>> net.connect("a", "b", weights=[[1, 2, 3], [4, 5, 6]])
    >>> net.connect("b", "a", weights=[1, 2])
    Traceback (most recent call last):
    snnplast.errors.UserError: network.b_to_a: weights have shape (2,); allowed are a number, ... (3, 2) or ...
    """

    values: Any

    @field_validator("values")
    @classmethod
    def _finite(cls, values: Any) -> np.ndarray:
        return np.array(reals("", values), dtype=float)

    def check(self, synapses: int | None, shape: tuple[int, int]) -> None:
        given = self.values.shape
        if given in ((), shape) or (given == (synapses,) if synapses is not None else len(given) == 1):
            return
        each = "one per synapse" if synapses is None else f"({synapses},), one per synapse"
        raise UserError(f"weights have shape {given}; allowed are a number, (n_pre, n_post) = {shape} or {each}")

    def draw(self, rng: np.random.Generator, pre: np.ndarray, post: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        self.check(pre.size, shape)
        if self.values.ndim == 0:
            return np.full(pre.size, float(self.values))
        return self.values[pre, post] if self.values.shape == shape else self.values.copy()


class Transposed(Weights):
    """The weights of another projection the other way round, pairs included, kept equal to it as that one learns.

    of: name of the projection, described before, from this one's target to its source.

    >>> from snnplast import LIF, Network
    >>> net = Network(); net.add("a", LIF(2)); net.add("b", LIF(3))
    >>> net.connect("a", "b", weights=Normal(), plastic=True)
    >>> net.connect("b", "a", weights=Transposed(of="a_to_b"))
    """

    of: str

    def draw(self, rng: np.random.Generator, pre: np.ndarray, post: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        raise UserError(f"weights that mirror {self.of!r} are not drawn")


def as_weights(value: Any) -> Weights:
    """A `Weights` description from itself, a number or an array."""
    return value if isinstance(value, Weights) else ExplicitWeights(values=value)
