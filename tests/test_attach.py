"""Rules on a plain Brian2 script learn what they learn of the same network described."""

from __future__ import annotations

import brian2 as b2
import numpy as np
import pytest
from brian2.utils.logger import catch_logs
from learning_scripts import (
    ALPHA,
    BATCH,
    GIVEN,
    KAPPA,
    MS,
    N_IN,
    N_OUT,
    STEPS,
    TRIALS,
    N,
    Script,
    Shown,
    cells,
    described,
    gradients,
    value,
)

import snnplast
from snnplast import (
    LIF,
    SGD,
    CrossEntropy,
    CustomNeurons,
    LayerNorm,
    LeakyReadout,
    MeanSquaredError,
    Network,
    SpikeSource,
)
from snnplast.engine import NUMPY
from snnplast.rules.delta import Delta
from snnplast.rules.e_prop import EProp
from snnplast.rules.frozen import Frozen
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.rules.third_factors.firing_rate import BatchFiringRate, FiringRate
from snnplast.rules.third_factors.hsic import HSIC
from snnplast.rules.third_factors.readout_error import ReadoutError
from snnplast.rules.third_factors.zero import Zero
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("numpy_code")

SLOW = pytest.mark.slow
RULES = {
    "random": lambda: EProp(batch=BATCH, regularisers=(FiringRate(),)),
    "symmetric": lambda: EProp(batch=BATCH, third_factor=ReadoutError(feedback="symmetric")),
    "batch-firing-rate": lambda: EProp(batch=BATCH, regularisers=(BatchFiringRate(),), average_gradient=7),
    "frozen": lambda: Frozen(batch=BATCH),
    "delta": lambda: Delta(batch=BATCH),
    "spike": lambda: EProp(batch=BATCH, third_factor=Zero(), regularisers=(FiringRate(),)),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ("random", "delta") else SLOW) for name in RULES]
)
def test_a_script_learns_what_its_description_learns(name):
    compare(RULES[name](), MeanSquaredError())


@pytest.mark.slow
def test_it_does_with_another_objective():
    compare(EProp(batch=BATCH), CrossEntropy(window=20))


@pytest.mark.slow
def test_it_does_in_cython():
    b2.prefs.codegen.target = "cython"
    compare(RULES["random"](), MeanSquaredError())


def compare(rule, objective) -> None:
    script, updates = Script(), TRIALS // BATCH
    scheduled = {"updates": updates} if isinstance(rule, Delta) else {}
    learner = script.attach(rule, seed=3, objective=objective, **scheduled)
    simulation = open_simulation(described(), objective, rule, 3, NUMPY)
    with simulation.engine:
        trainer = Trainer(simulation, Shown(objective), updates)
        applied = gradients(trainer)
        spikes = 0
        for update in range(updates):
            for k in range(BATCH):
                script.show(learner, BATCH * update + k)
            found, wanted = learner.update(), trainer.update()
            for key, number in wanted.metrics.items():
                if key == "synaptic_operations" and rule.learns == "readouts":
                    continue  # those of synapses that learn
                assert found.metrics[key] == pytest.approx(number, rel=1e-10), key
            for seen, run in zip(found.trials, wanted.trials, strict=True):
                if "inputs" in seen.spikes:
                    assert all(map(np.array_equal, seen.spikes["inputs"], run.spikes["inputs"]))
                assert seen.counts("cells").tolist() == run.counts("cells").tolist()
                assert seen.judgement.loss == pytest.approx(run.judgement.loss, rel=1e-10)
            assert learner.gradient.keys() == applied.keys()
            for key, gradient in applied.items():
                matrix = trainer.simulation.plan.wiring[key].matrix
                assert np.abs(gradient).max() > 0
                np.testing.assert_allclose(script.matrix(key, learner.gradient[key]), matrix(gradient), atol=1e-10)
            for s in script.synapses:
                matrix = trainer.simulation.plan.wiring[s.name].matrix(simulation.values[s.name])
                np.testing.assert_allclose(script.matrix(s.name, s.w[:]), matrix, rtol=0, atol=1e-10)
            spikes += found.metrics["spikes_per_trial"]
        assert spikes > 10


