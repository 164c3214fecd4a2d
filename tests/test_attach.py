"""Rules on a plain Brian2 script learn what they learn of the same network described, or are refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import brian2 as b2
import numpy as np
import pytest

import snnplast
from snnplast import (
    LIF,
    SGD,
    CrossEntropy,
    CustomNeurons,
    ExplicitPairs,
    LayerNorm,
    LeakyReadout,
    MeanSquaredError,
    Network,
    Segment,
    SpikeSource,
    Task,
)
from snnplast.engine import NUMPY
from snnplast.rules.delta import Delta
from snnplast.rules.e_prop import EProp
from snnplast.rules.frozen import Frozen
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.rules.reward_hebbian import RewardHebbian
from snnplast.rules.third_factors.firing_rate import BatchFiringRate, FiringRate
from snnplast.rules.third_factors.hsic import HSIC
from snnplast.rules.third_factors.readout_error import ReadoutError
from snnplast.rules.third_factors.zero import Zero
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

MS = b2.ms
N_IN, N, N_OUT, STEPS, TRIALS, BATCH = 6, 8, 2, 40, 4, 2
ALPHA, KAPPA = np.exp(-1 / 20), np.exp(-1 / 15)


@pytest.fixture(autouse=True)
def _numpy():
    before = b2.prefs.codegen.target
    b2.prefs.codegen.target = "numpy"
    yield
    b2.prefs.codegen.target = before


@dataclass
class Given:
    """Weights, delays (steps), spikes and targets of both sides; weights as matrices of the script's units."""

    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(4))

    def __post_init__(self) -> None:
        rng = self.rng
        self.w_in, self.w_rec, self.w_out = (
            rng.normal(0.35, 0.3, (N_IN, N)),
            rng.normal(0, 0.3, (N, N)),
            rng.normal(0, 1, (N, N_OUT)),
        )
        pre, post = np.nonzero(~np.eye(N, dtype=bool))
        self.rec = pre, post
        self.delays = rng.integers(0, 4, pre.size)
        rasters = rng.random((TRIALS, STEPS, N_IN)) < 0.15
        rasters[:, STEPS - 8 :] = False
        self.spikes = [np.nonzero(raster) for raster in rasters]
        self.targets = rng.normal(0, 1, (TRIALS, STEPS, N_OUT))


GIVEN = Given()


