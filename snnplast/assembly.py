"""One experiment put together, ready to run trials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from snnplast.build import Plan
from snnplast.engine import Engine
from snnplast.network import Network
from snnplast.objective import Objective
from snnplast.optimizer import Optimizer
from snnplast.population import PoissonSource
from snnplast.rule import Rule
from snnplast.teacher import Teacher


@dataclass
class Assembly:
    """Network, plan, engine and teachers of one experiment.

    values: projection -> weights (n_synapses,), 'population.bias' -> (n,): live views into the engine, or plain arrays
    for projections that are not simulated.
    """

    network: Network
    plan: Plan
    engine: Engine
    objective: Objective | None
    teachers: list[Teacher]
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

    @property
    def parameters(self) -> dict[str, tuple[Rule, Optimizer | None]]:
        """Learnable parameter -> (its rule, its own optimiser or None)."""
        return {
            name: (teacher.rule, own)
            for teacher in self.teachers
            for name, own in teacher.parameters(self.network).items()
        }

    @cached_property
    def backgrounds(self) -> dict[str, PoissonSource]:
        """Sources with a constant rate of their own."""
        populations = self.network.populations.items()
        return {name: p for name, p in populations if isinstance(p, PoissonSource) and not p.driven}

    @cached_property
    def _ties(self) -> list[tuple[str, str, np.ndarray]]:
        return [(name, of, order) for name, (of, order) in self.plan.tied().items()]

    def tie(self) -> None:
        """Give weights that mirror others the values these have now; needed wherever weights have changed."""
        for name, of, order in self._ties:
            self.values[name][:] = self.values[of][order]

    def clone(self) -> Assembly:
        """The same experiment on an engine of its own; plan, teachers and weights that are not simulated are shared."""
        twin = self.engine.clone()
        return replace(self, engine=twin, values=live_values(self.plan, twin))

    def persistent(self) -> dict[str, np.ndarray]:
        """Live views of state that outlives trials."""
        return {
            f"{name}.{variable}": self.engine[f"{name}.{variable}"]
            for name, population in self.network.populations.items()
            for variable in population.lasting
        }


def live_values(drawn: Plan, running: Engine) -> dict[str, np.ndarray]:
    """Live views of all weights and neurons' parameters; of projections that are not simulated, the plan's own."""
    weights = {
        name: running[f"{name}.w"] if projection.simulated else drawn.weights[name]
        for name, projection in drawn.network.projections.items()
    }
    populations = drawn.network.populations.items()
    own = [f"{name}.{parameter}" for name, population in populations for parameter in population.parameters]
    return weights | {name: running[name] for name in own}
