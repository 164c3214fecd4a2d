"""What acts once per trial is recorded as it was used, one row per trial."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast.config.experiment import Experiment
from snnplast.errors import UserError
from snnplast.record import read_run
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.rules.third_factors.reservoir import Reservoir
from snnplast.simulation.clocks import once_per_trial
from snnplast.simulation.design import design
from snnplast.testing import small_network, small_task
from snnplast.training.run import perform

RATE = """
import numpy as np
from snnplast import LIF, Classification, LayerNorm, Network, Normal, PoissonSource, RateReadout

net = Network()
net.add("input", PoissonSource(4, peak_rate="500 Hz"))
net.add("hidden", LIF(6, v_threshold=0.5, bias=0.05, representation=LayerNorm()))
net.add("output", RateReadout(2))
net.connect("input", "hidden", weights=Normal(gain=1.0), plastic=True)
net.connect("hidden", "output", kind="analog", variable="z", every="trial", weights=Normal(), plastic=True)
labels = np.array([0, 1, 0, 1, 0, 1])
x = np.eye(4)[labels] * 0.5 + 0.5
task = Classification(x, labels, x[:4], labels[:4], steps=10, seed=0)
"""


def sets(*more):
    return [
        *("rule=ib-hebbian", "engine.name=runtime", "engine.target=numpy", "train.epochs=2", "train.seed=3"),
        *("rules.ib-hebbian.third_factor=zero", "record.path=rate.h5", 'record.trials="test"', *more),
    ]


def run(folder, *more):
    folder.write("rate.py", RATE)
    perform(Experiment.of("rate.py", *sets(*more)))
    return read_run("rate.h5")


def test_a_readout_that_acts_once_per_trial_is_recorded_as_it_was_judged(folder):
    found = run(folder, 'record.variables=["output.y", "hidden.v", "hidden.z", "output.drive"]')
    y, labels = found.state("output/y"), np.array([0, 1, 0, 1] * 2)
    assert y.shape == (len(found.trials), 2) == (8, 2)
    for epoch in range(2):
        rows = slice(4 * epoch, 4 * epoch + 4)
        right = np.mean(y[rows].argmax(axis=1) == labels[rows])
        assert right == found.metrics["test_accuracy"][epoch]
        shifted = y[rows] - y[rows].max(axis=1, keepdims=True)
        loss = np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(4), labels[rows]])
        np.testing.assert_allclose(loss, found.metrics["test_loss"][epoch], rtol=1e-12)
    assert np.array_equal(found.state("output/y", row=5), y[5:6])
    assert found.state("hidden/v").shape == (80, 6) and found.state("hidden/v", row=1).shape == (10, 6)
    z = found.state("hidden/z")
    assert z.shape == (8, 6) and np.allclose(z.mean(axis=1), 0) and np.any(z)
    pre, post, weight = found.synapses("hidden_to_output")
    matrix = np.zeros((6, 2))
    matrix[pre, post] = weight
    np.testing.assert_allclose(found.state("output/drive")[-4:], z[-4:] @ matrix, rtol=1e-9)


def test_every_variable_of_a_reservoir_has_the_clock_of_what_changes_it():
    rule = IBHebbian(third_factor=Reservoir(units=12, streams=1, stream_length=40))
    plan = design(small_network("rate"), small_task().objective, rule, 1).plan
    names = ["first_reservoir.r", "first_reservoir.gate", "first_reservoir.opened", "first_reservoir.drive"]
    names += ["first_third_factor.drive", "output.y", "second.z"]
    assert [name for name in names if not once_per_trial(plan, name)] == []
    assert [name for name in ("first.v", "second.psi") if once_per_trial(plan, name)] == []


@pytest.mark.parametrize(
    "more, sentence",
    [
        (
            ["rule=reward-hebbian", 'record.variables=["output.explored"]'],
            "record.variables: 'output.explored' changes in the steps of exploration after a trial, which are not kept",
        ),
        (
            [
                'rules.ib-hebbian.third_factor={name="reservoir", dynamics="spiking", units=10, streams=1}',
                'record.variables=["hidden_reservoir.v"]',
            ],
            "record.variables: 'hidden_reservoir.v' changes after the trial, while 'hidden_reservoir' takes it up",
        ),
    ],
)
def test_what_happens_after_a_trial_cannot_be_recorded(folder, more, sentence):
    with pytest.raises(UserError) as caught:
        run(folder, *more)
    assert str(caught.value).startswith(sentence)
    assert folder.files() == {"rate.py"}


def test_spikes_that_come_after_a_trial_cannot_be_recorded(folder):
    factor = (
        'rules.ib-hebbian.third_factor={name="reservoir", dynamics="spiking", units=10, streams=2, stream_length=40}'
    )
    with pytest.raises(UserError, match=r"^record\.spikes: 'hidden_reservoir' fires after the trial"):
        run(folder, factor, 'record.spikes=["hidden_reservoir"]')
