r"""A control beside a rule: what another rule makes of the same trials, spike for spike, and how far the two agree.

    cosine = sum g g* / sqrt(sum g^2 sum g*^2)

over all weights onto neurons that both learn; readouts learn the same by most rules. g*: mean gradient of the control
over a batch; g: that of the rule or, of one that changes weights within a trial, minus what they have changed by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.learning.rule import AfterTrial
from snnplast.random_streams import TRAINING
from snnplast.simulation.simulation import Simulation
from snnplast.task.trial import Record
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

Gradients = Mapping[str, np.ndarray]


class Control:
    """The same network and task under another rule, on an engine of its own. trainer: of its trials; it learns nothing.

    exact: whether spikes must be the same, as they are where no weight changes within a trial.
    """

    def __init__(self, trainer: Trainer, exact: bool) -> None:
        self.trainer, self.exact = trainer, exact

    @classmethod
    def of(cls, experiment: Experiment, simulation: Simulation, trainer: Trainer) -> Control:
        """The one of an experiment that is to be compared. Raises `UserError` for a rule that cannot be a control."""
        rule, place = experiment.compare, f"train.compare = {experiment.train.compare!r}"
        if not isinstance(rule, AfterTrial):
            raise UserError(f"{place}: it has no gradient; a rule that learns after trials is needed, such as 'bptt'")
        if trainer.task.continuous:
            raise UserError(
                f"{place}: each trial of this task goes on from the one before, so that none can be run again"
            )
        network = experiment.network.copy()
        for p in list(network.projections.values()):
            if p.plastic and p.rule:
                network.change(p.name, rule=None)
        for name, population in network.populations.items():
            if population.lasting:
                raise UserError(f"{place}: {name!r} has state that outlives trials, so that none can be run again")
        engine = experiment.engine if simulation.compiled or experiment.engine.name != "compiled" else NUMPY
        rule = rule.model_copy(update={"batch": trainer.batch})
        own = open_simulation(network, trainer.task.objective, rule, experiment.train.seed, engine)
        try:
            if any(plasticity.sequential for plasticity in own.plasticities):
                raise UserError(f"{place}: its gradient depends on earlier trials; one that does not is needed")
            twin = Trainer(own, trainer.task, iterations=1)
            twin.task = trainer.task
            return cls(twin, all(isinstance(p.rule, AfterTrial) for p in simulation.plasticities))
        except BaseException:
            own.engine.close()
            raise

    @property
    def name(self) -> str:
        """What the cosine is called among the metrics."""
        return f"cosine_to_{self._rule.name.replace('-', '_')}"

    @property
    def _rule(self) -> AfterTrial:
        rule = self.trainer.simulation.plasticities[0].rule
        assert isinstance(rule, AfterTrial)
        return rule

    def follow(self, values: Gradients) -> None:
        """Take over weights and biases as they are."""
        for name, own in self.trainer.simulation.values.items():
            if name in values:
                own[:] = values[name]
        self.trainer.simulation.tie()

    def changed(self, simulation: Simulation) -> dict[str, np.ndarray]:
        """By how much less each weight is, of those that change within trials, than when they were taken over."""
        mine, within = self.trainer.simulation.values, simulation.parameters.keys() - simulation.optimised.keys()
        return {name: mine[name] - simulation.values[name] for name in within if name in mine}

    def gradients(self, records: Sequence[Record]) -> dict[str, np.ndarray]:
        """Its mean gradient over the trials that others have left these records of."""
        simulation, total = self.trainer.simulation, dict[str, np.ndarray]()
        for record in records:
            own = self.trainer.run(TRAINING, record.index)
            if self.exact:
                _refuse_other_spikes(own, record)
            for plasticity in simulation.plasticities:
                for name, gradient in plasticity.gradient(own, simulation.objective).items():
                    total[name] = total.get(name, 0.0) + gradient / len(records)
        return total

    def cosine(self, gradients: Gradients, others: Gradients) -> float:
        """Of two gradients; nan where they share no weights onto neurons, or one of them is 0."""
        network = self.trainer.simulation.network
        projections = network.projections
        shared = [
            (gradients[name].ravel(), others[name].ravel())
            for name in projections.keys() & gradients.keys() & others.keys()
            if network.populations[projections[name].target].spiking
        ]
        dot, one, other = (sum(float(f(a, b)) for a, b in shared) for f in _PRODUCTS)
        return dot / np.sqrt(one * other) if one * other > 0 else np.nan

    def first(self, trainer: Trainer, trials: int) -> float:
        """The cosine over the first trials together, one by one from the same weights; others have no gradient yet."""
        start = {name: values.copy() for name, values in trainer.simulation.values.items()}
        sums: list[dict[str, np.ndarray]] = [{}, {}]
        for index in range(trials):
            self.follow(start)
            found, records, _ = trainer.learned(range(index, index + 1))
            pair = found | self.changed(trainer.simulation), self.gradients(records)
            for name in pair[0].keys() & pair[1].keys():
                for total, gradients in zip(sums, pair, strict=True):
                    total[name] = total.get(name, 0.0) + gradients[name]
            for name, values in trainer.simulation.values.items():
                values[:] = start[name]
        return self.cosine(*sums)

    def close(self) -> None:
        """Give up its engine."""
        self.trainer.simulation.engine.close()


_PRODUCTS = (lambda a, b: a @ b, lambda a, b: a @ a, lambda a, b: b @ b)


def _refuse_other_spikes(own: Record, record: Record) -> None:
    for name, spikes in own.spikes.items():
        other = record.spikes[name]
        if not all(np.array_equal(a, b) for a, b in zip(spikes, other, strict=True)):
            raise UserError(
                f"train.compare: trial {record.index}: {name!r} has other spikes under the control than under the rule"
            )
