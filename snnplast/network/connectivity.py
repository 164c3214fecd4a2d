"""Which neurons a projection connects: pairs (pre, post), sorted by pre, then post."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, field_validator
from scipy.sparse import csr_array

from snnplast.described import integers
from snnplast.description import Description
from snnplast.errors import UserError
from snnplast.network.sampling import distinct, occupied

Pairs = tuple[np.ndarray, np.ndarray]


BLOCK = 1 << 20
"""Synapses drawn at once: what is needed beside the result does not grow with it."""


class Connectivity(Description):
    """How pairs are chosen."""

    def count(self, n_pre: int, n_post: int, itself: bool) -> int | None:
        """Number of pairs, None where only drawing tells it. Raises `UserError` for sizes that do not fit."""
        return None

    def pairs(self, rng: np.random.Generator, n_pre: int, n_post: int, itself: bool) -> Pairs:
        """Indices (pre, post), int32, sorted; `itself`: a population onto itself, self-connections excluded."""
        raise NotImplementedError


class AllToAll(Connectivity):
    """Every source neuron to every target neuron: n_pre * n_post synapses.

    From a population to itself those of a neuron with itself are among them, unless self_connections = False.

    >>> AllToAll().count(3, 2, itself=False), AllToAll().count(3, 3, itself=True)
    (6, 6)
    """

    def count(self, n_pre: int, n_post: int, itself: bool) -> int:
        return n_pre * (n_post - itself)

    def pairs(self, rng: np.random.Generator, n_pre: int, n_post: int, itself: bool) -> Pairs:
        columns = n_post - itself
        pre, post = np.repeat(_numbers(n_pre), columns), np.tile(_numbers(columns), n_pre)
        return pre, _without_itself(pre, post) if itself else post


class Probability(Connectivity):
    """Each pair with probability p, independently.

    p: probability, in (0, 1].

    >>> pre, post = Probability(0.5).pairs(np.random.default_rng(1), 100, 100, itself=False)
    >>> 4900 < pre.size < 5100, bool((pre[1:] >= pre[:-1]).all())
    (True, True)
    >>> Probability(1.5)
    Traceback (most recent call last):
    snnplast.description.WrongValue: Probability.p = 1.5: input should be less than or equal to 1
    """

    if TYPE_CHECKING:
        p: float = Field(kw_only=False)
    else:
        p: Annotated[float, Field(gt=0, le=1)]

    if not TYPE_CHECKING:

        def __init__(self, p: float) -> None:
            super().__init__(p=p)

    def pairs(self, rng: np.random.Generator, n_pre: int, n_post: int, itself: bool) -> Pairs:
        columns = n_post - itself
        fan_out, targets = [np.zeros(0, np.int64)], [_numbers(0)]
        for rows in _blocks(n_pre, self.p * columns) if columns else ():
            row, column = np.divmod(occupied(rng, self.p, len(rows) * columns), columns)
            fan_out.append(np.bincount(row, minlength=len(rows)))
            post = column.astype(np.int32)
            targets.append(_without_itself(row + rows.start, post) if itself else post)
        post = np.concatenate(targets)
        targets.clear()
        return _sources(np.concatenate(fan_out)), post


class FixedInDegree(Connectivity):
    """Every target neuron from k different source neurons, drawn without replacement.

    k: an integer, from 1 to the number of sources there are.

    >>> pre, post = FixedInDegree(5).pairs(np.random.default_rng(1), 100, 3, itself=False)
    >>> np.bincount(post)
    array([5, 5, 5])
    >>> FixedInDegree(5).count(4, 3, itself=False)
    Traceback (most recent call last):
    snnplast.errors.UserError: FixedInDegree(k=5): only 4 source neurons are available
    """

    if TYPE_CHECKING:
        k: int = Field(kw_only=False)
    else:
        k: Annotated[int, Field(ge=1)]

    if not TYPE_CHECKING:

        def __init__(self, k: int) -> None:
            super().__init__(k=k)

    def count(self, n_pre: int, n_post: int, itself: bool) -> int:
        if self.k > n_pre - itself:
            raise UserError(f"FixedInDegree(k={self.k}): only {n_pre - itself} source neurons are available")
        return self.k * n_post

    def pairs(self, rng: np.random.Generator, n_pre: int, n_post: int, itself: bool) -> Pairs:
        self.count(n_pre, n_post, itself)
        available = n_pre - itself
        sources = np.empty((n_post, self.k), np.int32)
        for targets in _blocks(n_post, min(2 * self.k, available)):
            chosen = distinct(rng, available, self.k, len(targets))
            if itself:
                chosen = _without_itself(np.array(targets)[:, None], chosen)
            sources[targets.start : targets.stop] = chosen
        kind = np.int32 if sources.size < 2**31 else np.int64  # scipy gives all indices one type
        starts, marks = np.arange(n_post + 1, dtype=kind) * kind(self.k), np.ones(sources.size, np.int8)
        by_source = csr_array((marks, sources.reshape(-1), starts), shape=(n_post, n_pre)).tocsc()
        return _sources(np.diff(by_source.indptr)), by_source.indices.astype(np.int32, copy=False)


class OneToOne(Connectivity):
    """Neuron i to neuron i; both populations have the same size.

    >>> OneToOne().count(3, 3, itself=False)
    3
    >>> OneToOne().count(3, 4, itself=False)
    Traceback (most recent call last):
    snnplast.errors.UserError: OneToOne: sizes 3 and 4 differ; equal sizes are needed
    """

    def count(self, n_pre: int, n_post: int, itself: bool) -> int:
        if n_pre != n_post:
            raise UserError(f"OneToOne: sizes {n_pre} and {n_post} differ; equal sizes are needed")
        if itself:
            raise UserError("OneToOne: from a population to itself these are self-connections, which are excluded")
        return n_pre

    def pairs(self, rng: np.random.Generator, n_pre: int, n_post: int, itself: bool) -> Pairs:
        self.count(n_pre, n_post, itself)
        return _numbers(n_pre), _numbers(n_pre)


class ExplicitPairs(Connectivity):
    """Given pairs, in any order: two index arrays of equal length; a pair may occur once.

    pre, post: integers (n_synapses,), from 0 to the size of the population - 1.

    >>> ExplicitPairs(pre=[0, 0, 1], post=[0, 2, 1]).count(2, 3, itself=False)
    3
    >>> ExplicitPairs(pre=[0, 0], post=[1, 1]).count(2, 3, itself=False)
    Traceback (most recent call last):
    snnplast.errors.UserError: a pair of neurons is listed twice; each may occur once
    """

    pre: Any
    post: Any

    @field_validator("pre", "post")
    @classmethod
    def _indices(cls, values: Any) -> np.ndarray:
        array = integers("", values, low=0)
        if array.ndim != 1:
            raise ValueError(f"indices have shape {array.shape}; (n_synapses,) is needed")
        return array

    def count(self, n_pre: int, n_post: int, itself: bool) -> int:
        return self.pairs(np.random.default_rng(0), n_pre, n_post, itself)[0].size

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


def _numbers(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.int32)


def _sources(fan_out: np.ndarray) -> np.ndarray:
    """The source of each pair, from the number of pairs of each source."""
    return np.repeat(_numbers(fan_out.size), fan_out)


def _without_itself(neuron: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Neurons numbered without `neuron` itself, numbered as all are."""
    return other + (other >= neuron)


def _blocks(n: int, each: float) -> Iterator[range]:
    """Stretches of 0..n-1 that hold about BLOCK synapses, `each` neuron having so many."""
    length = max(1, min(n, int(BLOCK / each)))
    for first in range(0, n, length):
        yield range(first, min(first + length, n))
