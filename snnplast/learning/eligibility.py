r"""Eligibility traces shared by three-factor rules, in both faces, and the delta rule of readouts.

Hidden synapse i -> j of a population with membrane decay alpha and input gain c:

    zbar_i^t = alpha zbar_i^{t-1} + c q_i^t       q: spikes of this step (sources) or of the step before (neurons)
    e_ji^t   = psi_j^t (zbar_i^t - beta_j eps_ji^t)     psi: surrogate derivative
    eps_ji^{t+1} = rho_j eps_ji^t + e_ji^t              only where the threshold adapts; beta = 0 elsewhere
    G_ji     = sum_t L_j^t F(e_ji)^t + R_j sum_t e_ji^t,   F(e)^t = kappa F(e)^{t-1} + (1-kappa) e^t

for step signals L and trial signals R. A conduction delay d makes q that much later. Online, zbar is kept per source
neuron, or per synapse where the membranes or the delays of a projection differ.

Readout synapse j -> k: G_kj = sum_t E_k^t zo_j^t with the readout's own filter
of z_j, or E_k z_j for a readout that acts once per trial.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from snnplast.errors import UserError
from snnplast.learning.capabilities import Part, ReadOnce, Swept, SweptBack
from snnplast.learning.derived import DerivedTraces, Identity, derived_traces, latency
from snnplast.learning.gathering import Gathering, gathered_by_neurons, gathered_by_synapses
from snnplast.learning.gradient import adjoint_sweep
from snnplast.learning.optimizer import AnyOptimizer
from snnplast.learning.rule import AfterTrial
from snnplast.learning.signals import Signal, SignalKind, Signals
from snnplast.learning.surrogate import AnySurrogate, PiecewiseLinear
from snnplast.network import slots
from snnplast.network.code import WrongCode
from snnplast.network.fragments import Fragment, Injection, Update, Value, merge
from snnplast.network.network import Network
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.projection import Projection
from snnplast.network.readouts import LeakyReadout, RateReadout
from snnplast.task.trial import Record


class ThreeFactorRule(SweptBack, AfterTrial):
    """Pre-synaptic trace x surrogate derivative x third factor, in both faces; readouts learn by the delta rule.

    surrogate: psi, a surrogate derivative, its name or its table; default piecewise-linear of height 0.3.
    """

    surrogate: Annotated[AnySurrogate, Field(description="surrogate derivative psi")] = PiecewiseLinear()

    def parameters(self, network: Network, projections: Sequence[Projection]) -> dict[str, AnyOptimizer | None]:
        targets = {p.target: network.populations[p.target] for p in projections}
        own = [f"{name}.{key}" for name, p in targets.items() if p.readout for key in p.parameters]
        own += [name for target in targets for name in learnt_constants(network, target)]
        return {**super().parameters(network, projections), **dict.fromkeys(own)}

    def inject(self, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> Injection:
        target = network.populations[projection.target]
        online = self.evaluation == "online"
        if target.readout:
            refuse_other_readouts(self.name, network, projection)
            return _inject_readout(network, projection) if online and isinstance(target, LeakyReadout) else Injection()
        if not isinstance(target, SpikingPopulation):
            raise UserError(
                f"rule {self.name!r}: {projection.name}: {projection.target!r} is neither spiking nor a readout"
            )
        if projection.kind == "analog":
            raise UserError(
                f"rule {self.name!r}: network.{projection.name} is analog, and its traces are those of spikes; "
                "plastic=False keeps these weights"
            )
        if not _short(network, target, projection.target):
            try:
                traces = DerivedTraces(network, projection.target, self.postsynaptic(target))
                return traces.inject(projection, Gathering(kinds) if online else None)
            except WrongCode:
                raise
            except UserError as error:
                raise UserError(f"rule {self.name!r}: {error}") from None
        post = Fragment(("psi : 1",), updates=(Update(f"psi = {self.postsynaptic(target)}", *slots.SURROGATE),))
        if not online:
            return Injection(post=post, recorded=("post.psi",), backwards=("post.psi",))
        read = Gathering(kinds)("eligibility").read
        if _traced_per_synapse(network, projection):
            post = merge(projection.name, [post, _trace_constants(network, target)])
            synapse = _synaptic_traces(kinds, target, per_synapse=True)
            return Injection(post=post, synapse=synapse, read=tuple(read))
        pre, synapse = _presynaptic_trace(network, projection), _synaptic_traces(kinds, target)
        return Injection(pre, post, synapse, read=tuple(read))

    def postsynaptic(self, target: SpikingPopulation) -> str:
        """Brian2 expression of psi, the target neuron's part of the eligibility trace; v is that before the reset."""
        return gated(self.surrogate.expression(target.distance, target.threshold_scale, target.distance_unit), target)

    def gradient(self, record: Record, projections: Sequence[Projection], signals: Signals) -> dict[str, np.ndarray]:
        gradients: dict[str, np.ndarray] = {}
        for target in dict.fromkeys(projection.target for projection in projections):
            given = signals[target]
            if given is None:
                continue
            incoming = [projection for projection in projections if projection.target == target]
            population = record.network.populations[target]
            if population.readout:
                gradients |= readout_gradient(record, incoming, given[0], self.evaluation == "online")
            elif self.evaluation == "online":
                gradients |= {p.name: gathered_by_synapses(record, p, given) for p in incoming}
                for name, constant in learnt_constants(record.network, target).items():
                    gradients[name] = gathered_by_neurons(record, incoming[0], given, constant)
            elif isinstance(population, SpikingPopulation) and not _short(record.network, population, target):
                traces = derived_traces(record.network, target, Identity(self))
                gradients |= traces.gradient(record, incoming, given)
            else:
                gradients |= swept_gradient(record, swept_population(record.network, target, incoming), given)
        return gradients

    def swept(self, network: Network, projections: Sequence[Projection]) -> tuple[Part, ...] | None:
        if self.evaluation == "online":
            return None
        found: list[Part | None] = []
        for target in dict.fromkeys(projection.target for projection in projections):
            incoming = [projection for projection in projections if projection.target == target]
            population = network.populations[target]
            short = isinstance(population, SpikingPopulation) and _short(network, population, target)
            if short or isinstance(population, LeakyReadout):
                found.append(swept_population(network, target, incoming))
            elif isinstance(population, SpikingPopulation):
                found.append(derived_traces(network, target, Identity(self)).swept(incoming))
            elif isinstance(population, RateReadout):
                carried = tuple((p.name, f"{p.source}.{p.variable}") for p in incoming)
                found.append(ReadOnce(target, carried, population.biased))
            else:
                found.append(None)
        if None in found:
            return None
        return tuple(one for one in found if one is not None)


