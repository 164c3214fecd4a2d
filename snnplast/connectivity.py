"""Which neurons a projection connects: pairs (pre, post), sorted by pre, then post."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator

from snnplast.described import integers
from snnplast.description import Description
from snnplast.errors import UserError

Pairs = tuple[np.ndarray, np.ndarray]


class Connectivity(Description):
    """How pairs are chosen."""

    def pairs(self, rng: np.random.Generator, n_pre: int, n_post: int, itself: bool) -> Pairs:
        """Indices (pre, post), int64, sorted; `itself`: a population onto itself, self-connections excluded."""
        raise NotImplementedError


def _of_matrix(connected: np.ndarray, itself: bool) -> Pairs:
    if itself:
        connected = connected & ~np.eye(*connected.shape, dtype=bool)
    pre, post = np.nonzero(connected)
    return pre, post


class AllToAll(Connectivity):
    """Every source neuron to every target neuron."""

    def pairs(self, rng: np.random.Generator, n_pre: int, n_post: int, itself: bool) -> Pairs:
        return _of_matrix(np.ones((n_pre, n_post), dtype=bool), itself)


class Probability(Connectivity):
    """Each pair with probability p, independently. 0 < p <= 1."""

    p: Annotated[float, Field(gt=0, le=1)]

    def __init__(self, p: float) -> None:
        super().__init__(p=p)

    def pairs(self, rng: np.random.Generator, n_pre: int, n_post: int, itself: bool) -> Pairs:
        return _of_matrix(rng.random((n_pre, n_post)) < self.p, itself)


class FixedInDegree(Connectivity):
    """Every target neuron from k different source neurons, drawn without replacement. k >= 1."""

    k: Annotated[int, Field(ge=1)]

    def __init__(self, k: int) -> None:
        super().__init__(k=k)

    def pairs(self, rng: np.random.Generator, n_pre: int, n_post: int, itself: bool) -> Pairs:
        available = n_pre - itself
        if self.k > available:
            raise UserError(f"FixedInDegree(k={self.k}): only {available} source neurons are available")
        rank = rng.random((n_pre, n_post))
        if itself:
            np.fill_diagonal(rank, np.inf)
        chosen = np.argpartition(rank, self.k - 1, axis=0)[: self.k]
        connected = np.zeros((n_pre, n_post), dtype=bool)
        connected[chosen, np.arange(n_post)] = True
        return _of_matrix(connected, itself)


class OneToOne(Connectivity):
    """Neuron i to neuron i; both populations have the same size."""

    def pairs(self, rng: np.random.Generator, n_pre: int, n_post: int, itself: bool) -> Pairs:
        if n_pre != n_post:
            raise UserError(f"OneToOne: sizes {n_pre} and {n_post} differ; equal sizes are needed")
        return np.arange(n_pre), np.arange(n_post)


class ExplicitPairs(Connectivity):
    """Given pairs: two index arrays of equal length; a pair may occur once."""

    pre: Any
    post: Any

    @field_validator("pre", "post")
    @classmethod
    def _indices(cls, values: Any) -> np.ndarray:
        array = integers("", values, low=0)
        if array.ndim != 1:
            raise ValueError(f"indices have shape {array.shape}; (n_synapses,) is needed")
        return array

    def pairs(self, rng: np.random.Generator, n_pre: int, n_post: int, itself: bool) -> Pairs:
        for name, indices, size in (("pre", self.pre, n_pre), ("post", self.post, n_post)):
            if indices.size and indices.max() >= size:
                raise UserError(f"{name} index {indices.max()} is out of range: 0..{size - 1} are allowed")
        if self.pre.size != self.post.size:
            raise UserError(f"{self.pre.size} source and {self.post.size} target indices: equal numbers are needed")
        if itself and np.any(self.pre == self.post):
            neuron = self.pre[self.pre == self.post][0]
            raise UserError(f"the pair ({neuron}, {neuron}) is listed, but self_connections = False leaves it out")
        order = np.lexsort((self.post, self.pre))
        pre, post = self.pre[order], self.post[order]
        if np.any((np.diff(pre) == 0) & (np.diff(post) == 0)):
            raise UserError("a pair of neurons is listed twice; each may occur once")
        return pre, post
