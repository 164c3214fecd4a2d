"""From descriptions and injections to Brian2 objects: the only place that makes any."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from snnplast.brian import ArrayVariable, brian2
from snnplast.engine import BrianModel
from snnplast.errors import UserError, nearest
from snnplast.network.code import WrongCode
from snnplast.network.code_check import Scope, check_fragment
from snnplast.network.delays import delay_steps
from snnplast.network.fragments import FLAGS, Fragment, Injection, Value, clashes, merge, substitute
from snnplast.network.names import beside, unused
from snnplast.network.network import Network, Projection, Wiring
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.own_equations import Analog, OwnEquations
from snnplast.network.population import Population, SpikeSource
from snnplast.network.weights import Transposed
from snnplast.random_streams import WEIGHTS, stream
from snnplast.task.trial import Phase

TRIAL_EVENT = "trial"
"""Event of populations that act once per trial; it occurs while the shared variable `responding` is 1."""


@dataclass(frozen=True)
class Companion:
    """Neurons beside a population that carry traces of its spikes, `delay` steps after its latency."""

    source: str
    delay: int
    code: Fragment = field(default_factory=Fragment)


@dataclass
class Plan:
    """Everything that decides the Brian2 code: the network with all code merged, and which pairs are connected."""

    network: Network
    wiring: dict[str, Wiring]
    weights: dict[str, np.ndarray]
    populations: dict[str, Fragment] = field(default_factory=dict)
    synapses: dict[str, Fragment] = field(default_factory=dict)
    companions: dict[str, Companion] = field(default_factory=dict)
    gains: dict[str, str] = field(default_factory=dict)
    """Population -> constant that its weighted input is multiplied by, where there is one."""
    recorded: tuple[str, ...] = ()
    names: dict[str, dict[str, str]] = field(default_factory=dict)
    """Projection -> what its rule calls a variable that it records or reads -> 'owner.variable'."""

    @property
    def responding(self) -> dict[str, str]:
        """Populations with an event once per trial -> shared variable that is 1 while it occurs."""
        names = {p.source for p in self.network.projections.values() if p.every == "trial"}
        names |= {name for name, f in self.populations.items() if any(u.event == TRIAL_EVENT for u in f.updates)}
        return {name: unused("responding", self.populations[name].names(), "now") for name in sorted(names)}

    @cached_property
    def flags(self) -> dict[Phase, dict[str, str]]:
        """Phase -> populations, each with its shared variable that is 1 while the phase runs."""
        found: dict[Phase, dict[str, str]] = {"response": self.responding}
        for phase in ("work", "explore"):
            flag = FLAGS[phase]
            naming = (name for name, code in self.populations.items() if flag in code.identifiers() - code.names())
            found[phase] = dict.fromkeys(naming, flag)
        return found

    @property
    def gathered(self) -> list[str]:
        """Synaptic variables that are read after the trial: 'projection.variable'."""
        return [there for own in self.names.values() for name, there in own.items() if name.startswith("synapse.")]

    def tied(self) -> dict[str, tuple[str, np.ndarray]]:
        """Projection whose weights mirror another's -> (that one, which of its synapses each of these mirrors)."""
        return {
            name: (p.weights.of, np.lexsort((self.wiring[p.weights.of].pre, self.wiring[p.weights.of].post)))
            for name, p in self.network.projections.items()
            if isinstance(p.weights, Transposed)
        }

    def companion(self, projection: str) -> Companion | None:
        """Who carries the presynaptic state of a projection: a source has none, and delayed traces need their own."""
        source, delays = self.network.projections[projection].source, self.wiring[projection].delays
        if delays is None and not isinstance(self.network.populations[source], SpikeSource):
            return None
        return Companion(source, 0 if delays is None else int(delays[0]))


def companion_name(companion: Companion) -> str:
    """Name of the group of a companion."""
    return f"{companion.source}_traces" + (f"_{companion.delay}" if companion.delay else "")


