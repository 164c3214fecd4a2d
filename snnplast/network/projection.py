"""Projections: synapses from one population to another as they are described, and the pairs that were drawn."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, TypedDict

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from snnplast.described import reals
from snnplast.description import Description
from snnplast.network.connectivity import AllToAll, Connectivity
from snnplast.network.delays import Delay, UniformDelay
from snnplast.network.weights import Normal, Weights


def _signs(value: Any) -> Any:
    """+1 or -1, for all source neurons () or for each (n_pre,)."""
    named = {"excitatory": 1.0, "inhibitory": -1.0}
    if value is None or (isinstance(value, str) and value in named):
        return None if value is None else np.array(named[value])
    array = None if isinstance(value, str) else reals("", value)
    if array is None or array.ndim != 1 or not np.all(np.isin(array, (-1, 1))):
        raise ValueError(f"{value!r}: 'excitatory', 'inhibitory' or an array of +1 and -1 is allowed")
    return array


def _bounds(value: Any) -> tuple[float | None, float | None]:
    """(lowest, highest): numbers, None where a side is open."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{value!r}: two entries, (lowest, highest), are needed; None leaves a side open")
    low, high = (None if side is None else float(reals("", side)) for side in value)
    return low, high


class Projection(Description):
    """Synapses from one population to another.

    Latency: a source's spike acts in the same step; a neuron's spike acts on neurons one step later and on
    readouts in the same step. A delay comes on top of it.

    name: what it is called. source, target: names of the populations.
    weights: initial weights, numbers; a `Weights` description, a number or an array; default Normal().
    connectivity: which pairs are connected, default all.
    delay: conduction delay of spikes, default 0 ms, >= 0: a time or one per synapse, in whole steps, or `UniformDelay`,
        whose draws are rounded to steps.
    sign: of all weights: "excitatory", "inhibitory", or +1 or -1 for each source neuron (Dale's principle). Initial
        weights get it, and learning stops at 0. Default: any sign.
    kind: "spiking" (default; each spike adds c*w to the target), or "analog" (the target receives w * variable).
    variable: the source's variable that an analog projection carries.
    into: the target's variable that receives it; default the one that input adds to.
    every: an analog projection acts each "step" (default), or once per "trial", in the response step.
    order: of a projection that acts once per trial: lower ones act first, default 0.
    feedback: of one that acts once per trial: whether it waits for errors of readouts, as those that act at every step
        do, default False.
    plastic: whether the experiment's rule learns these weights, default False.
    rule: name of another rule for this projection; default the experiment's.
    self_connections: whether a neuron may project to itself, default True.
    bounds: (lowest, highest) weight; None, the default of both, leaves a side open.
    unit: of the weights, such as "nS" or "mV", where they add to a variable that has one; they are numbers in it,
        and so are bounds. Default: the target's own for that variable, if it has one.
    arrival: when in a step spikes act: "before threshold" (default), as this library has it; "before reset" and "before
        flow", before the equations are solved, are for networks that Brian2 runs.
    simulated: False keeps the weights as a parameter only, for factors computed after the trial.
    """

    name: str
    source: str
    target: str
    weights: Weights = Field(default_factory=Normal)
    connectivity: Connectivity = Field(default_factory=AllToAll)
    delay: Delay = 0.0
    sign: Annotated[np.ndarray | None, BeforeValidator(_signs)] = None
    kind: Literal["spiking", "analog"] = "spiking"
    variable: str | None = None
    into: str | None = None
    every: Literal["step", "trial"] = "step"
    order: int = 0
    feedback: bool = False
    plastic: bool = False
    rule: str | None = None
    self_connections: bool = True
    bounds: Annotated[tuple[float | None, float | None], BeforeValidator(_bounds)] = (None, None)
    simulated: bool = True
    unit: str | None = None
    arrival: Literal["before threshold", "before reset", "before flow"] = "before threshold"

    @model_validator(mode="after")
    def _consistent(self) -> Projection:
        low, high = self.bounds
        if low is not None and high is not None and low > high:
            raise ValueError(f"bounds ({low:g}, {high:g}): the lowest weight must not exceed the highest")
        for sign, empty in ((-1, low is not None and low > 0), (1, high is not None and high < 0)):
            if empty and self.sign is not None and np.any(self.sign == sign):
                raise ValueError(f"bounds {self.bounds} leave no weight of the sign that is asked for")
        if (self.kind == "analog") != (self.variable is not None):
            raise ValueError("an analog projection needs the source's variable; a spiking one takes none")
        if self.kind == "spiking" and self.every == "trial":
            raise ValueError("every = 'trial' is for analog projections")
        if self.feedback and self.every != "trial":
            raise ValueError("feedback = True is for projections with every = 'trial'; others carry errors as they are")
        if self.kind == "analog" and self.delayed:
            raise ValueError("a delay is for spiking projections")
        return self

    @property
    def delayed(self) -> bool:
        """Whether any spike may act later than its latency says."""
        return isinstance(self.delay, UniformDelay) or bool(np.any(np.asarray(self.delay) > 0))

    @property
    def unequal_delays(self) -> bool:
        """Whether delays may differ between its synapses."""
        return isinstance(self.delay, UniformDelay) or np.ndim(self.delay) > 0

    def limits(self, pre: np.ndarray) -> tuple[float | np.ndarray | None, float | np.ndarray | None]:
        """(lowest, highest) weight of the synapses with these sources: a number for all, one for each, or None."""
        low, high = self.bounds
        if self.sign is None:
            return low, high
        sign = self._signs_of(pre)
        low, high = -np.inf if low is None else low, np.inf if high is None else high
        return np.maximum(np.where(sign > 0, 0.0, -np.inf), low), np.minimum(np.where(sign < 0, 0.0, np.inf), high)

    def signed(self, weights: np.ndarray, pre: np.ndarray) -> np.ndarray:
        """Weights (n_synapses,) with the sign they must have."""
        return weights if self.sign is None else self._signs_of(pre) * np.abs(weights)

    def _signs_of(self, pre: np.ndarray) -> np.ndarray:
        """One for all, (), or for each, (n_synapses,)."""
        assert self.sign is not None
        return self.sign[pre] if self.sign.ndim else self.sign


