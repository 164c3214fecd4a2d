r"""Eligibility traces of any neuron, in both faces: derived from the code that is simulated.

    e_ji^t = psi_j^t g^t . eps_ji^t,   eps^t = U^t (P^t eps^{t-1} + b q_i^t),   eps <- R^t eps + k^t e
    G_ji   = sum_t C_j^t e_ji^t

with the derivatives P, U, R, g, k of `snnplast.learning.linearised`. Online the traces are code of
`snnplast.learning.traces`; factored the same sum is that of `snnplast.learning.chain`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import sympy

from snnplast.brian import all_units
from snnplast.errors import UserError
from snnplast.learning.capabilities import Swept
from snnplast.learning.chain import ByParameter, Chain, Point, Variable
from snnplast.learning.chain_names import ChainNames
from snnplast.learning.derivation import derivation
from snnplast.learning.derivative import Expr
from snnplast.learning.gathering import Gathering
from snnplast.learning.gradient import chain_sweep
from snnplast.learning.neuron_traces import constant_traces, moved_by
from snnplast.learning.signals import Signal
from snnplast.learning.traces import Entries, Recursion, beside_source, near_states, ratio
from snnplast.network import slots
from snnplast.network.fragments import Fragment, Injection, Update, Value, merge
from snnplast.network.network import Network
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.projection import Projection
from snnplast.task.trial import Record


class Linear(NamedTuple):
    """A population's trial, linearised. places: which of the `variables` spikes of a projection add to."""

    chain: Chain
    psi: np.ndarray
    variables: list[Variable]
    parameters: list[ByParameter]
    places: dict[str, int]


