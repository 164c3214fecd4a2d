"""The description of a network: populations, projections and the time step. It holds no Brian2 object."""

from __future__ import annotations

import re
from typing import Any, Unpack, cast

import numpy as np

from snnplast.brian import Quantity
from snnplast.description import WrongValue
from snnplast.errors import UserError, unknown
from snnplast.network.connectivity import AllToAll, ExplicitPairs
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.delays import UniformDelay, check_delay
from snnplast.network.fragments import Fragment, merge
from snnplast.network.initial import refuse_spikes_at_once
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.population import PoissonSource, Population
from snnplast.network.projection import Projection, ProjectionSettings
from snnplast.network.readouts import RateReadout
from snnplast.network.weight_units import weight_scale, weight_unit
from snnplast.network.weights import ExplicitWeights, Transposed, as_weights
from snnplast.shown import Rows, Shown
from snnplast.time_steps import whole_steps
from snnplast.units import parse_quantity

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_OWN_NAME = re.compile(r".*_(traces(_\d+)?|sum|update_\d+)")
"""Names of the Brian2 objects that `build.py` adds beside those of populations and projections."""


class Network(Shown):
    """A network under description: add populations, connect them, hand it to an experiment.

    dt: time step, default 1 ms, > 0.

    >>> from snnplast import LIF, Network, Normal, PoissonSource
    >>> net = Network()
    >>> net.add("input", PoissonSource(64))
    >>> net.add("hidden", LIF(100))
    >>> net.connect("input", "hidden", weights=Normal(gain=1.5), plastic=True)
    """

    def __init__(self, dt: Quantity | str = "1 ms") -> None:
        try:
            self.dt: float = parse_quantity(dt, "ms")
        except UserError as error:
            raise UserError(f"Network: dt: {error}") from None
        if not self.dt > 0:
            raise UserError(f"Network: dt = {dt!r}: a positive time is needed")
        self.populations: dict[str, Population] = {}
        self.projections: dict[str, Projection] = {}
        self.attachments: dict[str, tuple[Fragment, ...]] = {}
        self._frozen = False

    def add(self, name: str, population: Population) -> None:
        """Add a population under a name (letters, digits, underscores).

        >>> from snnplast import LIF
        >>> Network(dt="1 ms").add("hidden", LIF(100, refractory="1.5 ms"))
        Traceback (most recent call last):
        snnplast.errors.UserError: network.hidden.refractory = 1.5 ms is no multiple of the time step, 1 ms; ...
        """
        self._claim(name)
        if not isinstance(population, Population):
            raise UserError(f"network.{name}: {population!r} is not a population")
        if isinstance(population, PoissonSource):
            self._check_rates(name, population)
        for field in population.in_steps:
            if not isinstance(value := getattr(population, field), str):  # a text is code
                whole_steps(f"network.{name}.{field}", value, self.dt)
        if isinstance(population, SpikingPopulation):
            self._check_learnable(name, population)
        if isinstance(population, CustomNeurons):
            begins = population.code(self.dt), population.threshold, population.initial_values
            refuse_spikes_at_once(f"network.{name}", *begins, population.size, self.dt)
        self.populations[name] = population

    def connect(
        self, source: str, target: str, *, name: str | None = None, **values: Unpack[ProjectionSettings]
    ) -> None:
        """Add a `Projection`, called 'source_to_target' unless named; its fields are the keyword arguments.

        >>> from snnplast import LIF, Probability
        >>> net = Network(); net.add("hidden", LIF(100))
        >>> net.connect("hidden", "hidden", name="back", connectivity=Probability(0.1), sign="inhibitory", delay="2 ms")
        >>> net.connect("hidden", "output")
        Traceback (most recent call last):
        snnplast.errors.UserError: network.hidden_to_output: unknown target population 'output': Known: hidden
        """
        name = name or f"{source}_to_{target}"
        self._claim(name)
        for role, population in (("source", source), ("target", target)):
            if population not in self.populations:
                raise UserError(f"network.{name}: {unknown(f'{role} population', population, self.populations)}")
        self._put(name, {"name": name, "source": source, "target": target, **cast(dict[str, Any], values)})

    def _put(self, name: str, values: dict[str, Any]) -> None:
        """A projection from its fields, checked."""
        path: tuple[str, ...] = ("weights",)
        try:
            if "weights" in values:
                values["weights"] = as_weights(values["weights"])
            path = ()
            projection = Projection(**values)
        except WrongValue as error:
            place = ".".join(["network", name, *(path or error.path)])
            raise UserError(f"{place}{error.complaint}") from None
        self._check(projection)
        self.projections[name] = projection

    def change(self, projection: str, **values: Unpack[ProjectionSettings]) -> None:
        """Give fields of a projection other values, checked as in `connect`, e.g. whether it is plastic.

        >>> from snnplast import LIF
        >>> net = Network(); net.add("hidden", LIF(100)); net.connect("hidden", "hidden", name="back")
        >>> net.change("back", plastic=True); net
        Network, dt = 1 ms
          hidden  LIF of 100
          back    hidden -> hidden, plastic
        """
        self._must_be_open()
        if projection not in self.projections:
            raise UserError(f"network: {unknown('projection', projection, self.projections)}")
        before = self.projections[projection]
        for fixed in ("name", "source", "target"):
            if fixed in values:
                raise UserError(f"network.{projection}.{fixed} cannot be changed; connect() makes another projection")
        kept = {field: getattr(before, field) for field in Projection.model_fields}
        if not isinstance(before.delay, UniformDelay):
            kept["delay"] = Quantity.with_dimensions(before.delay, second=1)  # as it was given: with a unit
        self._put(projection, kept | values)

    def attach(self, population: str, fragment: Fragment) -> None:
        """Add Brian2 code to a population, e.g. the error of a readout."""
        self._must_be_open()
        self.population(population)
        self.attachments[population] = (*self.attachments.get(population, ()), fragment)

    def described(self, population: str) -> Fragment:
        """A population's own code, what is attached to it, and what analog projections add to that nobody declares."""
        own, attached = self.populations[population].fragment(self.dt), self.attachments.get(population, ())
        found = merge(population, [own, *attached])
        into = {
            p.into: None
            for p in self.projections.values()
            if p.simulated and p.target == population and p.kind == "analog"
        }
        received = [f"{name} : 1" for name in into if name and name not in found.names()]
        return merge(population, [found, Fragment(tuple(received))])

    def _shown(self) -> tuple[str, Rows]:
        populations = [(name, f"{type(p).__name__} of {p.size}") for name, p in self.populations.items()]
        learned = {True: ", plastic", False: ""}
        projections = [(p.name, f"{p.source} -> {p.target}{learned[p.plastic]}") for p in self.projections.values()]
        return f"Network, dt = {self.dt * 1e3:g} ms", [*populations, *projections]

    def weight_unit(self, projection: Projection) -> str:
        """The unit that a projection's weights are numbers in, "" where they have none."""
        return weight_unit(projection, self.populations[projection.target]) or ""

    def weight_scale(self, projection: Projection) -> tuple[float, str]:
        """(SI value of a weight of 1, Brian2's unit of that); (1.0, "1") where weights have none."""
        ends = self.populations[projection.source], self.populations[projection.target]
        return weight_scale(projection, *ends, self.dt)

    def population(self, name: str) -> Population:
        """A population by name; an unknown name raises `UserError`."""
        if name not in self.populations:
            raise UserError(f"network: {unknown('population', name, self.populations)}")
        return self.populations[name]

    def between(self, source: str, target: str) -> list[Projection]:
        """Projections from one population to another."""
        return [p for p in self.projections.values() if (p.source, p.target) == (source, target)]

    def copy(self) -> Network:
        """An open copy that can be extended."""
        other = Network.__new__(Network)
        other.dt, other._frozen = self.dt, False
        other.populations, other.projections = dict(self.populations), dict(self.projections)
        other.attachments = dict(self.attachments)
        return other

    def drawn(self, seed: int) -> Network:
        """A copy with all that a seed draws for neurons: constants and initial values."""
        other = self.copy()
        other.populations = {name: population.drawn(seed, name) for name, population in self.populations.items()}
        return other

    def freeze(self) -> Network:
        """Forbid further changes; returns itself."""
        self._frozen = True
        return self

    @property
    def readouts(self) -> list[str]:
        """Names of the readout populations."""
        return [name for name, population in self.populations.items() if population.readout]

    @property
    def trial_clocked(self) -> bool:
        """Whether anything happens once per trial, in a response step after the last segment."""
        return any(projection.every == "trial" for projection in self.projections.values())

    def _check_rates(self, name: str, source: PoissonSource) -> None:
        for field, rate in (("peak_rate", source.peak_rate), ("rate", source.rate)):
            if rate is not None and rate * self.dt > 1:
                raise UserError(
                    f"network.{name}.{field} = {rate:g} Hz: at most one spike per step of {1e3 * self.dt:g} ms, "
                    f"{1 / self.dt:g} Hz, is allowed"
                )

    def _check_learnable(self, name: str, population: SpikingPopulation) -> None:
        try:
            population.limits(self.dt)
        except UserError as error:
            raise UserError(f"network.{name}.learnable: {error}") from None

    def _must_be_open(self) -> None:
        if self._frozen:
            raise UserError("network: it is frozen once an experiment uses it; change a copy()")

    def _claim(self, name: str) -> None:
        self._must_be_open()
        if not _NAME.fullmatch(name):
            raise UserError(f"network: {name!r} is no valid name; letters, digits and underscores are allowed")
        if _OWN_NAME.fullmatch(name):
            raise UserError(f"network: {name!r} ends like a name of the library's own; another one is needed")
        if name in self.populations or name in self.projections:
            raise UserError(f"network: the name {name!r} is taken")

    def _check(self, projection: Projection) -> None:
        source, target = self.populations[projection.source], self.populations[projection.target]
        place = f"network.{projection.name}"
        if projection.kind == "spiking" and not source.spiking:
            raise UserError(f"{place}: {projection.source!r} does not spike; connect it with kind='analog'")
        if (projection.into or target.input_variable_name) is None:
            raise UserError(f"{place}: {projection.target!r} is a source and takes no input")
        if projection.simulated:
            weight_scale(projection, source, target, self.dt)
        if isinstance(target, RateReadout) and projection.every != "trial":
            raise UserError(f"{place}: a RateReadout is fed by kind='analog', variable='z', every='trial'")
        if not projection.self_connections and projection.source != projection.target:
            raise UserError(f"{place}: self_connections=False is for projections of a population onto itself")
        if isinstance(projection.weights, Transposed):
            self._check_mirrored(place, projection, projection.weights.of)
            return
        n_pre, n_post = source.size, target.size
        if projection.sign is not None and projection.sign.ndim and projection.sign.size != n_pre:
            given = projection.sign.size
            raise UserError(f"{place}.sign has {given} entries; {n_pre}, one per source neuron, are needed")
        try:  # by sizes alone: pairs and weights are drawn once, where the network is built
            synapses = projection.connectivity.count(n_pre, n_post, not projection.self_connections)
            self._check_order(projection)
            projection.weights.check(synapses, (n_pre, n_post))
            check_delay(projection.delay, synapses, self.dt)
        except UserError as error:
            raise UserError(f"{place}: {error}") from None

    def _check_mirrored(self, place: str, projection: Projection, of: str) -> None:
        """Weights that mirror others have nothing of their own: no pairs, no bounds, no learning."""
        if of not in self.projections:
            raise UserError(f"{place}.weights: {unknown('projection', of, self.projections)}")
        other = self.projections[of]
        if (other.target, other.source) != (projection.source, projection.target):
            raise UserError(
                f"{place}.weights: {of!r} goes from {other.source!r} to {other.target!r}; one from "
                f"{projection.target!r} to {projection.source!r} is needed"
            )
        own = {"plastic": projection.plastic, "sign": projection.sign is not None, "delay": projection.delayed}
        own |= {"bounds": projection.bounds != (None, None), "weights.of": isinstance(other.weights, Transposed)}
        own["connectivity"] = not isinstance(projection.connectivity, AllToAll)
        for field in (field for field, given in own.items() if given):
            raise UserError(f"{place}.{field}: weights that mirror those of {of!r} take it from there; leave it out")

    def _check_order(self, projection: Projection) -> None:
        """What is listed per synapse is in source-major order: pairs listed beside it must be so, too."""
        pairs, weights = projection.connectivity, projection.weights
        listed = {"delays": projection.delay, "weights": weights.values if isinstance(weights, ExplicitWeights) else 0}
        names = [name for name, values in listed.items() if np.ndim(values) == 1]
        if not isinstance(pairs, ExplicitPairs) or not names:
            return
        if np.any(np.lexsort((pairs.post, pairs.pre)) != np.arange(pairs.pre.size)):
            instead = ", or give the weights as a matrix (n_pre, n_post)" if names == ["weights"] else ""
            raise UserError(
                f"{' and '.join(names)} are one per synapse by source, then target, but the pairs are in another "
                f"order; sort both{instead}"
            )
