"""What is gathered of one trial and drawn of it: the same numbers as the record, and the papers' equations on them."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from snnplast import ALIF, LIF, Classification, LeakyReadout, Network, Normal, PoissonSource, Segment, Task
from snnplast.activity.figure import draw
from snnplast.activity.observe import observe
from snnplast.activity.probe import Watched
from snnplast.config.experiment import Experiment
from snnplast.engine import NUMPY
from snnplast.random_streams import TEST, TRAINING
from snnplast.rules.e_prop import EProp
from snnplast.rules.frozen import Frozen
from snnplast.task.objective import CrossEntropy, MeanSquaredError
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

ADAPTS = np.array([0.0, 0.2, 0.0, 0.0, 0.2, 0.2])
STEPS, KAPPA, ALPHA, RHO = 60, np.exp(-1 / 20), np.exp(-1 / 20), np.exp(-1 / 200)


def network(beta=ADAPTS, **readout):
    net = Network()
    net.add("input", PoissonSource(5, peak_rate="300 Hz"))
    net.add("hidden", ALIF(6, v_threshold=0.5, tau_adapt="200 ms", beta=beta))
    net.add("output", LeakyReadout(2, **readout))
    net.connect("input", "hidden", weights=Normal(gain=1.5), plastic=True)
    net.connect("hidden", "hidden", weights=Normal(gain=0.5), plastic=True, self_connections=False)
    net.connect("hidden", "output", weights=Normal(), plastic=True)
    return net


def task(window=20):
    x = np.random.default_rng(0).random((3, 5))
    return Classification(x, [0, 1, 0], x, [0, 1, 0], STEPS, seed=4, objective=CrossEntropy(window=window))


def opened(rule, net=None, objective=None, recorded=()):
    return open_simulation(net or network(), objective or task().objective, rule, 1, NUMPY, recorded=recorded)


@pytest.fixture(scope="module")
def activity():
    """Test trial 1 as it is shown, with traces."""
    simulation = opened(EProp(evaluation="online"))
    with simulation.engine:
        return observe(simulation, task(), TEST, 1)


@pytest.fixture(scope="module")
def plain():
    """The same trial as the trainer runs it: (its record, the weights of the feedback)."""
    simulation = opened(EProp(), recorded=["hidden.v", "hidden.a"])
    with simulation.engine:
        record = Trainer(simulation, task(), 1).run(TEST, 1)
        record.history = {name: rows.copy() for name, rows in record.history.items()}
        assert record.spikes["hidden"][0].size > 20
        return record, record.wiring["feedback_hidden"].matrix(simulation.values["feedback_hidden"]).copy()


def traces(record, source, latency):
    """e_ji and eps_ji of all pairs (T, n_pre, n_post), from the equations."""
    steps, neurons = record.spikes[source]
    q = np.zeros((STEPS + 1, record.network.populations[source].size))
    q[steps + latency, neurons] = 1
    zbar, psi = lfilter([1], [1, -ALPHA], q[:STEPS], axis=0), record.history["hidden.psi"]
    e, eps = np.zeros((STEPS, q.shape[1], 6)), np.zeros((STEPS + 1, q.shape[1], 6))
    for t in range(STEPS):
        e[t] = psi[t] * (zbar[t][:, None] - ADAPTS * eps[t])
        eps[t + 1] = RHO * eps[t] + e[t]
    return e, eps[1:]


def test_spikes_readout_and_metrics_are_those_of_the_record(activity, plain):
    record, _ = plain
    for name in ("input", "hidden"):
        np.testing.assert_array_equal(activity.spikes[name], record.spikes[name])
    y = np.exp(record.history["output.y"])
    np.testing.assert_allclose(activity.readout.y, y / y.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_array_equal(activity.readout.target, record.series["output.target"])
    np.testing.assert_allclose(activity.readout.error, record.series["output.error"], rtol=1e-12)
    np.testing.assert_array_equal(activity.readout.window, np.arange(STEPS) >= 40)
    assert activity.metrics["loss"] == pytest.approx(record.judgement.loss, rel=1e-12)
    assert activity.metrics["accuracy"] == record.judgement.correct


def test_neurons_with_and_without_adaptation_are_groups_of_their_own(activity, plain):
    groups = [(group.name, group.indices.tolist()) for group in activity.groups]
    assert groups == [("input", [0, 1, 2, 3, 4]), ("hidden, LIF", [0, 2, 3]), ("hidden, ALIF", [1, 4, 5])]
    for group in activity.groups:
        np.testing.assert_array_equal(activity.counts(group), plain[0].counts(group.population)[group.indices])


def test_membrane_threshold_spikes_and_learning_signal_of_an_example_are_those_of_the_record(activity, plain):
    record, feedback = plain
    assert [neuron.group.kind for neuron in activity.neurons] == ["LIF", "ALIF"]
    for neuron in activity.neurons:
        j = neuron.index
        np.testing.assert_allclose(neuron.membrane, record.history["hidden.v"][:, j], rtol=1e-12)
        threshold = 0.5 + ADAPTS[j] * record.history["hidden.a"][:, j]
        np.testing.assert_allclose(neuron.threshold, threshold, rtol=1e-12)
        np.testing.assert_array_equal(neuron.spikes, record.spikes["hidden"][0][record.spikes["hidden"][1] == j])
        np.testing.assert_allclose(neuron.signal, record.series["output.error"] @ feedback[:, j], rtol=1e-12)
    assert np.ptp(activity.neurons[1].threshold) > 0.1


def test_traces_follow_the_equations_and_are_the_largest_of_their_neuron(activity, plain):
    latency = {"input": 0, "hidden": 1}
    assert [s.projection for s in activity.synapses[:2]] in (
        ["input_to_hidden", "hidden_to_hidden"],
        ["hidden_to_hidden", "input_to_hidden"],
    )
    for synapse in activity.synapses:
        j = activity.neurons[synapse.neuron].index
        e, eps = (values[:, :, j] for values in traces(plain[0], synapse.source, latency[synapse.source]))
        if synapse.source == "hidden":
            e[:, j] = 0  # no neuron projects to itself
        np.testing.assert_allclose(synapse.eligibility, e[:, synapse.pre], rtol=1e-10, atol=1e-14)
        filtered = lfilter([1 - KAPPA], [1, -KAPPA], e[:, synapse.pre])
        np.testing.assert_allclose(synapse.filtered, filtered, rtol=1e-10, atol=1e-14)
        assert np.abs(e).sum(axis=0).argmax() == synapse.pre
        if ADAPTS[j]:
            np.testing.assert_allclose(synapse.slow, ADAPTS[j] * eps[:, synapse.pre], rtol=1e-10, atol=1e-14)
        else:
            assert synapse.slow is None


def test_the_examples_are_the_spiking_neurons_with_the_largest_traces(activity, plain):
    record, _ = plain
    off_diagonal = 1 - np.eye(6)
    total = np.abs(traces(record, "input", 0)[0]).sum(axis=(0, 1))
    total += (np.abs(traces(record, "hidden", 1)[0]).sum(axis=0) * off_diagonal).sum(axis=0)
    total[record.counts("hidden") == 0] = -1
    for neuron in activity.neurons:
        assert neuron.index == max(neuron.group.indices, key=lambda j: total[j])


def test_one_kind_of_neurons_gives_two_examples_with_colours_of_their_own():
    simulation = opened(EProp(evaluation="online"), network(beta=0.0))
    with simulation.engine:
        found = observe(simulation, task(), TRAINING, 0)
    assert [neuron.group.name for neuron in found.neurons] == ["hidden, LIF"] * 2
    assert len({neuron.index for neuron in found.neurons}) == 2
    figure = draw(found, "title")
    colours = [axis.lines[0].get_color() for axis in figure.axes if axis.get_ylabel().startswith("membrane")]
    assert len(set(colours)) == 2


def test_without_traces_the_examples_are_those_that_spike_most():
    simulation = opened(Frozen())
    with simulation.engine:
        found = observe(simulation, task(), TRAINING, 0)
    assert found.synapses == []
    for neuron in found.neurons:
        assert neuron.spikes.size == found.counts(neuron.group).max() > 0


def test_symmetric_feedback_has_its_weights_before_the_trial():
    rule = EProp(evaluation="online", third_factor={"name": "readout-error", "feedback": "symmetric"})
    simulation = opened(rule)
    with simulation.engine:
        found = observe(simulation, task(), TRAINING, 0)
        weights = simulation.plan.wiring["hidden_to_output"].matrix(simulation.values["hidden_to_output"])
        for neuron in found.neurons:
            np.testing.assert_allclose(neuron.signal, found.readout.error @ weights[neuron.index], rtol=1e-12)
            assert np.any(neuron.signal)


def test_a_population_of_lif_neurons_needs_no_adaptation():
    net = Network()
    net.add("input", PoissonSource(5, peak_rate="300 Hz"))
    net.add("hidden", LIF(3, v_threshold=[0.4, 0.5, 0.6]))
    net.add("output", LeakyReadout(1))
    net.connect("input", "hidden", weights=Normal(gain=1.5), plastic=True)
    net.connect("hidden", "output", plastic=True)
    simulation = opened(EProp(evaluation="online"), net, MeanSquaredError())

    class Ramp(Task):
        objective = MeanSquaredError()

        def trial(self, index):
            for _ in range(2):
                yield Segment(10, {"input": np.ones(5)}, {"output.target": np.linspace(0, 1, 10)[:, None]})

    with simulation.engine:
        found = observe(simulation, Ramp(), TRAINING, 0)
    for neuron in found.neurons:
        np.testing.assert_array_equal(neuron.threshold, np.full(20, [0.4, 0.5, 0.6][neuron.index]))
    assert not found.readout.softmax
    assert found.readout.y.shape == (20, 1)
    assert found.metrics.keys() >= {"loss"} and "accuracy" not in found.metrics
    draw(found, "title")


RUNTIME = ("engine=runtime", "engine.target=numpy")


@pytest.mark.parametrize("third_factor", ["hsic", "readout-error", "reservoir"])
def test_a_readout_that_acts_once_per_trial_is_shown_as_bars(third_factor):
    sets = [*RUNTIME, "rules.ib-hebbian.evaluation=online", f"rules.ib-hebbian.third_factor={third_factor}"]
    small = ["units=8", "teacher.window=4", "streams=2", "stream_length=6"]
    sets += [f"third_factors.reservoir.{text}" for text in small]
    experiment = Experiment.of("xor", *sets)
    given = experiment.task()
    simulation = open_simulation(experiment.network, given.objective, experiment.rule, 0, NUMPY)
    with simulation.engine:
        before = {name: values.copy() for name, values in simulation.persistent().items()}
        found = observe(simulation, given, TRAINING, 3)
        for name, values in simulation.persistent().items():
            np.testing.assert_array_equal(values, before[name])
        record = Trainer(simulation, given, 1).run(TRAINING, 3)
    assert (third_factor == "reservoir") == bool(before)
    assert found.readout.once
    np.testing.assert_allclose(found.readout.error, record.judgement.error)
    ready = third_factor == "readout-error"
    assert (found.signals["hidden"] is not None) == ready
    figure = draw(found, "title")
    titles = [axis.get_title(loc="left") for axis in figure.axes[-3:]]
    assert titles == ["softmax (outline: target)", "error $E_k$", "third factor of hidden"]
    heights = [bar.get_height() for bar in figure.axes[-2].patches]
    np.testing.assert_allclose(heights, found.readout.error[0])


def test_several_answers_to_one_trial_are_shown_with_their_mean(activity):
    rows = np.random.default_rng(0).random((4, 2))
    answers = replace(activity.readout, y=rows, error=rows - 0.5, target=np.eye(2)[[1] * 4], once=True)
    *_, said, error = draw(replace(activity, readout=answers), "").axes
    for axis, values in ((said, rows), (error, rows - 0.5)):
        bars = [bar.get_height() for bar in axis.patches if bar.get_fill()]
        np.testing.assert_allclose(bars, values.mean(axis=0))
        dots = [line.get_ydata() for line in axis.lines if line.get_marker() == "."]
        np.testing.assert_allclose(np.array(dots), values)


def test_watching_an_engine_changes_nothing_and_shows_every_step():
    simulation = opened(EProp(evaluation="online"), recorded=["hidden.v"])
    seen = []
    with simulation.engine as engine:
        engine.set_spikes("input", np.arange(STEPS), np.arange(STEPS) % 5)
        engine.steps(STEPS)
        history, spikes = engine.history["hidden.v"].copy(), engine.spikes("hidden")
        watched = Watched(engine, lambda inner: seen.append(inner["hidden.v"].copy()))
        watched.reset()
        watched.set_spikes("input", np.arange(STEPS), np.arange(STEPS) % 5)
        watched.steps(20)
        watched.steps(STEPS - 20)
        assert watched.t == STEPS
        np.testing.assert_array_equal(watched.history["hidden.v"], history)
        np.testing.assert_array_equal(watched.spikes("hidden"), spikes)
    np.testing.assert_array_equal(seen, history)


def panel(figure, label):
    return next(axis for axis in figure.axes if axis.get_ylabel().startswith(label))


def test_the_figure_has_one_panel_for_everything_on_one_time_axis(activity):
    figure = draw(activity, "the title")
    labels = [axis.get_ylabel().split("\n")[0] for axis in figure.axes]
    assert labels == ["input", "hidden", "membrane", "membrane", "readout", "error", "learning"] + ["trace"] * 4
    assert figure.axes[0].get_title(loc="left") == "the title"
    assert figure.axes[-1].get_xlabel() == "time (ms)"
    assert {axis.get_xlim() for axis in figure.axes} == {(0.0, 60.0)}


def test_the_raster_stacks_kinds_of_neurons_with_a_line_between(activity):
    axis = panel(draw(activity, ""), "hidden")
    row = {j: k for k, j in enumerate([0, 2, 3, 1, 4, 5])}
    steps, neurons = activity.spikes["hidden"]
    strokes = [line.get_xydata() for line in axis.lines if line.get_marker() == "|"]
    expected = {(float(step), row[neuron]) for step, neuron in zip(steps, neurons, strict=True)}
    assert {tuple(point) for line in strokes for point in line} == expected
    lines = [line for line in axis.lines if line.get_linestyle() == "-" and line.get_marker() in ("None", "")]
    assert [line.get_ydata()[0] for line in lines] == [2.5]
    assert {text.get_text() for text in axis.texts} == {"LIF", "ALIF"}
    assert axis.get_ylabel() == "hidden\nby kind"
    assert panel(draw(activity, ""), "input").get_ylabel() == "input\nneuron"


def test_examples_of_several_populations_are_told_apart_by_name(activity):
    def names(shown):
        return [axis.texts[-1].get_text() for axis in draw(shown, "").axes if axis.get_ylabel().startswith("membrane")]

    first, second = activity.neurons
    assert names(activity) == [f"LIF {first.index}", f"ALIF {second.index}"]
    upper = [replace(group, population="upper") for group in activity.groups[1:]]
    spikes = {**activity.spikes, "upper": activity.spikes["hidden"]}
    neurons = [first, replace(second, group=upper[1])]
    two = replace(activity, neurons=neurons, groups=[*activity.groups, *upper], spikes=spikes)
    assert names(two) == [f"hidden {first.index}, LIF", f"upper {second.index}, ALIF"]


def test_the_learning_window_is_shaded_unless_it_is_the_whole_trial(activity):
    shaded = panel(draw(activity, ""), "readout").patches
    assert [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in shaded] == [(40, 60)]
    windows = np.isin(np.arange(STEPS) // 10, [1, 4])
    twice = replace(activity, readout=replace(activity.readout, window=windows))
    shaded = panel(draw(twice, ""), "error").patches
    assert [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in shaded] == [(10, 20), (40, 50)]
    simulation = opened(EProp(evaluation="online"), objective=CrossEntropy())
    with simulation.engine:
        found = observe(simulation, task(window=None), TRAINING, 0)
    assert not panel(draw(found, ""), "readout").patches


def test_silent_neurons_and_many_classes_fit_on_the_page(activity):
    silent = {name: (np.empty(0, np.int64),) * 2 for name in activity.spikes}
    still = [replace(neuron, spikes=neuron.spikes[:0]) for neuron in activity.neurons]
    y = np.full((STEPS, 10), 0.1)
    y[:, 7] = 0.2
    many = replace(activity.readout, y=y, target=np.eye(10)[np.full(STEPS, 3)], error=y)
    shown = replace(activity, spikes=silent, neurons=still, readout=many)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns where a layout fails
        figure = draw(shown, "")
        figure.canvas.draw()
    words = [text.get_text() for text in panel(figure, "readout").texts]
    assert words == ["class 3", "class 7", "others", "dashed: target", "learning window"]