class ProjectionSettings(TypedDict, total=False):
    """The fields of a `Projection` that `Network.connect` takes, for type checkers and editors."""

    weights: Weights | float | np.ndarray | Sequence[Any]
    connectivity: Connectivity
    delay: Any
    sign: Literal["excitatory", "inhibitory"] | np.ndarray | Sequence[int] | None
    kind: Literal["spiking", "analog"]
    variable: str | None
    into: str | None
    every: Literal["step", "trial"]
    order: int
    feedback: bool
    plastic: bool
    rule: str | None
    self_connections: bool
    bounds: tuple[float | None, float | None]
    simulated: bool
    unit: str | None
    arrival: Literal["before threshold", "before reset", "before flow"]


class Wiring(Description):
    """The pairs of one projection. pre, post: (n_synapses,), int32, sorted by pre, then post; shape: (n_pre, n_post).

    delays: conduction delays (n_synapses,) in steps, int32; None where there are none.
    layout: which entries of the matrix exist: "full", all; "no-diagonal"; "sparse", some.

    >>> wiring = Wiring.of(np.array([0, 0, 1]), np.array([0, 2, 1]), (2, 3))
    >>> wiring.matrix(np.array([0.1, 0.2, 0.3]))
    array([[0.1, 0. , 0.2],
           [0. , 0.3, 0. ]])
    >>> wiring.fan_out()
    array([2, 1])
    """

    pre: np.ndarray
    post: np.ndarray
    shape: tuple[int, int]
    layout: Annotated[Literal["full", "no-diagonal", "sparse"], Field(description="which matrix entries exist")]
    delays: np.ndarray | None = None

    @classmethod
    def of(cls, pre: np.ndarray, post: np.ndarray, shape: tuple[int, int], delays: np.ndarray | None = None) -> Wiring:
        n_pre, n_post = shape
        full = pre.size == n_pre * n_post
        hollow = n_pre == n_post and pre.size == n_pre * (n_pre - 1) and not np.any(pre == post)
        layout = "full" if full else "no-diagonal" if hollow else "sparse"
        pre, post = pre.astype(np.int32, copy=False), post.astype(np.int32, copy=False)
        delays = None if delays is None else delays.astype(np.int32, copy=False)
        return cls(pre=pre, post=post, shape=shape, layout=layout, delays=delays)

    def entries(self, matrix: np.ndarray) -> np.ndarray:
        """The entries (n_synapses,) of a matrix (n_pre, n_post) where synapses exist, in their order."""
        if self.layout == "full":
            return matrix.reshape(-1)
        if self.layout == "no-diagonal":
            n = self.shape[0]
            return matrix.reshape(-1)[1:].reshape(n - 1, n + 1)[:, :-1].reshape(-1)
        return matrix[self.pre, self.post]

    def matrix(self, values: np.ndarray) -> np.ndarray:
        """Values (n_synapses,) as a matrix (n_pre, n_post), 0 where no synapse exists."""
        if self.layout == "full":
            return values.reshape(self.shape)
        matrix = np.zeros(self.shape)
        matrix[self.pre, self.post] = values
        return matrix

    def outer(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """source_i * target_j (n_synapses,) of each synapse, from values (n_pre,) and (n_post,)."""
        if self.layout == "sparse":
            return source[self.pre] * target[self.post]
        return self.entries(np.outer(source, target))

    @cached_property
    def starts(self) -> np.ndarray:
        """First synapse of each source neuron, and their number: (n_pre + 1,), int64."""
        return np.searchsorted(self.pre, np.arange(self.shape[0] + 1, dtype=self.pre.dtype))

    @cached_property
    def longest_delay(self) -> int:
        """Steps, 0 without delays."""
        return 0 if self.delays is None else int(self.delays.max(initial=0))

    def fan_out(self) -> np.ndarray:
        """Number of synapses of each source neuron (n_pre,)."""
        return np.diff(self.starts)