def plan(
    network: Network,
    injections: Mapping[str, Injection],
    recorded: Sequence[str],
    seed: int,
) -> Plan:
    """Draw pairs and weights, and merge what rules inject into the code of populations and projections.

    injections: projection -> what its rule adds. recorded: neuron variables that are kept step by step beside what
    rules record. seed: every projection draws from (seed, its own name).
    Raises `UserError` where two pieces of code contradict each other.
    """
    wiring: dict[str, Wiring] = {}
    weights: dict[str, np.ndarray] = {}
    for name, p in network.projections.items():
        if isinstance(p.weights, Transposed):
            wiring[name], weights[name] = _mirrored(wiring[p.weights.of], weights[p.weights.of])
        else:
            wiring[name], weights[name] = _drawn(network, name, seed)
    merged = Plan(network, wiring, weights, recorded=tuple(dict.fromkeys(recorded)))
    kept: list[str] = []
    for name, population in network.populations.items():
        merged.populations[name] = _population(merged, name, population)
    for name, p in network.projections.items():
        injection = injections.get(name, Injection())
        called = injection.recorded
        beside = merged.companion(name)
        if beside and beside.delay:  # what comes late has a name of its own beside the population's
            injection = injection.renamed("pre", {old: f"{old}_{beside.delay}" for old in injection.pre.names()})
        key = companion_name(beside) if beside else p.source
        before = merged.companions[key].code if key in merged.companions else merged.populations.get(key, Fragment())
        present = {"pre": before, "post": merged.populations[p.target]}
        for location in ("pre", "post"):
            clashing = clashes(present[location], getattr(injection, location))
            _refuse_ambiguous(merged, name, p.target if location == "post" else p.source, clashing)
            injection = injection.renamed(location, {old: f"{old}_{name}" for old in clashing})
        if injection.pre != Fragment():
            _refuse_many_delays(name, wiring[name])
            code = merge(key, [before, injection.pre])
            if beside:
                merged.companions[key] = replace(beside, code=code)
            else:
                merged.populations[key] = code
        merged.populations[p.target] = merge(p.target, [merged.populations[p.target], injection.post])
        merged.synapses[name] = injection.synapse
        owner = {"pre": key, "post": p.target}
        placed = [f"{owner[location]}.{v}" for location, _, v in (known.partition(".") for known in injection.recorded)]
        kept += placed
        read = {f"synapse.{variable}": f"{name}.{variable}" for variable in injection.read}
        merged.names[name] = dict(zip(called, placed, strict=True)) | read
    merged.recorded = tuple(dict.fromkeys([*merged.recorded, *kept]))
    for name, p in network.projections.items():
        known = merged.populations[p.source].names()
        if p.simulated and p.variable is not None and p.variable not in known:
            hint = nearest(p.variable, known)
            raise UserError(f"network.{name}.variable = {p.variable!r}: {p.source!r} has no such variable; {hint}")
    _check_code(merged)
    return merged


def _check_code(merged: Plan) -> None:
    """All code makes sense together, also what was attached to populations."""
    scopes = {name: Scope.of(fragment) for name, fragment in merged.populations.items()}
    for name, fragment in merged.populations.items():
        flags = [own[name] for own in merged.flags.values() if name in own]
        around = Scope({*scopes[name].fixed, *flags}, scopes[name].variable)
        try:
            check_fragment(fragment, around)
        except WrongCode as error:
            raise UserError(f"network.{name}: {error}") from None


def _population(merged: Plan, name: str, population: Population) -> Fragment:
    """All code of a population but what rules inject, and the scale of its input."""
    network, described = merged.network, merged.network.described(name)
    if isinstance(population, OwnEquations):
        attached = frozenset().union(*(fragment.names() for fragment in network.attachments.get(name, ())))
        for word in sorted(population.own.names() & attached):
            raise UserError(f"network.{name}: {word!r} is what the learning rule calls a variable of its own there")
    gain = population.input_gain(network.dt)
    if not np.any(gain != 1.0):
        return described
    merged.gains[name] = unused("input_gain", described.names(), "of_projections")
    return merge(name, [described, Fragment(constants={merged.gains[name]: gain})])


def _refuse_out_of_bounds(projection: Projection, weights: np.ndarray) -> None:
    """Initial weights lie where learning keeps them."""
    low, high = (np.inf * sign if side is None else side for side, sign in zip(projection.bounds, (-1, 1), strict=True))
    if weights.min() < low or weights.max() > high:
        raise UserError(
            f"initial weights span {weights.min():.6g} to {weights.max():.6g}, beyond bounds = ({low:g}, {high:g}); "
            "weights within them are needed, such as Uniform(low=..., high=...)"
        )


def _drawn(network: Network, name: str, seed: int) -> tuple[Wiring, np.ndarray]:
    """Pairs and weights of a projection. What only the number of synapses can show to be wrong is said here."""
    p = network.projections[name]
    rng, later = (stream(seed, WEIGHTS, zlib.crc32(name.encode()), k) for k in (0, 1))
    shape = network.populations[p.source].size, network.populations[p.target].size
    try:
        pre, post = p.connectivity.pairs(rng, *shape, not p.self_connections)
        if not pre.size:
            raise UserError("no pair of neurons is connected; leave the projection out")
        wiring = Wiring.of(pre, post, shape, delay_steps(p.delay, later, pre.size, network.dt))
        weights = p.signed(p.weights.draw(rng, pre, post, shape), pre)
        _refuse_out_of_bounds(p, weights)
        return wiring, weights
    except UserError as error:
        raise UserError(f"network.{name}: {error}") from None


def _mirrored(wiring: Wiring, weights: np.ndarray) -> tuple[Wiring, np.ndarray]:
    """Pairs and weights of a projection the other way round."""
    order = np.lexsort((wiring.pre, wiring.post))
    return Wiring.of(wiring.post[order], wiring.pre[order], (wiring.shape[1], wiring.shape[0])), weights[order]


