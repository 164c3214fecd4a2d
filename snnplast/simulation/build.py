"""From descriptions and injections to Brian2 objects: the only place that makes those of a described network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from snnplast.brian import ArrayVariable, Function, Quantity, TimedArray, brian2
from snnplast.engine import BrianModel
from snnplast.engine.internals import connect
from snnplast.errors import UserError
from snnplast.network import slots
from snnplast.network.code import equation
from snnplast.network.fragments import Fragment, Value, constant_equations, substitute
from snnplast.network.integration import refused_by_method
from snnplast.network.names import beside
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.own_equations import Analog
from snnplast.network.population import SpikeSource
from snnplast.network.projection import Projection
from snnplast.simulation.plan import TRIAL_EVENT, Plan, companion_name

AT_ONCE = 0 * brian2.second
"""A delay: one for all synapses, where Brian2 would otherwise keep one for each."""


def construct(plan: Plan) -> Callable[[], BrianModel]:
    """A function that makes the Brian2 objects of a plan under whichever Brian2 device is active."""
    return lambda: _Builder(plan).model


class _Builder:
    """Makes the objects of one network, in a fixed order and with explicit names."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.network = plan, plan.network
        self.clock = brian2.Clock(self.network.dt * brian2.second, name="clock")
        self.objects: list[brian2.BrianObject] = []
        self.groups: dict[str, brian2.Group] = {}
        self.model = BrianModel(brian2.Network(name="network"), {}, recorded=plan.recorded)
        for name, population in self.network.populations.items():
            with _told(name):
                self._source(name, population.size) if isinstance(population, SpikeSource) else self._neurons(name)
        for name in plan.companions:
            with _told(plan.companions[name].source):
                self._companion(name)
        for name, projection in self.network.projections.items():
            if projection.simulated:
                with _told(name):
                    self._projection(name, projection)
        for name in plan.network.attachments:
            self._normaliser(name)
        self.model.network.add(*self.objects)
        self.model.backwards = plan.backwards
        self.model.lasting = frozenset(self._lasting()) & self.model.variables.keys()

    def _source(self, name: str, size: int) -> None:
        # One dummy spike: the number of spikes would otherwise enter the generated code.
        when, order = slots.SOURCES
        group = brian2.SpikeGeneratorGroup(
            size, [0], [0] * brian2.second, name=name, clock=self.clock, when=when, order=order
        )
        self.groups[name] = self.model.sources[name] = group
        self.objects.append(group)

    def _neurons(self, name: str) -> None:
        population, fragment = self.network.populations[name], self.plan.populations[name]
        equations = [*fragment.equations]
        events: dict[str, str] = {}
        equations += [f"{flags[name]} : 1 (shared)" for flags in self.plan.flags.values() if name in flags]
        if name in self.plan.responding:
            responding = self.plan.responding[name]
            clocked = sum(update.event is not None for update in fragment.updates)
            events = {_event(k): f"{responding} > 0" for k in range(max(clocked, 1))}
        settings = {}
        if isinstance(population, SpikingPopulation):
            settings = {"threshold": population.threshold, "reset": "\n".join(fragment.on_spike) or None}
            if population.refractory_code:
                settings["refractory"] = population.refractory_code
        group = self._group(name, population.size, equations, fragment, events=events, **settings)
        if isinstance(population, SpikingPopulation):
            self.model.spiking[name] = group
        for parameter, value in population.parameters.items():
            self.model.initial[f"{name}.{parameter}"] = value
        self.model.initial |= {f"{name}.{v}": value for v, value in self.plan.starts[name].items()}
        self.model.initial |= {key: value for key, value in self.plan.learnt.items() if key.startswith(f"{name}.")}

    def _group(self, name: str, size: int, equations: list[str], fragment: Fragment, **settings) -> brian2.NeuronGroup:
        equations = equations + constant_equations(fragment)
        population = self.network.populations.get(name)
        calls = {word: _named(f"{name}_{word}", function) for word, function in fragment.functions.items()}
        method = {} if isinstance(population, Analog) else {"method": "exact"}
        if isinstance(population, SpikingPopulation):
            method = {"method": population.integration}
        group = brian2.NeuronGroup(
            size, "\n".join(equations), clock=self.clock, name=name, namespace=calls, **method, **settings
        )
        clocked = 0
        for k, update in enumerate(fragment.updates):
            timing = {"when": update.when, "order": update.order}
            if update.event is None:
                group.run_regularly(update.code, clock=self.clock, name=f"{name}_update_{k}", **timing)
            else:
                group.run_on_event(_event(clocked), update.code, **timing)
                clocked += 1
        self.groups[name] = group
        shown = [*fragment.names(), *(own[name] for own in self.plan.flags.values() if name in own)]
        self._publish(name, group, fragment.constants, dict(zip(shown, shown, strict=True)))
        self.objects.append(group)
        return group

    def _companion(self, name: str) -> None:
        """Neurons beside a source that carry its traces: a spike generator has no state."""
        companion, size = self.plan.companions[name], self.network.populations[self.plan.companions[name].source].size
        group = self._group(name, size, list(companion.code.equations), companion.code)
        if not companion.code.on_spike:
            return
        code = "\n".join(_post(line, companion.code.names()) for line in companion.code.on_spike)
        feed = name.replace("_traces", "_to_traces")
        synapses = self._synapses(feed, self.groups[companion.source], group, "", code)
        connect(synapses, np.arange(size, dtype=np.int32), np.arange(size, dtype=np.int32))
        synapses.pre.when, synapses.pre.order = slots.PRESYNAPTIC
        if companion.delay:
            self._delay(feed, synapses, np.full(size, companion.delay))

    def _delay(self, name: str, synapses: brian2.Synapses, steps: np.ndarray) -> None:
        self.model.variables[f"{name}.delay"] = synapses.pre.variables["delay"]
        self.model.initial[f"{name}.delay"] = steps * self.network.dt

    def _projection(self, name: str, projection: Projection) -> None:
        source, target = self.groups[projection.source], self.groups[projection.target]
        post = self.network.populations[projection.target]
        wiring, into = self.plan.wiring[name], projection.into or post.input_variable_name
        described = self.plan.synapses[name]
        if projection.arrival != "before threshold":
            raise UserError(f"network.{name}.arrival = {projection.arrival!r}: spikes arrive before the threshold here")
        ends = self.plan.populations[projection.source].names() | self.plan.populations[projection.target].names()
        names = beside({"w", *described.names()}, ends, "synapse")
        fragment, w = described.renamed(names), names.get("w", "w")
        equations = [f"{w} : 1", *fragment.equations, *constant_equations(fragment)]
        scale, unit = self.network.weight_scale(projection)
        weight = w if unit == "1" else f"{w}*({scale!r}*{unit})"
        if projection.kind == "analog" and projection.every == "step":
            declared = self._unit(projection.target, into or "")
            equations.append(f"{into}_post = {weight}*{projection.variable}_pre : {declared} (summed)")
            synapses = self._synapses(name, source, target, equations, None)
            updater = synapses.summed_updaters[f"{into}_post"]
            updater.when, updater.order = slots.FEEDBACK
        elif projection.kind == "analog":
            code = f"{into}_post = {into}_post + {weight}*{projection.variable}_pre"
            synapses = self._synapses(name, source, target, equations, code, on_event=TRIAL_EVENT, delay=AT_ONCE)
            when, first = slots.FEEDBACK if projection.feedback else slots.CARRYING
            synapses.pre.when, synapses.pre.order = when, first + projection.order
        else:
            gain = self.plan.gains.get(projection.target)
            added = f"{gain}_post*{weight}" if gain else weight
            paths = {"pre": "\n".join([f"{into}_post += {added}", *fragment.on_arrival])}
            if fragment.on_spike:
                paths["learn"] = "\n".join(fragment.on_spike)
            after = "\n".join(fragment.on_post) or None
            at_once = {*paths, "post"} if after else {*paths}
            if wiring.delays is not None:
                at_once.remove("pre")
            delay = dict.fromkeys(sorted(at_once), AT_ONCE)
            synapses = self._synapses(name, source, target, equations, paths, on_post=after, delay=delay)
            synapses.pre.when, synapses.pre.order = slots.READING if post.readout else slots.ARRIVALS
            if after:
                synapses.post.when, synapses.post.order = slots.POSTSYNAPTIC
            if fragment.on_spike:
                synapses.learn.when, synapses.learn.order = slots.TRACES
        connect(synapses, wiring.pre, wiring.post)
        if wiring.delays is not None:
            self._delay(name, synapses, wiring.delays)
        companion = self.plan.companion(name)
        if companion and companion_name(companion) in self.plan.companions:
            self._refer_to_companion(synapses, companion_name(companion))
        for k, update in enumerate(fragment.updates):
            synapses.run_regularly(
                update.code, when=update.when, order=update.order, clock=self.clock, name=f"{name}_update_{k}"
            )
        known = {names.get(own, own): own for own in ("w", *described.names())}
        self._publish(name, synapses, described.constants, known)
        for end in ("_pre", "_post"):
            self.model.variables[f"{name}.{end}"] = synapses.variables[f"_synaptic{end}"]
        self.model.initial[f"{name}.w"] = self.plan.weights[name]

    def _unit(self, population: str, variable: str) -> str:
        """The unit that a population's equations declare for a variable."""
        declared = map(equation, self.plan.populations[population].equations)
        return next((e.unit for e in declared if e.name == variable), "1")

    def _synapses(self, name: str, source, target, equations, on_pre, **settings) -> brian2.Synapses:
        model = equations if isinstance(equations, str) else "\n".join(equations)
        synapses = brian2.Synapses(source, target, model, on_pre=on_pre, clock=self.clock, name=name, **settings)
        self.objects.append(synapses)
        return synapses

    def _refer_to_companion(self, synapses: brian2.Synapses, name: str) -> None:
        traces = self.plan.companions[name].code
        for variable in traces.names() - traces.constants.keys():
            synapses.variables.add_reference(f"{variable}_pre", self.groups[name], variable, index="_presynaptic_idx")

    def _normaliser(self, readout: str) -> None:
        """The sums over a readout that its softmax needs: a projection of the readout onto itself, of all to all."""
        if "inverse_softmax" not in self.plan.populations[readout].names():
            return
        group = self.groups[readout]
        sums = ["inverse_softmax_post = exp(y_pre - y_post) : 1 (summed)", "target_sum_post = target_pre : 1 (summed)"]
        synapses = self._synapses(f"{readout}_sum", group, group, sums, None)
        size = self.network.populations[readout].size
        connect(synapses, *np.divmod(np.arange(size * size, dtype=np.int32), size))
        for updater in synapses.summed_updaters.values():
            updater.when, updater.order = slots.SUMS

    def _publish(
        self, owner: str, group: brian2.Group, constants: Mapping[str, Value], known: Mapping[str, str]
    ) -> None:
        """Show variables of a group. known: the names they have in Brian2 -> those under which they are shown."""
        for name, variable in group.variables.items():
            own = isinstance(variable, ArrayVariable) and getattr(variable.owner, "name", None) == group.name
            if own and name in known:
                self.model.variables[f"{owner}.{known[name]}"] = variable
        for name, value in constants.items():
            self.model.initial[f"{owner}.{name}"] = value

    def _lasting(self) -> Iterable[str]:
        for name, population in self.network.populations.items():
            yield from (f"{name}.{variable}" for variable in (*population.parameters, *population.lasting))
        for name in self.network.projections:
            yield f"{name}.w"
        yield from self.plan.learned