@dataclass
class Script:
    """The plain Brian2 script. early: spikes arrive before the thresholds, as in this library; else Brian2's slots."""

    early: bool = True
    dt: float = 1.0

    def __post_init__(self) -> None:
        given, dt, tau, theta = GIVEN, self.dt * MS, 20 * MS, 0.6
        around = {"tau": tau, "theta": theta, "tau_out": 15 * MS}
        first = {"when": "start", "order": -1} if self.early else {}
        self.inputs = b2.SpikeGeneratorGroup(N_IN, [0], [0] * MS, dt=dt, name="inputs", **first)
        self.cells = b2.NeuronGroup(
            N, "dv/dt = -v/tau : 1", threshold="v >= theta", reset="v -= theta", refractory=2 * MS, method="exact",
            dt=dt, name="cells", namespace=around,
        )  # fmt: skip
        self.output = b2.NeuronGroup(N_OUT, "dy/dt = -y/tau_out : 1", dt=dt, name="output", namespace=around)
        gain = "(1 - exp(-dt/tau_out))*" if self.early else ""
        self.s_in = b2.Synapses(self.inputs, self.cells, "w : 1", on_pre="v_post += w", dt=dt, name="S_in")
        self.s_rec = b2.Synapses(self.cells, self.cells, "w : 1", on_pre="v += w", dt=dt, name="S_rec")
        self.s_out = b2.Synapses(
            self.cells, self.output, "w : 1", on_pre=f"y_post += {gain}w", dt=dt, name="S_out", namespace=around
        )
        if self.early:
            self.s_in.pre.when = self.s_rec.pre.when = "after_groups"
        shuffled = np.random.default_rng(1).permutation(N_IN * N)
        self.s_in.connect(i=shuffled // N, j=shuffled % N)
        self.s_rec.connect(i=given.rec[0], j=given.rec[1])
        self.s_out.connect()
        self.s_in.w = given.w_in[self.s_in.i, self.s_in.j]
        self.s_rec.w = given.w_rec[given.rec]
        self.s_rec.delay = given.delays * MS
        self.s_out.w = given.w_out.reshape(-1)
        self.network = b2.Network(self.inputs, self.cells, self.output, self.s_in, self.s_rec, self.s_out)
        self.synapses = [self.s_in, self.s_rec, self.s_out]

    def attach(self, rule, **settings):
        return snnplast.attach(rule, self.network, synapses=self.synapses, readout=self.output, **settings)

    def show(self, learner, k, **given) -> None:
        """Trial k from rest: no neuron is refractory, and no spike is under way."""
        self.cells.v = -1000
        self.network.run(10 * MS)
        self.cells.v = 0
        self.output.y = 0
        steps, indices = GIVEN.spikes[k]
        self.inputs.set_spikes(indices, steps * MS + self.network.t)
        with learner.trial(GIVEN.targets[k], **given):
            self.network.run(STEPS * MS)

    def matrix(self, name, values) -> np.ndarray:
        synapses = {s.name: s for s in self.synapses}[name]
        matrix = np.zeros((synapses.source.N, synapses.target.N))
        matrix[synapses.i, synapses.j] = values
        return matrix


class Shown(Task):
    def __init__(self, objective) -> None:
        self.objective, self.seed = objective, 0

    def trial(self, index):
        shown = {"output.target": GIVEN.targets[index], "inputs.value": value(index)}
        yield Segment(STEPS, {"inputs": GIVEN.spikes[index]}, shown)


def value(k) -> np.ndarray:
    """What the spikes of trial k stand for."""
    return np.bincount(GIVEN.spikes[k][1], minlength=N_IN) / STEPS


def described(early=True, representation=None) -> Network:
    """The network of the script, as this library describes it."""
    late, s_in, s_out = (0, 1.0, 1.0) if early else (1, ALPHA, 1 / (1 - KAPPA))
    net = Network()
    net.add("inputs", SpikeSource(N_IN))
    net.add("cells", LIF(N, tau_m="20 ms", v_threshold=0.6, refractory="2 ms", representation=representation))
    net.add("output", LeakyReadout(N_OUT, tau_m="15 ms"))
    net.connect("inputs", "cells", name="S_in", weights=s_in * GIVEN.w_in, delay=f"{late} ms", plastic=True)
    net.connect(
        "cells", "cells", name="S_rec", connectivity=ExplicitPairs(pre=GIVEN.rec[0], post=GIVEN.rec[1]), plastic=True,
        weights=s_in * GIVEN.w_rec[GIVEN.rec], delay=[f"{d} ms" for d in GIVEN.delays],
    )  # fmt: skip
    net.connect("cells", "output", name="S_out", weights=s_out * GIVEN.w_out, plastic=True)
    return net


def gradients(trainer) -> dict[str, np.ndarray]:
    """Those of the next update, as it applies them."""
    found: dict[str, np.ndarray] = {}
    apply = trainer._apply

    def kept(given):
        found.update({name: values.copy() for name, values in given.items()})
        apply(given)

    trainer._apply = kept
    return found


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


def replaced(script, **groups) -> None:
    """Other neurons in the place of the script's, with all synapses made again."""
    for name, group in groups.items():
        setattr(script, name, group)
    script.s_in = b2.Synapses(script.inputs, script.cells, "w : 1", on_pre="v_post += w", dt=MS, name="S_in*")
    script.s_out = b2.Synapses(script.cells, script.output, "w : 1", on_pre="y_post += w", dt=MS, name="S_out*")
    script.s_in.connect()
    script.s_out.connect()
    script.synapses = [script.s_in, script.s_out]
    script.network = b2.Network(script.inputs, script.cells, script.output, *script.synapses)


def cells(script, equations="dv/dt = -v/(20*ms) : 1", threshold="v > 1", **settings) -> None:
    settings = {"method": "exact", "reset": "v = 0", "dt": MS, "name": "others*"} | settings
    replaced(script, cells=b2.NeuronGroup(N, equations, threshold=threshold, **settings))


def synapses(script, model="w : 1", **settings) -> None:
    other = b2.Synapses(script.inputs, script.cells, model, dt=MS, name="others", **settings)
    other.connect()
    script.synapses = [other]
    script.network.add(other)


def kicked(script) -> None:
    cells(script)
    script.cells.run_regularly("v += 0.1", dt=MS)


def floored_first(script) -> None:
    script.cells.run_regularly("v = clip(v, -1, inf)", when="after_groups", order=0, dt=MS)
    script.s_in.pre.order = 1


def halved(script) -> None:
    other = b2.Synapses(script.inputs, script.cells[:4], "w : 1", on_pre="v_post += w", dt=MS, name="others")
    script.synapses = [other]
    script.network.add(other)


def twice(script) -> None:
    synapses(script, on_pre="v_post += w")
    script.synapses[0].connect()


def two_steps(script) -> None:
    synapses(script, on_pre="v_post += w")
    script.inputs = b2.SpikeGeneratorGroup(N_IN, [0], [0] * MS, dt=0.5 * MS)
    other = b2.Synapses(script.inputs, script.cells, "w : 1", on_pre="v_post += w", dt=MS)
    other.connect()
    script.synapses = [other]
    script.network.add(other)


REFUSED = {
    "evaluation = 'online': 'factored', after each trial, is allowed": (None, EProp(evaluation="online"), {}),
    "rule 'reward-hebbian' explores in steps of its own": (None, RewardHebbian(), {}),
    "rule = 'e-prop': a rule, such as EProp\\(\\), is needed": (None, "e-prop", {}),
    "third factor 'readout-error' learns weights of its own": (
        None, EProp(third_factor=ReadoutError(feedback="adaptive")), {}
    ),
    "third factor 'hsic': population 'cells' has no rate representation": (None, IBHebbian(), {}),
    "representation = 3: LayerNorm": (None, IBHebbian(), {"representation": 3}),
    "rule 'delta' has a schedule, which needs their number": (None, Delta(), {}),
    "updates = 0: an integer of at least 1": (None, Delta(), {"updates": 0}),
    "objective.readout = 'input', but readout is 'output'": (
        None, EProp(), {"objective": MeanSquaredError(readout="input")}
    ),
    "unknown name of synapses 'S_im': did you mean 'S_in'": (None, EProp(), {"bounds": {"S_im": (0, 1)}}),
    "S_in: initial weights span .* beyond bounds": (None, EProp(), {"bounds": {"S_in": (0, 1)}}),
    "objective = 'mse': an Objective": (None, EProp(), {"objective": "mse"}),
    "target 'output' does not spike; readout=... says": (None, EProp(), {"readout": None}),
    "synapses = .*: a list of Brian2's Synapses": (None, EProp(), {"synapses": []}),
    "network = .*: the Brian2 Network that runs": (None, EProp(), {"network": 3}),
    "S_in: it is not in the network": (lambda s: s.network.remove(s.s_in), EProp(), {}),
    "what its reset does depends on the state": (lambda s: cells(s, reset="v = 0.1*v**2"), EProp(), {}),
    "'milstein' takes noise whose strength depends on no state": (
        lambda s: cells(s, "dv/dt = -v/(20*ms) + 0.1*v*xi*second**-0.5 : 1", method="milstein"), EProp(), {}
    ),
    "S_in: its spikes arrive after 'v = clip\\(v, -1, inf\\)' has changed 'v'": (floored_first, EProp(), {}),
    "'v [+]= 0.1' changes 'v' in slot 'start'": (kicked, EProp(), {}),
    "threshold = 'v > 1 and v < 9' is not 'a > b'": (lambda s: cells(s, threshold="v > 1 and v < 9"), EProp(), {}),
    "a trial begins -50 below the threshold": (lambda s: cells(s, threshold="v > -50"), EProp(), {}),
    "surrogates: unknown name of neurons 'cell': did you mean 'cells'": (None, EProp(), {"surrogates": {"cell": {}}}),
    "surrogates\\['cells'\\]: unknown setting 'scale'": (None, EProp(), {"surrogates": {"cells": {"scale": 1}}}),
    "'w' has a unit; a weight without one, times a constant": (
        lambda s: synapses(s, "w : volt", on_pre="v_post += w/volt"), EProp(), {}
    ),
    "on_pre = 'v_post [+]= w\\*w': a constant times 'w'": (lambda s: synapses(s, on_pre="v_post += w*w"), EProp(), {}),
    "on_pre = 'v_post = w': one weight and one statement": (lambda s: synapses(s, on_pre="v_post = w"), EProp(), {}),
    "others: one on_pre": (lambda s: synapses(s, on_pre="v_post += w", on_post="w += 0.1"), EProp(), {}),
    "others: it has equations of its own": (
        lambda s: synapses(s, "w : 1\ndx/dt = -x/ms : 1 (event-driven)", on_pre="v_post += w"), EProp(), {}
    ),
    "target 'cells_subgroup' is part of a group": (halved, EProp(), {}),
    "some pair of neurons has two synapses": (twice, EProp(), {}),
    "several time steps": (two_steps, EProp(), {}),
}  # fmt: skip


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_could_not_be_learned_exactly_is_refused(sentence):
    change, rule, settings = REFUSED[sentence]
    script = Script()
    if change is not None:
        change(script)
    given = {"network": script.network, "synapses": script.synapses, "readout": script.output} | settings
    before = {b2_object.name for b2_object in script.network.objects}
    with pytest.raises(snnplast.UserError, match=sentence) as told:
        snnplast.attach(rule, given.pop("network"), **given)
    assert "\n" not in str(told.value)
    assert {b2_object.name for b2_object in script.network.objects} == before


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