def learnt_constants(network: Network, target: str) -> dict[str, str]:
    """'population.constant' of what is learned of a population's neurons -> the constant."""
    population = network.populations[target]
    found = population.learnt if isinstance(population, SpikingPopulation) else ()
    return {f"{target}.{one.name}": one.name for one in found}


def refuse_other_readouts(rule: str, network: Network, projection: Projection) -> None:
    """The delta rule takes what a readout filters, or what it reads once per trial, where it arrives as input.

    Raises `UserError` for anything else.
    """
    target = network.populations[projection.target]
    once = isinstance(target, RateReadout)
    if isinstance(target, LeakyReadout) and target.tau_rise is not None:
        raise UserError(
            f"rule {rule!r}: network.{projection.name}: {projection.target!r} has tau_rise, and weights onto a "
            "readout that filters twice do not learn; plastic=False keeps them"
        )
    if (not once and projection.kind == "analog") or projection.into not in (None, target.input_variable_name):
        allowed = "analog ones that act once per trial" if once else "spiking ones"
        raise UserError(
            f"rule {rule!r}: network.{projection.name}: readouts of this kind learn from {allowed}, into "
            f"{target.input_variable_name!r}; plastic=False keeps these weights"
        )


def gated(expression: str, target: SpikingPopulation) -> str:
    """The expression, and 0 while the neuron is refractory."""
    return f"{expression}*{target.active}" if target.active else expression