class DerivedTraces:
    """What a rule adds for projections onto one population, and the gradient of a trial.

    fixed: whether projections that are not plastic count as well, such as for what flows back through them.
    through_reset: whether the derivative of a spike acts through all of its reset, that of the membrane as well.
    """

    def __init__(
        self, network: Network, target: str, psi: str, fixed: bool = False, through_reset: bool = False
    ) -> None:
        population = network.populations[target]
        assert isinstance(population, SpikingPopulation)
        self.network, self.target, self.population, self.psi = network, target, population, psi
        self.code = network.described(target)
        try:
            self.linearised = derivation(population, self.code, network.dt, through_reset)
            moved = moved_by(self.linearised, population.learnt)
        except UserError as error:
            raise UserError(f"network.{target}: {error}") from None
        self.incoming = [
            p
            for p in network.projections.values()
            if p.target == target and p.kind == "spiking" and (p.plastic or fixed)
        ]
        self.learnt = population.learnt
        self.live = self.linearised.live({*map(self.into, self.incoming), *moved})
        self._gains: dict[str, Value] = {}
        self._entries = Entries(self.linearised, self.value, afterwards=True)

    def into(self, projection: Projection) -> str:
        """The variable that spikes of a projection add to."""
        into = projection.into or self.population.input_variable_name or ""
        if into not in self.linearised.step.units:
            raise UserError(f"network.{projection.name}.into = {into!r}: {self.target!r} has no such variable")
        return into

    def gain(self, projection: Projection) -> Value:
        """What a weight of 1 adds, in SI units."""
        if projection.name not in self._gains:
            scale, _ = self.network.weight_scale(projection)
            self._gains[projection.name] = self.population.input_gain(self.network.dt) * scale
        return self._gains[projection.name]

    def value(self, entry: Expr, learned: Mapping[str, Value] | None = None) -> Value:
        """A constant entry in SI units: a number, or one per neuron. learned: values of what is learnable."""
        known = _UNITS | dict(self.code.constants) | dict(learned or {})
        known |= {"dt": self.network.dt, "i": np.arange(self.population.size), "N": self.population.size}
        names, function = _function(entry)
        with np.errstate(all="ignore"):  # said below
            found = np.asarray(function(*(np.asarray(known[name], dtype=float) for name in names)), dtype=float)
        if not np.all(np.isfinite(found)):
            raise UserError(f"network.{self.target}: {entry} is {found.flat[0]}; are two of its constants equal?")
        return float(found) if found.ndim == 0 else found

    def silent(self, projection: Projection) -> bool:
        """Whether nothing that a projection adds to is heard by the threshold."""
        return not self.linearised.live([self.into(projection)])

    # ---- code

    def inject(self, projection: Projection, gather: Gathering | None = None) -> Injection:
        """What is added for one projection. gather: what the traces are gathered with online; None: factored."""
        into = self.into(projection)
        if self.silent(projection):
            raise UserError(
                f"network.{projection.name}: its weights add to {into!r}, which no spike of {self.target!r} depends "
                "on; plastic=False keeps them"
            )
        return self.factored() if gather is None else self._online(projection, into, gather)

    def _neurons(self, entries: Entries) -> Fragment:
        code = self._surrogate()
        if self._spiked():
            fired = f"spiked = int({self.population.threshold})"
            active = f"*{self.population.active}" if self.population.active else ""
            code = merge(
                self.target, [code, Fragment(("spiked : 1",), updates=(Update(fired + active, *slots.SURROGATE),))]
            )
        flagged = [self.into(p) for p in self.incoming if self.into(p) in self.linearised.step.flagged]
        if flagged:
            gate = Fragment(("gate : 1",), updates=(Update("gate = int(not_refractory)", *slots.FLOW),))
            code = merge(self.target, [code, gate])
        return merge(self.target, [code, entries.fragment()])

    def _surrogate(self) -> Fragment:
        unit = ratio("1", self.population.distance_unit)
        return Fragment((f"psi : {unit}",), updates=(Update(f"psi = {self.psi}", *slots.SURROGATE),))

    def _spiked(self) -> bool:
        """Whether a reset changes a trace that lives."""
        reset = self.linearised.reset
        return any(not reset.unit(state) for state in self.live) or any(reset.parameters)

    def factored(self) -> Injection:
        """What is added to the neurons for the gradient after a trial."""
        entries = Entries(self.linearised, self.value, afterwards=True)
        self._named(entries).filled(self.learnt, lambda name: np.ones(self.population.size))
        recorded = ["psi", *entries.varying]
        recorded += ["spiked"] if self._spiked() else []
        recorded += ["gate"] if any(self.into(p) in self.linearised.step.flagged for p in self.incoming) else []
        post = self._neurons(entries)
        post = Fragment(post.equations, {}, {}, post.updates)  # constants are worked out afterwards
        return Injection(post=post, recorded=tuple(f"post.{name}" for name in recorded))

    def _online(self, projection: Projection, into: str, gather: Gathering) -> Injection:
        entries = Entries(self.linearised, self.value)
        for other in self.incoming:  # the neurons' part is the same for all projections
            self._recursion(other, entries).lines([], [])
        for one in self.learnt:
            constant_traces(entries, one, None)
        recursion, gain = self._recursion(projection, entries), self.gain(projection)
        arrivals, arrival, own = [], (), Fragment()
        post = [self._neurons(entries)]
        if into not in recursion.near:
            gate = "*gate_post" if into in self.linearised.step.flagged else ""
            arrivals = [f"eps_{into} = eps_{into} + trace_gain_post*arrived{gate}", "arrived = 0"]
            arrival, own = ("arrived = arrived + 1",), Fragment(("arrived : 1",))
            unit = self.linearised.step.units[into]
            post.append(Fragment(constants={"trace_gain": gain}, units={} if unit == "1" else {"trace_gain": unit}))
        declared, lines, read = gather(recursion.eligibility, "_post")
        update = Update("\n".join(recursion.lines(arrivals, lines)), *slots.TRACES)
        synapse = merge(
            projection.name,
            [own, declared, Fragment(tuple(recursion.variables()), updates=(update,), on_arrival=arrival)],
        )
        for one in self.learnt:
            code, more = constant_traces(entries, one, gather)
            post.append(code)
            read = [*read, *more]
        pre = beside_source(entries, recursion.near, into, float(np.asarray(gain).flat[0]))
        return Injection(pre, merge(self.target, post), synapse, read=tuple(read), beside=bool(recursion.near))

    def _recursion(self, projection: Projection, entries: Entries) -> Recursion:
        into = self.into(projection)
        live = self.linearised.live([into])
        alike = np.ndim(self.gain(projection)) == 0 and not projection.unequal_delays
        near = near_states(self.linearised, live, into, alike)
        return Recursion(entries, tuple(s for s in live if s not in near), near, "_post")

    # ---- gradient

    @functools.cached_property
    def _names(self) -> ChainNames:
        return self._named(self._entries)

    def _named(self, entries: Entries) -> ChainNames:
        return ChainNames.of(entries, self.live, self.population.size, self._spiked())

    def gradient(
        self, record: Record, incoming: Sequence[Projection], signals: Sequence[Signal]
    ) -> dict[str, np.ndarray]:
        """Factored: projection -> gradient (n_synapses,), 'population.constant' -> gradient (n,)."""
        linear = self.linear(record, incoming, incoming[0].name)
        projections = [
            (record.wiring[p.name], record.spikes[p.source], latency(self.network, p), linear.places[p.name], gain)
            for p, gain in ((p, self.gains(p)) for p in incoming)
        ]
        swept = linear.variables, projections, record.compiled, linear.parameters
        found, totals = chain_sweep(linear.chain, linear.psi, signals, *swept)
        return dict(zip([*(p.name for p in incoming), *self.constants], [*found, *totals], strict=True))

    def swept(self, incoming: Sequence[Projection]) -> Swept | None:
        """What is known of it beforehand; None where more is needed than histories."""
        gated = any(self.into(p) in self.linearised.step.flagged and p.arrival != "before threshold" for p in incoming)
        if self.learnt or gated:
            return None

        def linear(record: Record) -> tuple[Linear, list[np.ndarray]]:
            return self.linear(record, incoming, incoming[0].name), [self.gains(p) for p in incoming]

        late = ((p.name, p.source, latency(self.network, p)) for p in incoming)
        return Swept(self.target, tuple(late), linear=linear)

    @property
    def constants(self) -> list[str]:
        """'population.constant' of what is learnable."""
        return [f"{self.target}.{one.name}" for one in self.learnt]

    def gains(self, projection: Projection) -> np.ndarray:
        """What a weight of 1 adds to each neuron, (n,)."""
        return np.broadcast_to(self.gain(projection), (self.population.size,))

    def linear(self, record: Record, incoming: Sequence[Projection], first: str) -> Linear:
        """A trial, linearised. first: the projection for which it was recorded."""
        learned = {one.name: record.values[f"{self.target}.{one.name}"] for one in self.learnt}
        history = functools.partial(self._history, record, first, learned)
        chain, parameters = self._names.filled(self.learnt, history)
        seen: list[tuple[str, Point]] = list(dict.fromkeys((self.into(p), p.arrival) for p in incoming))
        variables = [Variable(self.live.index(name), self._gate(record, first, name, at), at) for name, at in seen]
        places = {p.name: seen.index((self.into(p), p.arrival)) for p in incoming}
        return Linear(chain, record.kept(first, "post.psi"), variables, parameters, places)

    def _history(self, record: Record, first: str, learned: Mapping[str, Value], name: str) -> np.ndarray:
        """An entry of a trial, (n,) or (T, n)."""
        if name in self._entries.settled:
            found = self.value(self._entries.settled[name], learned)
            return np.broadcast_to(np.asarray(found, dtype=float), (self.population.size,))
        return record.kept(first, f"post.{name}")

    def _gate(self, record: Record, first: str, into: str, at: Point) -> np.ndarray | None:
        """Where arrivals change a variable: one that stands still while the neuron is refractory takes none then."""
        if into not in self.linearised.step.flagged:
            return None
        gate = record.kept(first, "post.gate")
        if at == "before threshold":
            return gate
        fired = np.zeros_like(gate)
        fired[record.spikes[self.target]] = 1
        after = gate * (1 - fired)
        return after if at == "before reset" else np.concatenate([np.ones_like(gate[:1]), after[:-1]])


