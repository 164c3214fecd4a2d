"""What of a plain Brian2 script learns, checked, and the description that learns the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snnplast.brian import (
    BrianNetwork,
    NeuronGroup,
    RuntimeDevice,
    Subgroup,
    Synapses,
    brian2,
    second,
)
from snnplast.errors import UserError, short, unknown
from snnplast.learning.capabilities import Assigns, Explores, Extends, Prepares
from snnplast.learning.rule import AfterTrial, Rule, WithinTrial
from snnplast.network import code
from snnplast.network.connectivity import ExplicitPairs
from snnplast.network.network import Network
from snnplast.network.population import LayerNorm, SpikeSource
from snnplast.network.weights import ExplicitWeights
from snnplast.training.brian_neurons import Neurons, Readout, unit_text
from snnplast.training.brian_synapses import Plastic, emitter, moment

SURROGATE = ("distance", "threshold_scale", "through", "derivatives")
"""What of neurons a script does not say, and `CustomNeurons` takes."""


class Script:
    """What of a script learns, checked."""

    def __init__(self, rule: Rule, network: Any, synapses: Any, readout: Any, namespace: Mapping[str, Any]) -> None:
        if not isinstance(rule, Rule):
            raise UserError(f"attach: rule = {short(rule)}: a rule, such as EProp(), is needed")
        if not isinstance(network, BrianNetwork):
            raise UserError(f"attach: network = {short(network)}: the Brian2 Network that runs is needed")
        if not isinstance(brian2.get_device(), RuntimeDevice):
            raise UserError("attach: Brian2's standalone mode runs once and as a whole; its runtime mode is needed")
        if not isinstance(rule, AfterTrial):
            does = "changes weights within a trial, which code of the script's own Synapses does"
            told = does if isinstance(rule, WithinTrial) else "learns without a gradient"
            raise UserError(
                f"attach: rule {rule.name!r} {told}; a rule that learns after the trial, such as EProp(), is needed"
            )
        if isinstance(rule, Extends | Prepares | Assigns):
            raise UserError(
                f"attach: rule {rule.name!r} needs more of the network, or changes weights without a gradient, and "
                "Brian2 runs the script; a rule of gradients alone, such as EProp(), is needed"
            )
        if rule.evaluation != "factored":
            raise UserError(f"attach: evaluation = {rule.evaluation!r}: 'factored', after each trial, is allowed")
        if isinstance(rule, Explores):
            raise UserError(
                f"attach: rule {rule.name!r} explores in steps of its own after a trial, and Brian2 runs the script"
            )
        if isinstance(synapses, Synapses) or not isinstance(synapses, Sequence) or not synapses:
            raise UserError(f"attach: synapses = {short(synapses)}: a list of Brian2's Synapses is needed")
        self.rule, self.network, self.readout = rule, network, readout
        for given in synapses:
            if not isinstance(given, Synapses):
                raise UserError(f"attach: synapses: {short(given)}: Brian2's Synapses are needed")
            self._refuse_ends(given)
        heard = {"all": (True, False), "hidden": (False,), "readouts": (True,)}[rule.learns]
        learnt = [s for s in synapses if (s.target is readout) in heard]
        if not learnt:
            raise UserError(
                f"attach: rule {rule.name!r} learns synapses onto {rule.learns} only, and none of these is one"
            )
        groups = {group.name: group for s in learnt for group in (s.source, s.target)}
        groups |= {} if readout is None else {readout.name: readout}
        self.dt = _refuse_other_timing(network, [*groups.values(), *(s.pre for s in learnt)])
        self.groups = {s.source.name: s.source for s in learnt}
        self.neurons: dict[str, Neurons] = {}
        self.plastic: dict[str, Plastic] = {}
        for s in learnt:
            plastic = self.plastic[s.name] = Plastic(s, {**namespace, **s.namespace}, self.dt)
            if s.target is not readout:
                self.groups[s.target.name] = s.target
            if s.target.name not in self.neurons:
                kind = Readout if s.target is readout else Neurons
                self.neurons[s.target.name] = kind(s.target, plastic.into, {**namespace, **s.target.namespace})
            if s.target is readout and plastic.into != (others := self.neurons[s.target.name].into):
                raise UserError(
                    f"attach: {s.name} adds to {plastic.into!r}, others to {others!r}; one activity is allowed"
                )
        if readout is not None and readout.name not in self.neurons:
            self.neurons[readout.name] = Readout(readout, _activity(readout), namespace)
        self.scale: dict[str, np.ndarray] = {}

    def _refuse_ends(self, given: Any) -> None:
        place = f"attach: {given.name}"
        if given not in self.network.objects:
            raise UserError(f"{place}: it is not in the network, and would not run")
        for end, group in (("source", given.source), ("target", given.target)):
            if isinstance(group, Subgroup):
                raise UserError(f"{place}: its {end} {group.name!r} is part of a group; a whole one is needed")
        if not isinstance(given.target, NeuronGroup):
            raise UserError(f"{place}: its target {given.target.name!r} is no NeuronGroup")
        spikes = "spike" in given.target.events
        if given.target is self.readout and spikes:
            raise UserError(
                f"{place}: the readout {self.readout.name!r} spikes; neurons without a threshold are needed"
            )
        if given.target is not self.readout and not spikes:
            raise UserError(
                f"{place}: its target {given.target.name!r} does not spike; readout=... says what it is for"
            )

    def described(
        self,
        representation: LayerNorm | None,
        bounds: Mapping[str, Any],
        surrogates: Mapping[str, Mapping[str, Any]],
    ) -> Network:
        """The network that learns the same: groups whose weights stay as they are show their spikes as sources."""
        for name in bounds:
            if name not in self.plastic:
                raise UserError(f"attach: bounds: {unknown('name of synapses', name, self.plastic)}")
        for name, settings in surrogates.items():
            if name not in self.neurons or self.neurons[name].group is self.readout:
                raise UserError(f"attach: surrogates: {unknown('name of neurons', name, self.neurons)}")
            for key in settings:
                if key not in SURROGATE:
                    raise UserError(f"attach: surrogates[{name!r}]: {unknown('setting', key, SURROGATE)}")
        network = Network(dt=f"{self.dt!r} second")
        for name, group in self.groups.items():
            known = self.neurons.get(name)
            network.add(
                name, SpikeSource(group.N) if known is None else known.described(representation, surrogates.get(name))
            )
        if self.readout is not None and self.readout.name in self.neurons:
            network.add(self.readout.name, self.neurons[self.readout.name].described(None))
        for name, s in self.plastic.items():
            source, target = s.synapses.source.name, s.synapses.target.name
            factor, arrival, late = s.arrives(self.neurons[target])
            _refuse_early_updates(name, s, self.neurons[target], arrival)
            described = network.populations[target]
            emitted = not isinstance(network.populations[source], SpikeSource)
            late -= int(emitted and not described.readout and arrival != "before reset")
            steps = s.delays + late
            if steps.min() < 0:
                raise UserError(f"attach: {name}: spikes act in the step they come from; a step later is needed")
            network.connect(
                source,
                target,
                name=name,
                connectivity=ExplicitPairs(pre=s.pre, post=s.post),
                weights=ExplicitWeights(values=s.values),
                delay=(steps[0] if np.ptp(steps) == 0 else steps) * self.dt * second,
                into=s.into,
                unit=_si(self.neurons[target].group.user_equations[s.into].dim),
                arrival=arrival,
                bounds=bounds.get(name, (None, None)),
                plastic=True,
            )
            scale = np.broadcast_to(factor / described.input_gain(self.dt), (described.size,))
            self.scale[name] = scale[s.post]
        return network

    def refuse_changed(self) -> None:
        """What was described is still so."""
        for known in (*self.neurons.values(), *self.plastic.values()):
            known.refuse_changed()


def _refuse_early_updates(name: str, plastic: Plastic, target: Neurons, arrival: str) -> None:
    """Spikes that count in a step's threshold arrive before the updates of that step change a state."""
    states = {e.varname for e in target.group.user_equations.values() if e.type == "differential equation"}
    for update in target.updates if arrival == "before threshold" else ():
        changed = states & {statement.target for statement in code.statements(update.code)}
        placed = code.SLOTS.index(update.when), update.order
        if changed and placed < moment(plastic.synapses.pre)[:2]:
            raise UserError(
                f"attach: {name}: its spikes arrive after {update.code!r} has changed {min(changed)!r}; a higher order "
                "of that code is needed"
            )


def _si(dimension: Any) -> str | None:
    """The SI unit of a variable; None where it has none."""
    return None if dimension.is_dimensionless else unit_text(dimension)


def _activity(readout: Any) -> str:
    """The variable of a readout that no synapses learn to change."""
    found = [e.varname for e in readout.user_equations.values() if e.type == "differential equation"]
    if len(found) != 1:
        raise UserError(
            f"attach: readout {readout.name!r} has {len(found)} equations such as dy/dt = -y/tau; one is needed"
        )
    return found[0]


def _refuse_other_timing(network: BrianNetwork, groups: Sequence[Any]) -> float:
    """The one time step (s) of what learns. Raises `UserError` for several, and for slots of the script's own."""
    steps = {group.name: float(emitter(group).clock.dt / brian2.second) for group in groups}
    if len(set(steps.values())) != 1:
        shown = ", ".join(f"{name}: {1e3 * dt:g} ms" for name, dt in steps.items())
        raise UserError(f"attach: several time steps ({shown}); one for all that learns is needed")
    if network.schedule != ["start", "groups", "thresholds", "synapses", "resets", "end"]:
        raise UserError(f"attach: network.schedule = {network.schedule}: Brian2's own is needed")
    return next(iter(steps.values()))
