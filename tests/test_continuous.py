"""A run without trials: in pieces it is the run in one piece; it is checkpointed, and tests leave it alone."""

from __future__ import annotations

import numpy as np
import pytest

import snnplast as snn
from snnplast.engine import NUMPY
from snnplast.network import UniformDelay
from snnplast.record import read_run

ENGINES = [NUMPY, "compiled"]
STEPS = 600


class Pieces(snn.Task):
    """Given spikes of a long run, shown in pieces that go on from each other."""

    def __init__(self, pieces, tests=0):
        self.epoch, self.tests, self.continuous = pieces, tests, pieces > 1
        rng = np.random.default_rng(2)
        self.steps, self.indices = np.nonzero(rng.random((STEPS, 12)) < 0.08)

    def trial(self, index):
        length = STEPS // self.epoch
        here = (self.steps >= index * length) & (self.steps < (index + 1) * length)
        yield snn.Segment(length, {"input": (self.steps[here] - index * length, self.indices[here])})

    def test(self, index):
        yield snn.Segment(50, {"input": ([3, 4], [0, 1])})


def network():
    net = snn.Network()
    net.add("input", snn.SpikeSource(12))
    net.add("hidden", snn.ALIF(8, tau_m="20 ms", refractory="4 ms", beta=0.2, tau_adapt="300 ms"))
    settings = {"weights": snn.Uniform(low=0.2, high=0.9), "bounds": (0, 1), "plastic": True}
    net.connect("input", "hidden", delay=UniformDelay(low="0 ms", high="9 ms"), **settings)
    net.connect("hidden", "hidden", delay="5 ms", self_connections=False, **settings)
    return net


def experiment(task, engine, **settings):
    given = {"epochs": 1, "seed": 4, **settings}
    return snn.Experiment(network(), task, snn.STDP(a_plus=0.02, a_minus=0.03), engine=engine, **given)


def spikes(records, length):
    found = [(r.spikes["hidden"][0] + k * length, r.spikes["hidden"][1]) for k, r in enumerate(records)]
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def run(task, engine, testing=False):
    with snn.open(experiment(task, engine)) as sim:
        records = []
        for _ in range(task.epoch):
            (record,) = sim.update().trials
            record.spikes = {name: tuple(map(np.copy, given)) for name, given in record.spikes.items()}
            records.append(record)
            if testing:
                sim.evaluate()
                sim.test(0)
                sim.trial(3)
        return spikes(records, STEPS // task.epoch), dict(sim.snapshot())


@pytest.mark.parametrize("engine", ENGINES)
def test_in_pieces_it_is_the_run_in_one_piece(engine):
    (steps, indices), weights = run(Pieces(1), engine)
    (in_pieces, of), learned = run(Pieces(12, tests=1), engine, testing=True)
    assert steps.size > 100
    assert np.array_equal(steps, in_pieces) and np.array_equal(indices, of)
    for name, values in weights.items():
        np.testing.assert_allclose(learned[name], values, rtol=0, atol=1e-13)


@pytest.mark.parametrize("engine", [NUMPY, pytest.param("compiled", marks=pytest.mark.slow)])
def test_a_resumed_run_is_the_one_that_was_never_interrupted(engine, tmp_path):
    whole = snn.train(experiment(Pieces(6), engine, epochs=1, record=tmp_path / "whole.h5"), progress=False)

    part = experiment(Pieces(6), engine, epochs=None, iterations=2, record=tmp_path / "part.h5")
    snn.train(part, progress=False)
    longer = experiment(Pieces(6), engine, epochs=None, iterations=6, record=tmp_path / "part.h5")
    resumed = snn.resume(tmp_path / "part.h5", longer, progress=False)
    for name in ("input_to_hidden", "hidden_to_hidden"):
        assert np.array_equal(resumed.weights[name], whole.weights[name])
    kept = read_run(tmp_path / "part.h5")
    assert kept.status == "finished"


@pytest.mark.slow
def test_an_hour_is_recorded_in_bounded_memory():
    net = snn.Network()
    net.add("input", snn.PoissonSource(3, peak_rate="20 Hz"))
    net.add("hidden", snn.LIF(2))
    net.connect("input", "hidden", weights=snn.Uniform(low=0.5, high=1), bounds=(0, 1), plastic=True)
    task = snn.FreeRun("25 s", piece="10 s", inputs={"input": [1, 1, 1]})
    run = snn.train(snn.Experiment(net, task, snn.STDP(), epochs=1, engine="compiled"), progress=False)
    assert task.epoch == 3 and run.metrics["spikes_per_trial"].size == 1
    with snn.open(snn.Experiment(net, task, snn.STDP(), epochs=1, engine="compiled")) as sim:
        assert [sim.update().trials[0].steps for _ in range(3)] == [10000, 10000, 5000]


def test_what_does_not_go_on_is_refused():
    with pytest.raises(snn.UserError, match=r"task.continuous: rule 'frozen' makes its gradient of trials that begin"):
        net = network()
        net.add("output", snn.LeakyReadout(2))
        net.connect("hidden", "output", plastic=True)
        task = Pieces(3)
        task.objective = snn.MeanSquaredError()
        snn.open(snn.Experiment(net, task, snn.Frozen(), epochs=1, engine=NUMPY))
    net = snn.Network()
    net.add("input", snn.SpikeSource(12))
    code = {"equations": "dv/dt = -v/(20*ms) + sin(t/second)*Hz : 1", "threshold": "v > 1", "reset": "v = 0"}
    net.add("hidden", snn.CustomNeurons(8, method="euler", **code))
    net.connect("input", "hidden", weights=0.5, bounds=(0, 1), plastic=True)
    with pytest.raises(snn.UserError, match=r"the code of 'hidden' reads the time t, which begins anew"):
        snn.open(snn.Experiment(net, Pieces(3), snn.STDP(), epochs=1, engine=NUMPY))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"duration": "10"}, "task.duration: '10' has no unit"),
        ({"duration": "-1 s"}, "task.duration = '-1 s': a time above 0 is needed"),
        ({"duration": "1 s", "piece": "3 mV"}, "task.piece: "),
    ],
)
def test_wrong_times_are_refused(given, said):
    with pytest.raises(snn.UserError, match=said):
        snn.FreeRun(**given)
