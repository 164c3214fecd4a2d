"""Batches in one call of compiled code leave what the loop over their trials leaves, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast.config.experiment import Experiment
from snnplast.engine import COMPILED
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

SMALL = ["model.hidden=12", "rules.e-prop.batch=6", "train.seed=3"]
CASES = {
    "digits": ["digits", *SMALL],
    "symmetric": ["digits", *SMALL, "rules.e-prop.third_factor={name='readout-error', feedback='symmetric'}"],
    "adaptive": ["digits", *SMALL, "rules.e-prop.third_factor={name='readout-error', feedback='adaptive'}"],
    "rates": ["digits", *SMALL, "rules.e-prop.regularisers=['firing-rate']", "rules.e-prop.average_gradient=7"],
    "frozen": ["digits", "model.hidden=12", "rule=frozen", "rules.frozen.batch=5"],
    "cues": ["evidence-accumulation", *SMALL, "model.draws=fresh", "model.tests=70"],
    "pattern": ["pattern-generation", "model.hidden=20", "model.inputs=15"],
    "layers": ["digits", "model.hidden=[10, 6]", "rules.e-prop.batch=9"],
}


def trained(sets, whole, workers=1, updates=3):
    """Weights, metrics of updates and of tests."""
    experiment = Experiment.of(*sets)
    task = experiment.task()
    simulation = open_simulation(experiment.network, task.objective, experiment.rule, experiment.train.seed, COMPILED)
    with simulation.engine:
        trainer = Trainer(simulation, task, iterations=updates, workers=workers, whole=lambda phase, index: whole)
        steps = [trainer.update() for _ in range(updates)]
        assert all(bool(step.trials) == whole for step in steps)
        tests = [trainer.judged(record) for record in trainer.evaluate()]
        trainer.close()
        values = {name: array.copy() for name, array in simulation.values.items()}
    return values, [step.metrics for step in steps], tests


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_loop_bit_for_bit(case):
    values, metrics, tests = trained(CASES[case], whole=True)
    for workers in (1, 2):
        at_once = trained(CASES[case], whole=False, workers=workers)
        assert at_once[1:] == (metrics, tests)
        assert all(np.array_equal(values[name], at_once[0][name]) for name in values)
    assert len(tests) == {"pattern": 0, "cues": 70}.get(case, 360)
