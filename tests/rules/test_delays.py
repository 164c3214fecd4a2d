"""Conduction delays: when a spike acts, and what e-prop makes of it in both evaluations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from brian2 import ms
from brian_runs import running
from random_networks import Case, Experiment, engines, events
from reference import e_prop as oracle

from snnplast.errors import UserError
from snnplast.network.connectivity import ExplicitPairs
from snnplast.network.delays import UniformDelay
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import SpikeSource
from snnplast.network.readouts import LeakyReadout, RateReadout
from snnplast.simulation.run_trial import simulate
from snnplast.task.task import Task
from snnplast.task.trial import Segment

both = pytest.mark.parametrize("evaluation", ["online", "factored"])
RECURRENT = Case(sizes=(6,), c_reg=300.0)


def delayed(case: Case, **delays: int | np.ndarray) -> Experiment:
    """An experiment with chosen delays (steps) of the projections named, e.g. hidden0_to_output."""
    experiment = Experiment(case)
    for name, steps in delays.items():
        source, _, target = name.partition("_to_")
        experiment.delays[source, target] = steps
    return experiment


def assert_close(found, expected, within=1e-10):
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert np.any(gradient), f"{name}: nothing to compare"
        assert np.abs(found[name] - gradient).max() <= within * np.abs(gradient).max(), name


# When a spike acts


def probe(delay, dt="1 ms"):
    """A source and a neuron that spike once, each before a neuron that does not and before a readout, all delayed."""
    net = Network(dt=dt)
    net.add("input", SpikeSource(1))
    net.add("first", LIF(1, refractory="1 second"))
    net.add("second", LIF(1))
    net.add("third", LIF(1))
    net.add("output", LeakyReadout(2))
    net.connect("input", "first", weights=2.0)
    net.connect("input", "second", weights=0.1, delay=delay)
    net.connect("first", "third", weights=0.1, delay=delay)
    net.connect("input", "output", weights=[[1.0, 0.0]], delay=delay)
    net.connect("first", "output", weights=[[0.0, 1.0]], delay=delay)
    return net


ARRIVALS = {"second.v": 0, "third.v": 1, "output.y": 0}
"""Latency of the spike of step 3 before it shows."""


@pytest.mark.parametrize(
    "delay, dt, steps",
    [
        ("0 ms", "1 ms", 0),
        ("1 ms", "1 ms", 1),
        (5 * ms, "1 ms", 5),
        (np.array([2]) * ms, "1 ms", 2),
        ("2 ms", "0.5 ms", 4),
        ("0.3 ms", "0.1 ms", 3),
    ],
)
def test_a_delay_comes_on_top_of_the_latency(delay, dt, steps):
    # a readout has a column for each source, hence two synapses: a list of delays would need two entries
    net = probe(delay if np.ndim(delay) == 0 else "2 ms", dt)
    with running(net, list(ARRIVALS)) as engine:
        engine.set_spikes("input", np.array([3]), np.array([0]))
        engine.steps(15)
        assert engine.spikes("first")[0].tolist() == [3]
        for name, latency in ARRIVALS.items():
            for column in engine.history[name][:15].T:
                assert np.flatnonzero(column).tolist() == list(range(3 + latency + steps, 15)), name


def test_each_synapse_has_the_delay_of_its_place_by_source_then_target():
    net = Network()
    net.add("input", SpikeSource(2))
    net.add("hidden", LIF(3))
    net.connect("input", "hidden", weights=0.1, delay=np.array([1, 2, 3, 4, 5, 6]) * ms)
    with running(net, ["hidden.v"]) as engine:
        for source, expected in ((0, [1, 2, 3]), (1, [4, 5, 6])):
            engine.reset()
            engine.set_spikes("input", np.array([0]), np.array([source]))
            engine.steps(10)
            assert [np.flatnonzero(column)[0] for column in engine.history["hidden.v"][:10].T] == expected


@engines
def test_a_spike_under_way_reaches_the_next_segment_but_not_the_next_trial(engine):
    experiment = delayed(RECURRENT, input_to_hidden0=6, hidden0_to_hidden0=5, hidden0_to_output=6)

    class InParts(Task):
        """The first trial of the experiment, in one segment or in several."""

        def __init__(self, *lengths):
            self.lengths = lengths

        def trial(self, index):
            start = 0
            for steps in self.lengths:
                part = slice(start, start + steps)
                spikes = {"input": events(experiment.x[0][part])}
                yield Segment(steps, spikes, {"output.target": experiment.targets[0][part]})
                start += steps

    class Silence(Task):
        """No input at all."""

        def trial(self, index):
            yield Segment(30, {"input": ([], [])}, {"output.target": np.zeros(experiment.case.outputs)})

    def gradients(simulation, task):
        record = simulate(simulation, task.trial(0), 0, 0, np.random.default_rng(0))
        return record, {
            name: np.array(g) for name, g in simulation.plasticities[0].gradient(record, simulation.objective).items()
        }

    for evaluation in ("online", "factored"):
        with experiment.assembled(evaluation, engine) as simulation:
            whole, expected = gradients(simulation, InParts(60))
            silent, _ = gradients(simulation, Silence())
            assert not silent.counts("hidden0").any() and not silent.activity("output").any()
            parts, found = gradients(simulation, InParts(7, 3, 50))
        assert whole.spikes["hidden0"][0].max() > 53, "no spike is under way at the end"
        assert all(map(np.array_equal, whole.spikes["hidden0"], parts.spikes["hidden0"]))
        assert_close(found, expected, within=0)


# What is learned


@both
@pytest.mark.parametrize("kind", ["uniform", "synapse"])
@pytest.mark.parametrize("case", [RECURRENT, replace(RECURRENT, sizes=(4, 3), tau_m=(20.0, 8.0))], ids=["one", "two"])
def test_a_gradient_with_delays_is_that_of_the_oracle_and_not_that_of_delays_a_step_longer(case, kind, evaluation):
    experiment = Experiment(replace(case, delays=kind))
    found = experiment.run(evaluation)
    assert_close(found.gradients, experiment.run_oracle(found.feedback)[1])
    model, weights = experiment.model(), experiment.matrices(found.feedback)
    trial = experiment.oracle_trial(weights)
    for name in ("in", "rec", "out"):
        longer = replace(model, delays={**model.delays, name: model.delays[name] + 1})
        wrong = experiment.by_projection(oracle.gradient_online(longer, weights, trial))
        with pytest.raises(AssertionError):
            assert_close(found.gradients, wrong, within=1e-3)


@both
def test_delays_of_zero_change_no_bit(evaluation):
    without = delayed(RECURRENT).run(evaluation)
    assert without.record.counts("hidden0").sum() > 20
    names = [f"{source}_to_{target}" for source, target in Experiment(RECURRENT).weights]
    zero = delayed(RECURRENT, **dict.fromkeys(names, 0)).run(evaluation)
    assert all(map(np.array_equal, zero.record.spikes["hidden0"], without.record.spikes["hidden0"]))
    for name, gradient in without.gradients.items():
        assert np.array_equal(zero.gradients[name], gradient), name


@both
def test_an_array_of_zeros_is_no_delay(evaluation):
    without = delayed(RECURRENT).run(evaluation)
    weights = Experiment(RECURRENT).weights
    zeros = {f"{source}_to_{target}": np.zeros(w.shape, int) for (source, target), w in weights.items()}
    zero = delayed(RECURRENT, **zeros).run(evaluation)
    assert all(map(np.array_equal, zero.record.spikes["hidden0"], without.record.spikes["hidden0"]))
    assert_close(zero.gradients, without.gradients, within=1e-13)


@both
@pytest.mark.parametrize(
    "name, latency", [("input_to_hidden0", 0), ("hidden0_to_hidden0", 1), ("hidden0_to_output", 0)]
)
def test_what_would_act_after_the_trial_drops_out(name, latency, evaluation):
    """The longest delay with which the first spike still acts, in the last step, and a delay longer by one."""
    case = replace(RECURRENT, surrogate="exponential")  # psi is never 0
    undelayed = Experiment(case)
    first = np.nonzero(undelayed.x[0] if name.startswith("input") else undelayed.run_oracle()[0].z)[0].min()
    longest = case.steps - 1 - latency - int(first)
    for delay, acts in ((longest, True), (longest + 1, False)):
        experiment = delayed(case, **{name: delay})
        found = experiment.run(evaluation)
        trial, expected = experiment.run_oracle(found.feedback)
        assert np.array_equal(np.nonzero(trial.z), found.record.spikes["hidden0"])
        assert np.any(found.gradients[name]) == acts
        for other, gradient in expected.items():
            assert np.abs(found.gradients[other] - gradient).max() <= 1e-10 * np.abs(gradient).max(), other


@both
def test_projections_of_one_source_may_have_delays_of_their_own(evaluation):
    """The traces of a source's spikes are then several, one for each delay and membrane."""
    case = replace(RECURRENT, sizes=(4, 3, 3), tau_m=(20.0, 20.0, 9.0), direct=True)
    several = np.arange(case.inputs * 3).reshape(case.inputs, 3) % 4
    experiment = delayed(
        case, input_to_hidden0=3, input_to_hidden1=1, input_to_hidden2=3, hidden0_to_hidden0=2, hidden0_to_hidden1=2,
        hidden0_to_hidden2=several[:4], hidden0_to_output=5, input_to_output=2,
    )  # fmt: skip
    found = experiment.run(evaluation)
    assert_close(found.gradients, experiment.run_oracle(found.feedback)[1])