_UNITS: dict[str, Any] = {str(unit): float(unit) for unit in all_units}


@functools.lru_cache(maxsize=1024)
def _function(entry: Expr) -> tuple[list[str], Callable[..., Any]]:
    """Names in an expression, and the function of their values."""
    names = sorted(entry.free_symbols, key=str)
    return [str(name) for name in names], sympy.lambdify(names, entry, "numpy")


class Identity:
    """An object that stands for itself as a key, whatever it equals; it is kept alive by the key."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def __hash__(self) -> int:
        return id(self.owner)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and self.owner is other.owner


@functools.lru_cache(maxsize=64)
def derived_traces(
    network: Network, target: str, rule: Identity, fixed: bool = False, through_reset: bool = False
) -> DerivedTraces:
    """The traces of a network that does not change any more, for a rule: they are derived once."""
    return DerivedTraces(network, target, rule.owner.postsynaptic(network.populations[target]), fixed, through_reset)


def latency(network: Network, projection: Projection) -> int:
    """Steps from a spike to its arrival, beside delays: a source's act in their own step, a neuron's in the next.

    Where spikes arrive once the neurons' own are out, those of neurons act in their own step, too.
    """
    emitted = isinstance(network.populations[projection.source], SpikingPopulation)
    return int(emitted and projection.arrival != "before reset")
