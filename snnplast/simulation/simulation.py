"""One experiment put together, ready to run trials."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from snnplast.brian import BrianObjectException
from snnplast.engine import Engine, EngineChoice, open_engine
from snnplast.learning.optimizer import Optimizer
from snnplast.learning.rule import AfterTrial, Rule
from snnplast.network.network import Network
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.own_equations import OwnEquations
from snnplast.network.population import PoissonSource
from snnplast.simulation.build import construct, refusal
from snnplast.simulation.clocks import once_per_trial
from snnplast.simulation.design import Design
from snnplast.simulation.plan import Plan
from snnplast.simulation.plasticity import Plasticity
from snnplast.task.objective import Objective


@dataclass
class Simulation:
    """Network, plan, engine and plasticities of one experiment.

    values: projection -> weights (n_synapses,), 'population.bias' -> (n,), and what else code learns within trials:
    live views into the engine, or plain arrays for projections that are not simulated.
    """

    network: Network
    plan: Plan
    engine: Engine
    objective: Objective | None
    plasticities: list[Plasticity]
    values: dict[str, np.ndarray]
    series: frozenset[str]
    """Simulated variables that a task or the trial may set step by step."""
    spiking: tuple[str, ...]
    """Populations and sources whose spikes are recorded."""
    responses: tuple[str, ...]
    """Variables read at the end of the response."""
    once: frozenset[str]
    """Recorded variables that take their value there, once per trial."""
    compiled: bool
    """Whether the engine, and with it the gradient, is compiled."""

    @cached_property
    def optimised(self) -> dict[str, tuple[AfterTrial, Optimizer | None]]:
        """Those of `parameters` that an optimiser changes, after trials."""
        return {name: (rule, own) for name, (rule, own) in self.parameters.items() if isinstance(rule, AfterTrial)}

    @cached_property
    def parameters(self) -> dict[str, tuple[Rule, Optimizer | None]]:
        """Learnable parameter -> (its rule, its own optimiser or None)."""
        return {
            name: (plasticity.rule, own)
            for plasticity in self.plasticities
            for name, own in plasticity.parameters(self.network).items()
        }

    @cached_property
    def judged(self) -> tuple[str, ...]:
        """Readouts of third factors, of which the same is wanted as of the objective's."""
        return tuple(dict.fromkeys(name for plasticity in self.plasticities for name in plasticity.judged))

    def written(self, series: str) -> list[str]:
        """Simulated variables that take the values of a series of the task's."""
        if series not in self._written:
            self._written[series] = self._find_written(series)
        return self._written[series]

    @cached_property
    def _written(self) -> dict[str, list[str]]:
        return {}

    def _find_written(self, series: str) -> list[str]:
        owner, _, variable = series.partition(".")
        wanted = self.objective is not None and owner == self.objective.readout and variable in ("target", "in_window")
        owners = (owner, *self.judged) if wanted else (owner,)
        return [name for name in (f"{each}.{variable}" for each in owners) if name in self.series]

    @cached_property
    def backgrounds(self) -> dict[str, PoissonSource]:
        """Sources with a constant rate of their own."""
        populations = self.network.populations.items()
        return {name: p for name, p in populations if isinstance(p, PoissonSource) and not p.driven}

    @cached_property
    def noise(self) -> dict[str, tuple[str, ...]]:
        """Populations with noise -> their variables that are drawn anew at every step."""
        populations = self.network.populations.items()
        found = {name: p.noise for name, p in populations if isinstance(p, SpikingPopulation | OwnEquations)}
        return {name: variables for name, variables in found.items() if variables}

    @cached_property
    def _ties(self) -> list[tuple[str, str, np.ndarray]]:
        return [(name, of, order) for name, (of, order) in self.plan.tied().items()]

    def tie(self) -> None:
        """Give weights that mirror others the values these have now; needed wherever weights have changed."""
        for name, of, order in self._ties:
            self.values[name][:] = self.values[of][order]

    def begin(self, anew: bool = True) -> None:
        """All state as it is where a trial begins; what is learned of that counts from then on.

        anew: otherwise the trial goes on where the last one ended.
        """
        if not anew:
            self.engine.proceed()
            return
        self.engine.reset()
        for variable, start in self.plan.begins.items():
            self.engine[variable][:] = self.engine[start]

    def open_gates(self, learning: bool) -> None:
        """Let what is learned within trials change, or hold it."""
        for name in self.plan.gates:
            self.engine[name][:] = learning

    def prepare(self) -> None:
        """What rules do to weights before a training trial."""
        for plasticity in self.plasticities:
            plasticity.prepare(self.values, self.plan.wiring)

    def clone(self) -> Simulation:
        """The same experiment on an engine of its own; plan, rules and weights that are not simulated are shared."""
        twin = self.engine.clone()
        return replace(self, engine=twin, values=live_values(self.plan, twin))

    def persistent(self) -> dict[str, np.ndarray]:
        """Live views of state that outlives trials."""
        return {
            f"{name}.{variable}": self.engine[f"{name}.{variable}"]
            for name, population in self.network.populations.items()
            for variable in population.lasting
        }


