"""Synapses of a plain Brian2 script, described: what a rule needs to know of them, or why it cannot.

Nothing of the script is changed. Where in a step things happen is read from its objects:

    share of a weight   1 where a spike arrives between the decay of its target and that target's threshold, else alpha
    latency             a step where the spike arrives before its source emits, and one where it is after the threshold
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from snnplast.brian import (
    DEFAULT_UNITS,
    Quantity,
    Synapses,
    str_to_sympy,
)
from snnplast.errors import UserError, short
from snnplast.learning.chain import Point
from snnplast.learning.membrane import names, value
from snnplast.network import code
from snnplast.training.brian_neurons import Neurons, Readout


def moment(runner: Any) -> tuple[int, int, str]:
    """When in a step a Brian2 object runs."""
    return code.SLOTS.index(runner.when), runner.order, runner.name


@dataclass
class Plastic:
    """Synapses of the script that learn. weight: its name there. dt: the time step (s).

    order: the place of each of its synapses when sorted by source, then target; pre, post: their ends in that order.
    """

    synapses: Any
    namespace: Mapping[str, Any]
    dt: float

    def __post_init__(self) -> None:
        s, place = self.synapses, f"attach: {self.synapses.name}"
        if not isinstance(s, Synapses):
            raise UserError(f"attach: synapses: {short(s)}: Brian2's Synapses are needed")
        if [path.objname for path in s._pathways] != ["pre"] or s.pre.event != "spike" or s.summed_updaters:
            raise UserError(
                f"{place}: one on_pre, such as 'v_post += w', and nothing else that its spikes do, is needed"
            )
        if s.state_updater is not None or s.event_driven or any(e.type != "parameter" for e in s.equations.values()):
            raise UserError(f"{place}: it has equations of its own; a weight, 'w : 1', is needed")
        written = code.statements(s.pre.code)
        weights = [name for name, e in s.equations.items() if "shared" not in e.flags]
        if len(written) != 1 or written[0].operator != "+=" or len(weights) != 1:
            raise UserError(
                f"{place}: on_pre = {s.pre.code!r}: one weight and one statement, 'v_post += w', are needed"
            )
        self.weight, self.into = weights[0], written[0].target.removesuffix("_post")
        if not s.equations[self.weight].dim.is_dimensionless:
            raise UserError(
                f"{place}: {self.weight!r} has a unit; a weight without one, times a constant that has, as in "
                f"'{self.into}_post += {self.weight}*constant', is needed"
            )
        given, own = str_to_sympy(ast.unparse(written[0].value)), sympy.Symbol(self.weight, real=True)
        slope = sympy.simplify(sympy.diff(given, own))
        known = {name: np.asarray(self.namespace[name]) for name in names(slope) if _number(self.namespace.get(name))}
        if sympy.simplify(given - slope * own) != 0 or not names(slope) <= {*known, "dt", *DEFAULT_UNITS}:
            raise UserError(f"{place}: on_pre = {s.pre.code!r}: a constant times {self.weight!r} is needed")
        self.factor = float(value(place, slope, {"dt": self.dt, **known}))
        if not len(s):
            raise UserError(f"{place}: no pair of neurons is connected; connect() comes before attach()")
        self.pre, self.post, self.delays = self._wiring()
        self.order = np.lexsort((self.post, self.pre))
        self.pre, self.post, self.delays = (a[self.order] for a in (self.pre, self.post, self.delays))
        if np.any((np.diff(self.pre) == 0) & (np.diff(self.post) == 0)):
            raise UserError(f"{place}: some pair of neurons has two synapses; one is allowed")

    def _wiring(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        variables = self.synapses.variables
        pre, post = (variables[f"_synaptic_{end}"].get_value().astype(np.int64) for end in ("pre", "post"))
        delays = np.floor(self.synapses.pre.variables["delay"].get_value() / self.dt + 0.5).astype(np.int64)
        return pre, post, np.broadcast_to(delays, pre.shape)

    def refuse_changed(self) -> None:
        """Pairs and delays are as they were described."""
        now = self._wiring()
        same = now[0].shape == self.pre.shape and all(
            np.array_equal(a[self.order], b) for a, b in zip(now, (self.pre, self.post, self.delays), strict=True)
        )
        if not same:
            raise UserError(
                f"attach: {self.synapses.name}: its pairs or delays have changed since; detach() and attach() again "
                "are needed"
            )

    def arrives(self, target: Neurons) -> tuple[float | np.ndarray, Point, int]:
        """What a weight of 1 adds in SI units, where in a step spikes arrive at their target, and how many steps later.

        What arrives at a readout before its equations are solved has decayed when it is read.
        """
        arrival, group = moment(self.synapses.pre), target.group
        late = int(arrival < moment(emitter(self.synapses.source)))
        solved = arrival < moment(group.state_updater)
        if isinstance(target, Readout):
            return (
                self.factor * (np.exp(-self.dt / np.asarray(target.tau)) if solved else 1.0),
                "before threshold",
                late,
            )
        if solved:
            return self.factor, "before flow", late
        if arrival < moment(group.thresholder["spike"]):
            return self.factor, "before threshold", late
        reset = getattr(group, "resetter", {}).get("spike")
        if reset is None or arrival < moment(reset):
            return self.factor, "before reset", late
        return self.factor, "before flow", late + 1

    @property
    def values(self) -> np.ndarray:
        """The weights as they are, by source, then target."""
        return self.synapses.variables[self.weight].get_value()[self.order].astype(float)

    def write(self, values: np.ndarray) -> None:
        """Give the synapses these weights, by source, then target."""
        self.synapses.variables[self.weight].get_value()[self.order] = values


def emitter(group: Any) -> Any:
    """What makes a group spike: its threshold, or itself where it has none."""
    return getattr(group, "thresholder", {}).get("spike", group)


def _number(given: Any) -> bool:
    return isinstance(given, Quantity | int | float | np.number) and np.ndim(given) == 0