def _refuse_many_delays(projection: str, wiring: Wiring) -> None:
    if wiring.delays is not None and np.ptp(wiring.delays):
        raise UserError(
            f"network.{projection}: its rule keeps a trace per source neuron, which the delays of its synapses, "
            "that are not all the same, do not allow"
        )


def _refuse_ambiguous(merged: Plan, projection: str, population: str, clashing: Iterable[str]) -> None:
    """What clashes can be renamed in code, but not in the list of what is recorded: a population's own counts there."""
    own = {f"{population}.{variable}" for variable in merged.network.described(population).names()}
    for variable in clashing:
        if f"{population}.{variable}" in set(merged.recorded) - own:
            raise UserError(
                f"network.{projection}: its rule's {variable!r} differs from what {population!r} already calls so; "
                "the same settings for all rules of a population, or another name in record.variables, are allowed"
            )


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
        self.model.lasting = frozenset(self._lasting()) & self.model.variables.keys()

    def _source(self, name: str, size: int) -> None:
        # One dummy spike: the number of spikes would otherwise enter the generated code.
        group = brian2.SpikeGeneratorGroup(
            size, [0], [0] * brian2.second, name=name, clock=self.clock, when="start", order=-1
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
            if population.active:
                settings["refractory"] = "refractory_time"
        group = self._group(name, population.size, equations, fragment, events=events, **settings)
        if isinstance(population, SpikingPopulation):
            self.model.spiking[name] = group
        for parameter, value in population.parameters.items():
            self.model.initial[f"{name}.{parameter}"] = value
        self.model.initial |= {f"{name}.{v}": value for v, value in population.initial_values.items()}

    def _group(self, name: str, size: int, equations: list[str], fragment: Fragment, **settings) -> brian2.NeuronGroup:
        equations = equations + _constants(fragment)
        method = {"method": "exact"} if not isinstance(self.network.populations.get(name), Analog) else {}
        group = brian2.NeuronGroup(size, "\n".join(equations), clock=self.clock, name=name, **method, **settings)
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
        code = "\n".join(_post(line, companion.code.names()) for line in companion.code.on_spike)
        feed = name.replace("_traces", "_to_traces")
        synapses = self._synapses(feed, self.groups[companion.source], group, "", code)
        synapses.connect(i=np.arange(size), j=np.arange(size))
        synapses.pre.when = "after_groups"
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
        ends = self.plan.populations[projection.source].names() | self.plan.populations[projection.target].names()
        names = beside({"w", *described.names()}, ends, "synapse")
        fragment, w = described.renamed(names), names.get("w", "w")
        equations = [f"{w} : 1", *fragment.equations, *_constants(fragment)]
        if projection.kind == "analog" and projection.every == "step":
            equations.append(f"{into}_post = {w}*{projection.variable}_pre : 1 (summed)")
            synapses = self._synapses(name, source, target, equations, None)
            updater = synapses.summed_updaters[f"{into}_post"]
            updater.when, updater.order = "after_synapses", 3
        elif projection.kind == "analog":
            code = f"{into}_post = {into}_post + {w}*{projection.variable}_pre"
            synapses = self._synapses(name, source, target, equations, code, on_event=TRIAL_EVENT)
            synapses.pre.when, synapses.pre.order = "synapses", projection.order
        else:
            gain = self.plan.gains.get(projection.target)
            paths = {"pre": "\n".join([f"{into}_post += {f'{gain}_post*' if gain else ''}{w}", *fragment.on_arrival])}
            if fragment.on_spike:
                paths["learn"] = "\n".join(fragment.on_spike)
            synapses = self._synapses(name, source, target, equations, paths)
            synapses.pre.when = "synapses" if post.readout else "after_groups"
            if fragment.on_spike:
                synapses.learn.when, synapses.learn.order = "after_synapses", 5
        synapses.connect(i=wiring.pre, j=wiring.post)
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
        self.model.initial[f"{name}.w"] = self.plan.weights[name]

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
        pre, post = np.divmod(np.arange(size * size), size)
        synapses.connect(i=pre, j=post)
        for updater in synapses.summed_updaters.values():
            updater.when, updater.order = "after_synapses", 1

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
    update = re.fullmatch(r"_update_(\d+)", named.removeprefix(owner))
    shown = repr(code[owner].updates[int(update[1])].code) if update else "its code"
    return UserError(f"network{f'.{owner}' if owner else ''}: Brian2 refuses {shown}: {_one_line(error)}")


def _constants(fragment: Fragment) -> list[str]:
    return [
        f"{name} : {fragment.units.get(name, '1')} (constant{'' if np.ndim(value) else ', shared'})"
        for name, value in fragment.constants.items()
    ]


def _post(code: str, names: Iterable[str]) -> str:
    return substitute(code, {name: f"{name}_post" for name in names})


def _one_line(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())