def open_engine_on(designed: Design, engine: EngineChoice) -> Simulation:
    """The design in an engine, as it is before anything was learned."""
    try:
        running = open_engine(construct(designed.plan), engine)
    except BrianObjectException as error:
        raise refusal(designed.plan, error) from error
    _settle(designed.plan, running)
    simulation = simulation_on(designed, running, compiled=engine.name == "compiled")
    simulation.tie()
    return simulation


def _settle(drawn: Plan, running: Engine) -> None:
    """Pairs and weights are those in the engine from here on, so that they are there once."""
    for name, projection in drawn.network.projections.items():
        if projection.simulated:
            ends = {"pre": running[f"{name}._pre"], "post": running[f"{name}._post"]}
            drawn.wiring[name] = drawn.wiring[name].model_copy(update=ends)
            drawn.weights[name] = running[f"{name}.w"]


def simulation_on(designed: Design, running: Engine, compiled: bool) -> Simulation:
    """The design on an engine that is there. compiled: whether gradients may use compiled code."""
    drawn = designed.plan
    simulated = {f"{name}.{variable}" for name, code in drawn.populations.items() for variable in code.names()}
    once = [name for name in designed.recorded if name not in drawn.asked and once_per_trial(drawn, name)]
    return Simulation(
        drawn.network,
        drawn,
        running,
        designed.objective,
        designed.plasticities,
        live_values(drawn, running),
        frozenset(simulated),
        tuple(name for name, population in drawn.network.populations.items() if population.spiking),
        tuple(dict.fromkeys([*_response(drawn), *once])),
        frozenset(once),
        compiled,
    )


def _response(drawn: Plan) -> Iterator[str]:
    """Variables that are read after the response: what acts once per trial carries and reaches."""
    populations = drawn.network.populations
    for projection in drawn.network.projections.values():
        if projection.every == "trial":
            yield f"{projection.source}.{projection.variable}"
            yield f"{projection.target}.{projection.into or populations[projection.target].input_variable_name}"
    yield from (f"{name}.y" for name, p in populations.items() if p.readout and p.clock == "trial")


def live_values(drawn: Plan, running: Engine) -> dict[str, np.ndarray]:
    """Live views of all weights and neurons' parameters; of projections that are not simulated, the plan's own."""
    weights = {
        name: running[f"{name}.w"] if projection.simulated else drawn.weights[name]
        for name, projection in drawn.network.projections.items()
    }
    populations = drawn.network.populations.items()
    own = [f"{name}.{parameter}" for name, population in populations for parameter in population.parameters]
    return weights | {name: running[name] for name in dict.fromkeys([*own, *drawn.learned])}