def test_delays_may_be_drawn_from_an_interval():
    experiment = Experiment(replace(RECURRENT, sizes=(6, 5)))
    interval = {"delay": UniformDelay(low="1 ms", high="6 ms")}
    settings = dict.fromkeys(("hidden0_to_hidden1", "hidden0_to_output"), interval)
    for evaluation in ("online", "factored"):
        with experiment.assembled(evaluation, projections=settings) as simulation:
            for name in settings:
                wiring = simulation.plan.wiring[name]
                drawn = wiring.delays
                assert drawn is not None and drawn.min() >= 1 and drawn.max() <= 6 and len(set(drawn)) > 2
                source, _, target = name.partition("_to_")
                experiment.delays[source, target] = wiring.matrix(drawn)
            found = experiment.outcome(simulation)
        assert_close(found.gradients, experiment.run_oracle(found.feedback)[1])


@engines
def test_the_same_code_takes_whatever_delays_it_is_given(engine):
    """A compiled library is found in the cache by its code, to which the values of delays do not belong."""
    several = np.arange(36).reshape(6, 6) % 7
    for delays in (
        {"hidden0_to_hidden0": several},
        {"hidden0_to_hidden0": several.T},
        {"hidden0_to_hidden0": 6 - several},
    ):
        experiment = delayed(RECURRENT, **delays)
        found = experiment.run("online", engine)
        assert_close(found.gradients, experiment.run_oracle(found.feedback)[1])


