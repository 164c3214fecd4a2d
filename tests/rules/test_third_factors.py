"""Third factors: what each signal is, and that any rule takes any source whose shape fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_runs import RESERVOIR, matrices, trainer

from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.learning.optimizer import SGD
from snnplast.learning.signals import Broadcast
from snnplast.learning.third_factor import ThirdFactor
from snnplast.network.connectivity import ExplicitPairs
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import LayerNorm, PoissonSource
from snnplast.network.readouts import LeakyReadout, RateReadout
from snnplast.rules.e_prop import EProp
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.rules.third_factors.class_memory import ClassMemory
from snnplast.rules.third_factors.firing_rate import FiringRate
from snnplast.rules.third_factors.hsic import HSIC
from snnplast.rules.third_factors.memories import MEMORIES
from snnplast.rules.third_factors.random import Random
from snnplast.rules.third_factors.readout_error import ReadoutError
from snnplast.rules.third_factors.reservoir import Reservoir
from snnplast.rules.third_factors.reward import Reward
from snnplast.rules.third_factors.zero import Zero
from snnplast.simulation.design import design
from snnplast.task.objective import CrossEntropy
from snnplast.testing import check_third_factor, small_network

pytestmark = pytest.mark.usefixtures("own_cache")


def small_pair(readout_pairs=None, readout="leaky"):
    """Source -> hidden -> readout, the second projection with chosen pairs."""
    net = Network()
    net.add("input", PoissonSource(12, peak_rate="300 Hz"))
    net.add("hidden", LIF(5, representation=LayerNorm()))
    net.add("output", LeakyReadout(3) if readout == "leaky" else RateReadout(3))
    net.connect("input", "hidden", plastic=True)
    pairs = {"connectivity": ExplicitPairs(pre=readout_pairs[0], post=readout_pairs[1])} if readout_pairs else {}
    carried = {"kind": "analog", "variable": "z", "every": "trial"} if readout == "rate" else {}
    net.connect("hidden", "output", plastic=True, **pairs, **carried)
    return net


# Contract


class Forgetful(ThirdFactor):
    """A source that serves only the first of its populations."""

    name = "forgetful"

    def kind(self, context, population):
        return Zero().kind(context, population)

    def signal(self, record, context, state):
        return Zero().signal(record, replace(context, targets=context.targets[:1]), state)


def test_a_signal_that_is_missing_for_a_population_raises():
    with pytest.raises(UserError, match="third factor 'forgetful' gives no signal for the population 'second'"):
        trainer(EProp(third_factor=Forgetful())).update()


@pytest.mark.parametrize("rule", [EProp, IBHebbian])
@pytest.mark.parametrize("evaluation", ["online", "factored"])
def test_with_the_zero_factor_hidden_weights_keep_every_bit_and_readouts_learn(rule, evaluation):
    run = trainer(rule(third_factor="zero", evaluation=evaluation), iterations=2)
    before = matrices(run.simulation)
    steps = list(run)
    assert all(step.trials[0].counts("second").sum() for step in steps)
    after = matrices(run.simulation)
    for name in before:
        assert np.array_equal(before[name], after[name]) == (name != "second_to_output")


FACTORS = [
    (ReadoutError, {}),
    (FiringRate, {}),
    (Zero, {}),
    (Random, {}),
    (HSIC, {"window": 3}),
    (HSIC, {"window": 3, "xi": "reference"}),
    *((ClassMemory, {"remembers": name}) for name in MEMORIES),
    *((ClassMemory, {"expectation": name}) for name in ("layer", "uniform")),
    (Reservoir, RESERVOIR),
    (Reward, {}),
]


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["e-prop", "ib-hebbian"])
@pytest.mark.parametrize("factor, settings", FACTORS, ids=lambda value: getattr(value, "name", ""))
def test_every_source_keeps_the_contract_under_every_rule(factor, settings, rule):
    for readout in ("leaky", "rate"):
        check_third_factor(factor, rule=rule, network=small_network(readout), engine=NUMPY, **settings)


def test_hsic_keeps_the_contract_under_e_prop():
    check_third_factor(HSIC, rule="e-prop", trials=4, engine=NUMPY, workers=(), window=3)


REMEMBERING = [{"name": "hsic", "window": 3}, "class-memory", "random", "reward", {"name": "reservoir", **RESERVOIR}]


@pytest.mark.parametrize("factor", REMEMBERING)
def test_a_source_with_memory_hears_the_trials_of_a_batch_in_their_order(factor):
    """Chunks hold four: the memory goes on from one to the next, on any number of workers."""
    network, found = small_network("rate"), []
    for batch, workers in ((6, 1), (6, 2), (1, 1)):
        run = trainer(EProp(batch=batch, third_factor=factor), network, workers=workers)
        parts = [run.learned(range(k, k + batch))[0] for k in range(0, 12, batch)]
        names = sorted({name for part in parts for name in part})
        found.append([sum(part.get(name, 0.0) for part in parts) / len(parts) for name in names])
        run.close()
    assert len(found[0]) == 5
    for one, two, alone in zip(*found, strict=True):
        assert np.array_equal(one, two)
        np.testing.assert_allclose(one, alone, rtol=0, atol=1e-14 + 1e-12 * np.abs(alone).max())
    assert all(np.any(gradient) for gradient in found[0])


def test_a_layer_wise_source_needs_a_representation():
    net = Network()
    net.add("input", PoissonSource(4))
    net.add("hidden", LIF(3))
    net.add("output", LeakyReadout(2))
    net.connect("input", "hidden", plastic=True)
    net.connect("hidden", "output", plastic=True)
    with pytest.raises(UserError, match=r"population 'hidden' has no rate representation; .*LayerNorm\(\)"):
        design(net, CrossEntropy(), IBHebbian(), 1)


# Readout error and firing rate


def test_the_learning_signal_is_the_error_through_the_feedback_weights():
    run = trainer(EProp())
    record = run.run(0, 0)
    (plasticity,) = run.simulation.plasticities
    feedback, error = matrices(run.simulation), record.series["output.error"]
    for name, given in ReadoutError().signal(record, plasticity.sources[0].context, {}).items():
        assert isinstance(given, Broadcast)
        expected = [[sum(feedback[f"feedback_{name}"][k, j] * e[k] for k in range(3)) for j in range(3)] for e in error]
        np.testing.assert_allclose((given.values @ given.feedback)[:, :3], expected, rtol=1e-12)
        assert np.any(given.feedback)


@pytest.mark.parametrize("pairs", [None, ([0, 0, 1, 3, 4, 4], [0, 2, 1, 1, 0, 2])])
def test_symmetric_feedback_is_the_transposed_readout_at_every_update(pairs):
    factor = {"name": "readout-error", "feedback": "symmetric"}
    run = trainer(EProp(third_factor=factor, optimizer=SGD(learning_rate=0.1)), small_pair(pairs))
    seen = []
    for _ in range(3):
        readout = matrices(run.simulation)["hidden_to_output"]
        run.update()
        updated = matrices(run.simulation)
        assert np.array_equal(updated["feedback_hidden"], updated["hidden_to_output"].T)
        seen.append(readout)
    assert not np.array_equal(seen[0], seen[2])


def test_symmetric_feedback_needs_a_projection_to_the_readout():
    rule = EProp(third_factor={"name": "readout-error", "feedback": "symmetric"})
    with pytest.raises(UserError, match="symmetric feedback to 'first' needs one projection from 'first' to 'output'"):
        design(small_network(), CrossEntropy(), rule, 1)


def test_symmetric_feedback_of_a_rate_readout_is_the_slope_of_the_loss_by_the_representation():
    """xi = V (p - y): what back-propagation would hand to the layer, the upper control."""
    factor = ReadoutError(feedback="symmetric")
    rule = IBHebbian(third_factor=factor, readout_optimizer=SGD(learning_rate=0.5))
    run = trainer(rule, small_pair(readout="rate"))
    heard = run.simulation.plasticities[0].sources[0].context
    for _ in range(4):
        readout, bias = matrices(run.simulation)["hidden_to_output"], run.simulation.values["output.bias"].copy()
        (record,) = run.update().trials
        z, y = record.representation("hidden"), record.series["output.target"][-1]

        def loss(z, V=readout, c=bias, y=y):
            return np.log(np.sum(np.exp(z @ V + c))) - y @ (z @ V + c)

        slopes = [(loss(z + h) - loss(z - h)) / 2e-5 for h in 1e-5 * np.eye(z.size)]
        before = replace(record, values={**record.values, "feedback_hidden": readout.T.reshape(-1)})
        np.testing.assert_allclose(factor.signal(before, heard, {})["hidden"], slopes, rtol=1e-7, atol=1e-9)
    assert np.any(slopes)


def test_random_feedback_has_the_scale_it_is_given_and_stays():
    run = trainer(EProp(third_factor={"name": "readout-error", "scale": 3.0}), iterations=2)
    before = matrices(run.simulation)["feedback_first"]
    list(run)
    assert np.array_equal(matrices(run.simulation)["feedback_first"], before)
    same = trainer(EProp(third_factor={"name": "readout-error", "scale": 1.0}))
    np.testing.assert_allclose(before, 3 * matrices(same.simulation)["feedback_first"], rtol=1e-12)
    assert 1 < before.std() < 6


def test_the_firing_rate_factor_is_the_excess_over_the_target_per_step():
    run = trainer(EProp())
    record, heard = run.run(0, 0), run.simulation.plasticities[0].sources[0].context
    factor = FiringRate(coefficient=5.0, target="20 Hz")
    counts = np.array([np.sum(record.spikes["first"][1] == j) for j in range(8)])
    assert counts.max() > counts.min()
    np.testing.assert_allclose(factor.signal(record, heard, {})["first"], 5.0 * (counts / 60 - 0.020) / 60, rtol=1e-12)


# Random


def test_random_signals_depend_on_seed_and_trial_only():
    plain = Random(transforms=())
    given = {}
    for seed in (1, 2):
        run = trainer(EProp(third_factor="random"), seed=seed)
        heard = run.simulation.plasticities[0].sources[0].context
        for trial in (0, 1, 2):
            given[seed, trial] = plain.signal(run.run(0, trial), heard, {})
        again = plain.signal(run.run(0, 0), heard, {})  # after the others
        for name in again:
            assert np.array_equal(again[name], given[seed, 0][name])
    values = [tuple(signal["first"]) for signal in given.values()]
    assert len(set(values)) == len(values)
    assert not np.array_equal(given[1, 0]["first"][:7], given[1, 0]["second"])