def test_spikes_that_arrive_where_brian2_lets_them():
    """After the thresholds: a step later, by alpha; and a readout without a gain of 1 - kappa."""
    share = {"S_in": ALPHA, "S_rec": ALPHA, "S_out": 1 / (1 - KAPPA)}
    third = ReadoutError(feedback="symmetric")
    script = Script(early=False)
    learner = script.attach(EProp(third_factor=third, optimizer=SGD(learning_rate=1e-4)), seed=3)
    own = {name: SGD(learning_rate=1e-4 * s**2) for name, s in share.items()}
    rule = EProp(third_factor=third, optimizer=SGD(learning_rate=1e-4), optimizers=own)
    objective = MeanSquaredError()
    simulation = open_simulation(described(early=False), objective, rule, 3, NUMPY)
    with simulation.engine:
        trainer = Trainer(simulation, Shown(objective), 2)
        applied = gradients(trainer)
        for k in range(2):
            script.show(learner, k)
            found, wanted = learner.update(), trainer.update()
            assert found.metrics["spikes_per_trial"] == wanted.metrics["spikes_per_trial"] > 5
            assert found.metrics["loss"] == pytest.approx(wanted.metrics["loss"], rel=1e-10)
            for s in script.synapses:
                matrix = trainer.simulation.plan.wiring[s.name].matrix
                mine, theirs = script.matrix(s.name, learner.gradient[s.name]), share[s.name] * matrix(applied[s.name])
                np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-10 * np.abs(theirs).max())
                mine, theirs = script.matrix(s.name, s.w[:]), matrix(simulation.values[s.name]) / share[s.name]
                np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-10)


def test_a_rule_of_layers():
    """HSIC over a window of two samples: no signal for the first."""
    rule, objective = IBHebbian(third_factor=HSIC(window=2)), MeanSquaredError()
    script = Script()
    learner = script.attach(rule, seed=3, representation=LayerNorm(), updates=3)
    simulation = open_simulation(described(representation=LayerNorm()), objective, rule, 3, NUMPY)
    with simulation.engine:
        trainer = Trainer(simulation, Shown(objective), 3)
        for k in range(3):
            script.show(learner, k, values={"inputs": value(k)})
            assert learner.update().metrics["loss"] == pytest.approx(trainer.update().metrics["loss"], rel=1e-10)
            assert ("S_in" in learner.gradient) == (k > 0)
            for s in script.synapses:
                matrix = simulation.plan.wiring[s.name].matrix(simulation.values[s.name])
                np.testing.assert_allclose(script.matrix(s.name, s.w[:]), matrix, rtol=0, atol=1e-10)
        assert np.abs(learner.gradient["S_in"]).max() > 0


@pytest.mark.slow
def test_the_gradient_of_a_readout_is_the_derivative_of_the_loss():
    loss = {}
    for step in (0.0, 1e-6, -1e-6):
        script = Script(early=False)
        script.s_out.w[3] += step
        learner = script.attach(Frozen())
        script.show(learner, 0)
        found = learner.update()
        loss[step] = found.metrics["loss"] * N_OUT  # the mean over readouts
        if not step:
            gradient = learner.gradient["S_out"][3]
    assert gradient == pytest.approx((loss[1e-6] - loss[-1e-6]) / 2e-6, rel=1e-5)