def _named(name: str, function: Function) -> Function:
    """The function, a time array under a name that is the same in every process: generated code holds it."""
    if not isinstance(function, TimedArray):
        return function
    values = Quantity(function.values, dim=function.dim)
    return TimedArray(values, function.dt * brian2.second, name=name)


def _event(k: int) -> str:
    """Name of the event of the k-th piece of code that runs once per trial: Brian2 takes one piece for each event."""
    return f"{TRIAL_EVENT}_{k}" if k else TRIAL_EVENT


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What Brian2 finds wrong with the code of a population or projection is one sentence."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # Brian2 has no common class for it
        raise UserError(f"network.{name}: Brian2 refuses its code: {_one_line(error)}") from error


def refusal(plan: Plan, error: BaseException) -> UserError:
    """The sentence for what Brian2 finds wrong when it prepares to run, such as a wrong unit."""
    match = re.search(r"object named '(\w+)'", str(error))
    named = match[1] if match else ""
    code = {name: plan.companions[name].code for name in plan.companions} | plan.populations | plan.synapses
    owner = max((name for name in code if named.startswith(name)), key=len, default="")
    population = plan.network.populations.get(owner)
    if isinstance(population, SpikingPopulation) and (told := refused_by_method(population.integration, error)):
        return UserError(f"network.{owner}: {told}")
    update = re.fullmatch(r"_update_(\d+)", named.removeprefix(owner))
    shown = repr(code[owner].updates[int(update[1])].code) if update else "its code"
    return UserError(f"network{f'.{owner}' if owner else ''}: Brian2 refuses {shown}: {_one_line(error)}")


def _post(code: str, names: Iterable[str]) -> str:
    return substitute(code, {name: f"{name}_post" for name in names})


def _one_line(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())