def _short(network: Network, population: object, name: str) -> bool:
    """Whether traces have the short form of one exponential for all that is learned of a population."""
    if not isinstance(population, SpikingPopulation) or population.exponential is None:
        return False
    incoming = (p for p in network.projections.values() if p.target == name and p.plastic)
    return all(p.into in (None, population.input_variable_name) for p in incoming)


def _tau(population: SpikingPopulation | LeakyReadout) -> Value:
    """Time constant of the one exponential that a population's input goes through."""
    tau = population.exponential if isinstance(population, SpikingPopulation) else population.tau_m
    assert tau is not None
    return tau


def _traced_per_synapse(network: Network, projection: Projection) -> bool:
    """Whether one trace per source neuron would not do: its targets' membranes differ, or its synapses' delays."""
    target = network.populations[projection.target]
    assert isinstance(target, SpikingPopulation | LeakyReadout)
    if projection.unequal_delays or np.ndim(_tau(target)) or np.ndim(target.input_gain(network.dt)):
        return True
    return target.readout and (latency(network, projection) == 0 or projection.delayed)


def _presynaptic_trace(network: Network, projection: Projection) -> Fragment:
    """zbar at the source neuron, or at its companion: with the decay and gain of the target's membrane."""
    target = network.populations[projection.target]
    assert isinstance(target, SpikingPopulation)
    beside = latency(network, projection) == 0 or projection.delayed
    jump = "zbar = zbar + trace_gain" + ("" if beside else "*exp(dt/tau_trace)")  # the coming decay takes exp back
    constants = {"tau_trace": _tau(target), "trace_gain": float(target.input_gain(network.dt))}
    decay = Update("zbar = zbar*exp(-dt/tau_trace)", *slots.FLOW)
    return Fragment(("zbar : 1",), constants, {"tau_trace": "second"}, (decay,), on_spike=(jump,))


def _trace_constants(network: Network, population: SpikingPopulation | LeakyReadout) -> Fragment:
    """What a trace per synapse needs of its target neuron."""
    dt = network.dt
    return Fragment(constants={"trace_decay": np.exp(-dt / _tau(population)), "trace_gain": population.input_gain(dt)})


def _synaptic_traces(kinds: Sequence[SignalKind], target: SpikingPopulation, per_synapse: bool = False) -> Fragment:
    zbar = "zbar_synapse" if per_synapse else "zbar_pre"
    equations, code = ["eligibility : 1"], [f"eligibility = psi_post*{zbar}"]
    if target.adaptation is not None:
        equations.append("adaptation : 1")
        code = [f"eligibility = psi_post*({zbar} - beta_post*adaptation)"]
        code.append("adaptation = exp(-dt/tau_adapt_post)*adaptation + eligibility")
    declared, gather, _ = Gathering(kinds)("eligibility", "_post")
    code += gather
    arrival: tuple[str, ...] = ()
    if per_synapse:  # the decay of the coming step, before any of its spikes arrives
        equations.append("zbar_synapse : 1")
        code.append("zbar_synapse = zbar_synapse*trace_decay_post")
        arrival = ("zbar_synapse = zbar_synapse + trace_gain_post",)
    updates = (Update("\n".join(code), *slots.TRACES),)
    own = Fragment(tuple(equations), updates=updates, on_arrival=arrival)
    return replace(
        own, equations=own.equations + declared.equations, constants=declared.constants, units=declared.units
    )