def test_a_trial_is_one_and_a_whole_one():
    script = Script()
    learner = script.attach(EProp(batch=1))
    with pytest.raises(snnplast.UserError, match=r"update\(\) after 0 trials; 1 is needed"):
        learner.update()
    with pytest.raises(snnplast.UserError, match="nothing ran in it"), learner.trial(0.0):
        pass
    with learner.trial(0.0):
        script.network.run(MS)
        with pytest.raises(snnplast.UserError, match="a trial is under way"), learner.trial(0.0):
            pass  # pragma: no cover
    with pytest.raises(snnplast.UserError, match="1 trials wait for update"), learner.trial(0.0):
        pass  # pragma: no cover
    learner.update()
    with pytest.raises(snnplast.UserError, match=r"no series 'output\.target'"), learner.trial():
        script.network.run(MS)
    with pytest.raises(snnplast.UserError, match=r"shape \(3,\); allowed are \(2,\)"), learner.trial(np.zeros(3)):
        script.network.run(MS)
    script.s_rec.delay = 5 * MS
    with pytest.raises(snnplast.UserError, match="its pairs or delays have changed"), learner.trial(0.0):
        script.network.run(MS)


def test_the_script_stays_as_it_is():
    script = Script()
    objects, before = set(script.network.objects), [s.w[:].copy() for s in script.synapses]
    learner = script.attach(EProp(), objective=CrossEntropy())
    script.network.store()
    script.show(learner, 0)
    for was, s in zip(before, script.synapses, strict=True):
        assert np.array_equal(was, s.w[:])
    learner.update()
    learnt = [s.w[:].copy() for s in script.synapses]
    assert all(np.any(a != b) for a, b in zip(before, learnt, strict=True))
    script.network.restore()
    assert all(np.array_equal(was, s.w[:]) for was, s in zip(before, script.synapses, strict=True))
    learner.write()
    assert all(np.array_equal(now, s.w[:]) for now, s in zip(learnt, script.synapses, strict=True))
    learner.detach()
    assert set(script.network.objects) == objects


def test_weights_within_bounds_and_a_readout_whose_weights_stay():
    script = Script()
    script.s_in.w = np.abs(script.s_in.w)
    low = script.s_in.w[:].min()
    given = {"synapses": [script.s_in], "readout": script.output, "bounds": {"S_in": (low, None)}}
    learner = snnplast.attach(EProp(), script.network, **given)
    script.show(learner, 0)
    assert learner.update().metrics["loss"] > 0
    assert script.s_in.w[:].min() == low
    assert list(learner.gradient) == ["S_in"] and np.any(learner.gradient["S_in"])


def test_a_rule_without_a_readout():
    script = Script()
    rule = EProp(third_factor=None, regularisers=(FiringRate(),))
    learner = snnplast.attach(rule, script.network, synapses=[script.s_in])
    script.inputs.set_spikes(GIVEN.spikes[0][1], GIVEN.spikes[0][0] * MS)
    with pytest.raises(snnplast.UserError, match="is about a readout, and none is attached"), learner.trial(target=1):
        pass  # pragma: no cover
    with learner.trial():
        script.network.run(STEPS * MS)
    learner.update()
    assert np.any(learner.gradient["S_in"])


def test_a_floor_of_the_script_cuts_traces_as_that_of_a_description():
    script = Script()
    script.cells.run_regularly("v = clip(v, -0.05, inf)", when="after_groups", dt=MS)
    third = ReadoutError(feedback="symmetric")
    learner, net = script.attach(EProp(third_factor=third)), described()
    net.populations["cells"] = LIF(N, tau_m="20 ms", v_threshold=0.6, refractory="2 ms", v_min=-0.05)
    objective = MeanSquaredError()
    simulation = open_simulation(net, objective, EProp(third_factor=third), 0, NUMPY)
    with simulation.engine:
        trainer = Trainer(simulation, Shown(objective), 1)
        applied = gradients(trainer)
        script.show(learner, 0)
        found, wanted = learner.update(), trainer.update()
        assert found.metrics["spikes_per_trial"] == wanted.metrics["spikes_per_trial"] > 3
    for s in script.synapses:
        matrix = trainer.simulation.plan.wiring[s.name].matrix(applied[s.name])
        assert np.any(matrix)
        np.testing.assert_allclose(script.matrix(s.name, learner.gradient[s.name]), matrix, atol=1e-10)


