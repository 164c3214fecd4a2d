"""What decides the Brian2 code of an experiment: pairs, weights, and all code merged; no Brian2 object yet."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from snnplast.errors import UserError, nearest
from snnplast.network.code import WrongCode
from snnplast.network.code_check import Scope, check_fragment
from snnplast.network.delays import delay_steps
from snnplast.network.fragments import FLAGS, LEARNING, Fragment, Injection, Value, clashes, merge
from snnplast.network.names import unused
from snnplast.network.network import Network
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.own_equations import OwnEquations
from snnplast.network.population import Population, SpikeSource
from snnplast.network.projection import Projection, Wiring
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
    """Everything that decides the Brian2 code: the network with all code merged, and which pairs are connected.

    wiring, weights: of each projection; as they were drawn until an engine is open, and then those in it.
    """

    network: Network
    wiring: dict[str, Wiring]
    weights: dict[str, np.ndarray]
    populations: dict[str, Fragment] = field(default_factory=dict)
    synapses: dict[str, Fragment] = field(default_factory=dict)
    companions: dict[str, Companion] = field(default_factory=dict)
    gains: dict[str, str] = field(default_factory=dict)
    """Population -> constant that its weighted input is multiplied by, where there is one."""
    recorded: tuple[str, ...] = ()
    whole: set[str] = field(default_factory=set)
    """Those of which somebody asks for all steps at once, and not for blocks from the last to the first."""
    read: tuple[str, ...] = ()
    """Variables of synapses and neurons that rules read after each trial: 'owner.variable'."""
    asked: tuple[str, ...] = ()
    """Synaptic variables that are kept at the end of each trial, whatever rules read."""
    starts: dict[str, Mapping[str, Value]] = field(default_factory=dict)
    """Population -> variable -> where it begins in every trial, before anything is learned."""
    learnt: dict[str, Value] = field(default_factory=dict)
    """'population.constant' of neurons that may be learned -> its first value."""
    begins: dict[str, str] = field(default_factory=dict)
    """Neurons' variable -> the learnable constant that it begins at in every trial: 'population.variable' both."""
    beside: set[str] = field(default_factory=set)
    """Projections whose presynaptic state is beside their source, in any case."""
    gates: list[str] = field(default_factory=list)
    """'owner.variable' of what is 1 while a training trial runs, and what is learned may change."""
    learned: list[str] = field(default_factory=list)
    """'owner.variable' of what code learns within trials, beside weights."""
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
    def backwards(self) -> frozenset[str]:
        """Those of `recorded` that are asked for in blocks, and of which a step can be taken again as it was."""
        lasting = any(population.lasting for population in self.network.populations.values())
        changing = lasting or self.gates or self.learned
        return frozenset() if changing else frozenset(self.recorded) - self.whole

    @property
    def gathered(self) -> list[str]:
        """Variables that are read after the trial: 'owner.variable'."""
        return list(dict.fromkeys([*self.read, *self.asked]))

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
        inside = not isinstance(self.network.populations[source], SpikeSource) and projection not in self.beside
        if delays is None and inside:
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
    merged = Plan(network, wiring, weights, recorded=tuple(dict.fromkeys(recorded)), whole=set(recorded))
    kept: list[str] = []
    gathered: list[str] = []
    for name, population in network.populations.items():
        merged.populations[name] = _population(merged, name, population)
        merged.starts[name] = population.initial_values
        for one in population.learnt if isinstance(population, SpikingPopulation) else ():
            merged.learnt[f"{name}.{one.name}"] = one.value
            if one.starts:
                merged.begins[f"{name}.{one.starts}"] = f"{name}.{one.name}"
    for name, p in network.projections.items():
        injection = injections.get(name, Injection())
        called, asked = injection.recorded, [v if "." in v else f"synapse.{v}" for v in injection.read]
        if injection.beside:
            merged.beside.add(name)
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
        owner = {"pre": key, "post": p.target, "synapse": name}
        placed, read = (_placed(owner, named) for named in (injection.recorded, injection.read))
        kept += placed
        asked_whole = [v for v in injection.recorded if v not in injection.backwards or wiring[name].layout != "sparse"]
        merged.whole |= set(_placed(owner, asked_whole))
        gathered += read
        merged.names[name] = dict(zip([*called, *asked], [*placed, *read], strict=True))
    merged.recorded = tuple(dict.fromkeys([*merged.recorded, *kept]))
    merged.read = tuple(dict.fromkeys(gathered))
    for name, p in network.projections.items():
        known = merged.populations[p.source].names()
        if p.simulated and p.variable is not None and p.variable not in known:
            hint = nearest(p.variable, known)
            raise UserError(f"network.{name}.variable = {p.variable!r}: {p.source!r} has no such variable; {hint}")
    _check_code(merged)
    return merged


def _placed(owner: Mapping[str, str], names: Sequence[str]) -> list[str]:
    """'owner.variable' of names such as 'post.psi', and of synaptic ones such as 'gradient'."""
    parted = [name.rpartition(".") for name in names]
    return [f"{owner[location or 'synapse']}.{variable}" for location, _, variable in parted]


def _check_code(merged: Plan) -> None:
    """All code makes sense together, also what was attached to populations."""
    scopes = {name: Scope.of(fragment) for name, fragment in merged.populations.items()}
    for name, fragment in merged.populations.items():
        flags = [own[name] for own in merged.flags.values() if name in own]
        fixed = {*scopes[name].fixed, *flags, LEARNING} - scopes[name].variable
        around = Scope(fixed, scopes[name].variable, scopes[name].functions)
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