def _inject_readout(network: Network, projection: Projection) -> Injection:
    """zo at the presynaptic neuron lacks this step's spike until the resets, so a spike adds its own part at once."""
    target = network.populations[projection.target]
    assert isinstance(target, LeakyReadout)
    if _traced_per_synapse(network, projection):
        code = "gradient = gradient + error_post*zo_synapse\nzo_synapse = zo_synapse*trace_decay_post"
        synapse = Fragment(
            ("zo_synapse : 1", "gradient : 1"),
            updates=(Update(code, *slots.TRACES),),
            on_arrival=("zo_synapse = zo_synapse + trace_gain_post",),
        )
        return Injection(post=_trace_constants(network, target), synapse=synapse, read=("gradient",))
    gain = target.input_gain(network.dt)
    constants = {"tau_readout_trace": target.tau_m, "readout_trace_gain": float(gain)}
    pre = Fragment(
        ("zo : 1",),
        constants,
        {"tau_readout_trace": "second"},
        (Update("zo = zo*exp(-dt/tau_readout_trace)", *slots.FLOW),),
        on_spike=("zo = zo + readout_trace_gain",),
    )
    synapse = Fragment(
        ("gradient : 1",),
        updates=(Update("gradient = gradient + error_post*zo_pre", *slots.TRACES),),
        on_spike=("gradient = gradient + error_post*readout_trace_gain_pre",),
    )
    return Injection(pre=pre, synapse=synapse, read=("gradient",))


def swept_population(network: Network, target: str, incoming: Sequence[Projection]) -> Swept:
    """What is known beforehand of the factored gradient of weights onto neurons with traces of the short form.

    Or onto a readout that acts at every step.
    """
    readout = network.populations[target].readout
    late = ((p.name, p.source, 0 if readout else latency(network, p)) for p in incoming)
    return Swept(target, tuple(late), None if readout else "post.psi", *_constants(network, target))


def swept_gradient(record: Record, swept: Swept, signals: Sequence[Signal]) -> dict[str, np.ndarray]:
    """Projection -> gradient."""
    assert swept.decay is not None and swept.gain is not None
    psi = None if swept.psi is None else record.backwards(swept.projections[0][0], swept.psi)
    projections = [(record.wiring[name], record.spikes[source], late) for name, source, late in swept.projections]
    found = adjoint_sweep(
        psi, signals, record.steps, swept.decay, swept.gain, projections, record.compiled, swept.adaptation
    )
    return {name: gradient for (name, _, _), gradient in zip(swept.projections, found, strict=True)}


@functools.lru_cache(maxsize=64)
def _constants(network: Network, target: str) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray] | None]:
    """Decay and gain of each neuron, (n,), and (beta, rho) of its threshold; the network does not change any more."""
    population, dt = network.populations[target], network.dt
    assert isinstance(population, SpikingPopulation | LeakyReadout)

    def each(value: float | np.ndarray) -> np.ndarray:
        return np.broadcast_to(value, (population.size,)).astype(float)

    decay, gain = each(np.exp(-dt / _tau(population))), each(population.input_gain(dt))
    if isinstance(population, LeakyReadout) or population.adaptation is None:
        return decay, gain, None
    beta, tau = population.adaptation
    return decay, gain, (each(beta), each(np.exp(-dt / tau)))


def readout_gradient(
    record: Record, incoming: Sequence[Projection], error: Signal, online: bool
) -> dict[str, np.ndarray]:
    """The gradient of weights onto a readout, and of its bias."""
    readout, target = record.network.populations[incoming[0].target], incoming[0].target
    if isinstance(readout, RateReadout):
        ends = record.during("response").ends
        given = {p.name: ends[f"{p.source}.{p.variable}"] for p in incoming}
        weights = {name: record.wiring[name].outer(u, error.values) for name, u in given.items()}
        return weights | ({f"{target}.bias": error.values} if readout.biased else {})
    if online:
        return {p.name: record.gathered(p.name, "gradient") for p in incoming}
    return swept_gradient(record, swept_population(record.network, target, incoming), [error])