def test_noise_that_is_added_and_time_arrays_of_a_script():
    script = Script()
    around = {"drive": b2.TimedArray([0.0, 0.02, 0.05], dt=40 * MS)}
    lines = "dv/dt = (5*drive(t) - v)/(20*ms) + 0.05*xi*(20*ms)**-0.5 : 1"
    cells(script, lines, "v > 0.6", reset="v = 0", method="euler", namespace=around)
    script.s_in.w, script.s_out.w = GIVEN.w_in.reshape(-1), GIVEN.w_out.reshape(-1)
    learner = script.attach(EProp())
    script.show(learner, 0)
    step = learner.update()
    assert step.metrics["spikes_per_trial"] > 3 and np.any(learner.gradient[script.synapses[0].name])


def test_time_constants_and_thresholds_of_each_neuron():
    """Parameters of the group, as they were when it was attached; a subexpression may stand for the threshold."""
    tau, vt = np.linspace(10, 30, N), np.linspace(0.4, 0.8, N)
    script = Script(early=False)
    cells(script, "dv/dt = -v/tau : 1\ntau : second\nvt : 1\ntop = 1*vt : 1", "v > top", reset="v -= vt")
    script.cells.tau, script.cells.vt = tau * MS, vt
    script.s_in.w, script.s_out.w = GIVEN.w_in.reshape(-1), GIVEN.w_out.reshape(-1)
    third = ReadoutError(feedback="symmetric")
    learner = script.attach(EProp(third_factor=third))
    name, (s_in, s_out) = script.cells.name, (s.name for s in script.synapses)
    alpha = np.exp(-1 / tau)
    net = Network()
    net.add("inputs", SpikeSource(N_IN))
    lines = "dv/dt = -v/tau : 1\ntau : second (constant)\nvt : 1 (constant)"
    own = {"constants": {"tau": tau * MS, "vt": vt}, "reset": "v -= vt", "threshold": "v > vt"}
    net.add(name, CustomNeurons(N, equations=lines, distance="v - vt", threshold_scale="vt", **own))
    net.add("output", LeakyReadout(N_OUT, tau_m="15 ms"))
    net.connect("inputs", name, name=s_in, weights=alpha * GIVEN.w_in, delay="1 ms", plastic=True)
    net.connect(name, "output", name=s_out, weights=GIVEN.w_out / (1 - KAPPA), plastic=True)
    objective = MeanSquaredError()
    simulation = open_simulation(net, objective, EProp(third_factor=third), 0, NUMPY)
    with simulation.engine:
        trainer = Trainer(simulation, Shown(objective), 1)
        applied = gradients(trainer)
        script.show(learner, 0)
        assert learner.update().metrics["loss"] == pytest.approx(trainer.update().metrics["loss"], rel=1e-10)
    wanted = (applied[s_in].reshape(N_IN, N) * alpha).reshape(-1)
    assert np.abs(wanted).max() > 0
    np.testing.assert_allclose(learner.gradient[s_in], wanted, rtol=1e-10, atol=1e-10 * np.abs(wanted).max())
    script.cells.vt = 0.5
    with pytest.raises(snnplast.UserError, match="'vt' has changed since"):
        script.show(learner, 1)


def test_constants_of_the_script_are_its_own_so_that_brian2_warns_of_nothing():
    E = -70 * b2.mV
    inputs = b2.SpikeGeneratorGroup(1, [0], [1] * MS, dt=1 * MS)
    cells = b2.NeuronGroup(
        2, "dv/dt = (E - v)/(20*ms) : volt", threshold="v > E + 20*mV", reset="v = E", method="exact", dt=1 * MS
    )
    cells.v = E
    synapses = b2.Synapses(inputs, cells, "s : 1", on_pre="v_post += s*mV", dt=1 * MS)
    synapses.connect()
    synapses.s = 30
    network = b2.Network(inputs, cells, synapses)
    rule = EProp(third_factor="firing-rate")
    with catch_logs() as warned:
        learner = snnplast.attach(rule, network, synapses=[synapses])
        with learner.trial():
            network.run(5 * MS)
        assert learner.update().metrics["spikes_per_trial"] == 2
    assert not [message for _, name, message in warned if "resolution_conflict" in name]
