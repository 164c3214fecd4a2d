"""Observations of an environment as spikes of a source."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from snnplast.description import Description
from snnplast.task.encoding import regular
from snnplast.task.trial import Spikes


class Encoding(Description):
    """What each source neuron shows of an observation: a value in [0, 1].

    coding: "poisson" (default), spikes at random with the peak rate of a `PoissonSource` at value 1; or "regular",
    evenly spaced spikes, one per step at value 1, for any source.
    """

    coding: Annotated[Literal["poisson", "regular"], Field(description="how values become spikes")] = "poisson"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an observation."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """Number of source neurons n."""
        raise NotImplementedError

    def values(self, observation: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        """Values (n,) in [0, 1]. before: the observation before, None at the first one of an episode."""
        raise NotImplementedError

    def shown(self, observation: np.ndarray, before: np.ndarray | None, steps: int) -> np.ndarray | Spikes:
        """What a segment of so many steps is given: values, or spikes."""
        values = self.values(observation, before)
        return values if self.coding == "poisson" else regular(values, steps)


class _Ranged(Encoding):
    """Of d numbers, each within a range; what lies beyond it counts as its end."""

    low: Annotated[tuple[float, ...], Field(min_length=1, description="lowest value of each number")]
    high: Annotated[tuple[float, ...], Field(min_length=1, description="highest value of each number")]

    @model_validator(mode="after")
    def _check_ranges(self) -> Any:
        if len(self.low) != len(self.high):
            raise ValueError(f"{len(self.low)} values in low, but {len(self.high)} in high; one range per number")
        for k, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            if not low < high:
                raise ValueError(f"low[{k}] = {low:g}: less than high[{k}] = {high:g} is allowed")
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.low),)

    def part(self, observation: np.ndarray) -> np.ndarray:
        """Where in its range each number lies, (d,) in [0, 1]."""
        low, high = np.array(self.low), np.array(self.high)
        return np.minimum(np.maximum((observation - low) / (high - low), 0.0), 1.0)


class RateCode(_Ranged):
    """Value (o - low) / (high - low) of each number o of an observation.

    low, high: the range of each number, tuples of d. copies: neurons that show the same number, default 1, >= 1.
    coding: "poisson" or "regular", see `Encoding`.

    >>> RateCode(low=(-1, 0), high=(1, 10)).values(np.array([0.0, 12.0]), None)
    array([0.5, 1. ])
    """

    copies: Annotated[int, Field(ge=1, description="neurons that show the same number")] = 1

    @property
    def size(self) -> int:
        return self.copies * len(self.low)

    def values(self, observation: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        return np.repeat(self.part(observation), self.copies)


class PopulationCode(_Ranged):
    """Gaussian tuning curves: value exp(-(u - k)^2 / (2 width^2)) of neuron k = 0..m-1, for each number o.

    u = (m - 1) (o - low) / (high - low): preferred values are evenly spaced from low to high.

    low, high: the range of each number, tuples of d. neurons: m per number, default 10, >= 2.
    width: of a tuning curve, in distances between preferred values, default 1, > 0.
    coding: "poisson" or "regular", see `Encoding`.

    >>> PopulationCode(low=(0,), high=(1,), neurons=3, width=0.5).values(np.array([0.5]), None).round(2)
    array([0.14, 1.  , 0.14])
    """

    neurons: Annotated[int, Field(ge=2, description="neurons per number")] = 10
    width: Annotated[float, Field(gt=0, description="of a tuning curve, in distances between neurons")] = 1.0

    @property
    def size(self) -> int:
        return self.neurons * len(self.low)

    def values(self, observation: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        u = (self.neurons - 1) * self.part(observation)
        return np.exp(-((u[:, None] - np.arange(self.neurons)) ** 2) / (2 * self.width**2)).ravel()


class PixelCode(Encoding):
    """Frames: grey, cut out, averaged over blocks, and what has changed in them since the frame before.

    Brightness b of a block is 0 at the grey `darkest` and 1 at `brightest`. Without `changes` a neuron's value is
    gain * b; with them there are two neurons per block, which show gain * (b - b before) and its opposite. Values are
    cut at 0 and at 1.

    frame: shape of an observation, (rows, columns) or (rows, columns, colours). darkest, brightest: default 0 and 255.
    rows, columns: what is cut out, (first, end), default all. block: pixels of a block's side, default 1, >= 1; what is
    cut out holds a whole number of blocks. changes: default True. gain: default 1, > 0.
    coding: "poisson" or "regular", see `Encoding`.

    >>> code = PixelCode(frame=(2, 4), brightest=1, block=2)
    >>> code.values(np.eye(2, 4), np.zeros((2, 4)))
    array([0.5, 0. , 0. , 0. ])
    """

    frame: Annotated[tuple[int, ...], Field(min_length=2, max_length=3, description="shape of an observation")]
    darkest: Annotated[float, Field(description="grey whose brightness is 0")] = 0.0
    brightest: Annotated[float, Field(description="grey whose brightness is 1")] = 255.0
    rows: Annotated[tuple[int, int] | None, Field(description="first row and end of what is cut out")] = None
    columns: Annotated[tuple[int, int] | None, Field(description="first column and end of what is cut out")] = None
    block: Annotated[int, Field(ge=1, description="pixels of a block's side")] = 1
    changes: Annotated[bool, Field(description="whether changes since the frame before are shown")] = True
    gain: Annotated[float, Field(gt=0, description="value of a block that changes from black to white")] = 1.0

    @model_validator(mode="after")
    def _check_blocks(self) -> Any:
        if not self.darkest < self.brightest:
            raise ValueError(f"darkest = {self.darkest:g}: less than brightest = {self.brightest:g} is allowed")
        for name, length in (("rows", self.frame[0]), ("columns", self.frame[1])):
            first, end = getattr(self, name) or (0, length)
            if not 0 <= first < end <= length:
                raise ValueError(f"{name} = ({first}, {end}): 0 <= first < end <= {length} is needed")
            if (end - first) % self.block:
                raise ValueError(f"block = {self.block}: the {end - first} {name} cut out are no multiple of it")
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        return self.frame

    @property
    def size(self) -> int:
        return prod(end - first for first, end in self._sides()) // self.block**2 * (2 if self.changes else 1)

    def _sides(self) -> list[tuple[int, int]]:
        return [self.rows or (0, self.frame[0]), self.columns or (0, self.frame[1])]

    def values(self, observation: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        now = self._blocks(observation)
        if not self.changes:
            return np.minimum(np.maximum(now, 0.0), 1.0).ravel()
        change = now - (now if before is None else self._blocks(before))
        return np.minimum(np.concatenate([np.maximum(change, 0.0), np.maximum(-change, 0.0)], axis=None), 1.0)

    def _blocks(self, frame: np.ndarray) -> np.ndarray:
        """gain * brightness of each block."""
        (top, bottom), (left, right) = self._sides()
        cut = frame[top:bottom, left:right]
        grey = cut.mean(axis=2) if cut.ndim == 3 else cut
        b = self.block
        mean = grey.reshape(grey.shape[0] // b, b, grey.shape[1] // b, b).mean(axis=(1, 3))
        return (mean - self.darkest) * (self.gain / (self.brightest - self.darkest))
