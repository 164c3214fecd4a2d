"""What Brian2 leaves of a trial that it runs itself: monitors beside a script's objects, read as an engine is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from snnplast.brian import BrianNetwork, brian2
from snnplast.engine import Engine
from snnplast.errors import UserError
from snnplast.network import slots
from snnplast.network.fragments import Fragment, Update, constant_equations
from snnplast.simulation.plan import Plan
from snnplast.task.trial import Spikes
from snnplast.training.brian_neurons import Neurons


class Witness(Engine):
    """Keeps spikes, and the variables that learning needs, of the trials that a Brian2 network runs.

    sources: groups whose spikes are kept, by name. neurons: those whose membrane is known, with the readout; added:
    what a rule adds to each. values: weights by 'projection.w'.
    """

    def __init__(
        self,
        network: BrianNetwork,
        plan: Plan,
        sources: Mapping[str, Any],
        neurons: Mapping[str, Neurons],
        values: Mapping[str, np.ndarray],
    ) -> None:
        self.network, self.values = network, values
        self.taken = self.began = self.kept = 0
        self._spikes = {
            name: brian2.SpikeMonitor(group, when="end", name=f"{name}_seen*") for name, group in sources.items()
        }
        self._states: dict[str, tuple[Any, str]] = {}
        self._others: list[Any] = []
        self._groups: dict[str, Any] = {}
        for name in plan.recorded:
            owner, _, variable = name.partition(".")
            self._states[name] = (
                self._readout(neurons[owner])
                if variable == "y"
                else self._beside(plan, owner, variable, neurons[owner])
            )
        self.objects = [*self._spikes.values(), *(monitor for monitor, _ in self._states.values()), *self._others]
        self.clock = next(iter(neurons.values())).group.clock
        self.dt = float(self.clock.dt / brian2.second)
        network.add(*self.objects)
        self.watch(False)

    def _readout(self, neurons: Neurons) -> tuple[Any, str]:
        """Its activity at the end of each step."""
        return self._monitor(neurons.group, neurons.into, "end", 10**6), neurons.into

    def _monitor(self, group: Any, variable: str, when: str, order: int) -> Any:
        return brian2.StateMonitor(
            group,
            variable,
            record=True,
            clock=group.clock,
            when=when,
            order=order,
            name=f"{group.name}_{variable}_seen*",
        )

    def _beside(self, plan: Plan, owner: str, variable: str, neurons: Neurons) -> tuple[Any, str]:
        """A variable that a rule adds to neurons, in a group beside theirs."""
        if owner not in self._groups:
            self._groups[owner] = self._added(plan, owner, variable, neurons)
        return self._monitor(self._groups[owner], variable, "end", 10**6), variable

    def _added(self, plan: Plan, owner: str, variable: str, neurons: Neurons) -> Any:
        """A group of all that a rule adds to neurons: it is worked out where these are in a step."""
        own, merged, group = plan.network.described(owner), plan.populations[owner], neurons.group
        updates = [u for u in merged.updates if u not in own.updates]
        equations = [line for line in merged.equations if line not in own.equations]
        added = Fragment(tuple(equations))
        if (
            variable not in added.names()
            or set(merged.constants) - set(own.constants)
            or merged.on_spike != own.on_spike
        ):
            raise UserError(f"attach: {owner}: what the rule adds to its neurons is more than code run at every step")
        whole = Fragment(updates=tuple(updates)).identifiers() - added.names()
        _refuse_moving(owner, added)
        needed = sorted(whole & own.constants.keys() - group.variables.keys())
        outside = {name: neurons.constants[name] for name in needed if name in neurons.constants}
        fixed = {name: own.constants[name] for name in needed if name not in outside}
        beside = brian2.NeuronGroup(
            group.N,
            "\n".join([*equations, *constant_equations(Fragment(constants=fixed, units=own.units))]),
            clock=group.clock,
            name=f"{owner}_beside*",
            namespace={**own.functions, **outside},  # the script's own: Brian2 would warn of a second one
        )
        for name, value in fixed.items():
            beside.variables[name].set_value(value)
        for name in sorted(whole & group.variables.keys() - beside.variables.keys()):
            beside.variables.add_reference(name, group, name, index="0" if group.variables[name].scalar else "_idx")
        for update in updates:
            when, order = self._moment(update, group)
            beside.run_regularly(update.code, clock=group.clock, when=when, order=cast(int, order))
        self._others.append(beside)
        return beside

    def _moment(self, update: Update, group: Any) -> tuple[str, float]:
        """Where in a step of the script an update runs."""
        flow, threshold = group.state_updater, group.thresholder["spike"]
        if (update.when, update.order) == slots.BEFORE:
            return flow.when, flow.order - 1
        if (update.when, update.order) == slots.FLOW:
            return flow.when, flow.order + 1
        if (
            update.when,
            update.order,
        ) == slots.ARRIVED:  # after spikes of order -1, Brian2's own, before code of order 0
            return update.when, update.order + 0.5
        if (update.when, update.order) == slots.SURROGATE:
            return threshold.when, threshold.order - 2
        return update.when, update.order

    def watch(self, watching: bool) -> None:
        """Begin a trial, from nothing, or stop watching."""
        for monitor in self._spikes.values():
            monitor.variables["N"].set_value(0)
            monitor.resize(0)
        for monitor, _ in self._states.values():
            monitor.resize(0)
        for seen in self.objects:
            seen.active = watching
        if watching:
            self.began = self._now()

    def _now(self) -> int:
        return int(np.rint(float(self.network.t / brian2.second) / self.dt))

    def take(self) -> int:
        """Keep what there is since the trial began; returns its steps."""
        if float(self.clock.dt / brian2.second) != self.dt:
            raise UserError(
                f"attach: dt was {1e3 * self.dt:g} ms; detach() and attach() again are needed after it changes"
            )
        self.kept = self._now() - self.began
        self._seen = {name: self._events(monitor) for name, monitor in self._spikes.items()}
        self._histories = {
            name: monitor.variables[variable].get_value().copy() for name, (monitor, variable) in self._states.items()
        }
        for name, rows in self._histories.items():
            if len(rows) != self.kept:
                raise UserError(
                    f"attach: {name} was seen in {len(rows)} of {self.kept} steps: the whole trial is needed"
                )
        return self.kept

    def _events(self, monitor: Any) -> Spikes:
        times, indices = (monitor.variables[name].get_value() for name in ("t", "i"))
        return np.rint(times / self.dt).astype(np.int64) - self.began, indices.astype(np.int64)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[name]

    @property
    def t(self) -> int:
        return self.taken

    def set_spikes(self, source: str, steps: np.ndarray, indices: np.ndarray) -> None:
        """They are those that were seen."""

    def set_series(self, name: str, values: np.ndarray) -> None:
        if name.partition(".")[2].startswith("noise_"):  # the script draws it, and nothing that is learned reads it
            return
        raise UserError(f"attach: {name} is to change step by step, and the script runs by itself")

    def steps(self, n: int) -> None:
        self.taken += n

    def stop(self) -> None:
        """Nothing runs here: Brian2's own stop() ends a run."""

    @property
    def history(self) -> Mapping[str, np.ndarray]:
        return self._histories

    def spikes(self, population: str) -> Spikes:
        return self._seen[population]

    def reset(self) -> None:
        self.taken = 0

    def proceed(self) -> None:
        raise UserError("attach: the script says how long each trial is; runs without trials are the library's own")

    def state(self) -> dict[str, np.ndarray]:
        raise UserError("attach: the state of a script is Brian2's: its network.store() keeps it")

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        raise UserError("attach: the state of a script is Brian2's: its network.restore() brings it back")

    def clone(self) -> Engine:
        raise UserError("attach: the objects of a script are there once")

    def close(self) -> None:
        self.network.remove(*self.objects)


def _refuse_moving(owner: str, added: Fragment) -> None:
    """What the rule adds is worked out before the neurons spike: a reset must do then what it does afterwards."""
    if any(name.startswith(("reset_", "kick_")) for name in added.names()):
        raise UserError(
            f"attach: {owner}: what its reset does depends on the state, which spikes may change between threshold and "
            "reset; a reset by constants is allowed"
        )