# What is refused


@pytest.mark.parametrize(
    "delay, sentence",
    [
        ("-1 ms", "'-1 ms' is out of range: at least 0 is allowed"),
        (np.array([1, 2, 3, 4, 5, -1]) * ms, "is out of range: at least 0 is allowed"),
        (np.arange(5) * ms, r"delay has shape \(5,\).*\(6,\), one per synapse"),
        (np.ones((2, 3)) * ms, r"delay"),
        ("1 mV", "a time is needed"),
        (3, "has no unit: a time is needed"),
        ("1e7 second", "delay: 1e\\+10 ms are more than 2147483646 steps"),
    ],
)
def test_a_delay_is_a_time_or_one_per_synapse_and_not_negative(delay, sentence):
    net = Network()
    net.add("input", SpikeSource(2))
    net.add("hidden", LIF(3))
    with pytest.raises(UserError, match=rf"(?s)delay.*{sentence}|{sentence}"):
        net.connect("input", "hidden", delay=delay)


def test_a_uniform_delays_limits_are_in_order():
    with pytest.raises(UserError, match="UniformDelay: low = 3 ms must not exceed high = 1 ms"):
        UniformDelay(low="3 ms", high="1 ms")


def test_delays_listed_beside_pairs_in_another_order_are_refused():
    net = Network()
    net.add("input", SpikeSource(2))
    net.add("hidden", LIF(3))
    pairs = ExplicitPairs(pre=[1, 0], post=[0, 0])
    with pytest.raises(UserError, match="input_to_hidden: delays are one per synapse by source, then target, but the"):
        net.connect("input", "hidden", connectivity=pairs, delay=np.array([1, 2]) * ms)


def test_a_delay_is_for_spiking_projections():
    net = Network()
    net.add("hidden", LIF(3))
    net.add("rates", RateReadout(2))
    with pytest.raises(UserError, match="a delay is for spiking projections"):
        net.connect("hidden", "rates", kind="analog", variable="z", every="trial", delay="1 ms")
