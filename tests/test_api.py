"""From Python: experiments of objects, training with callbacks, what can be asked of them."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

import snnplast as snn
from snnplast import UserError
from snnplast.record.reading import read_run

WHICH = np.arange(12) % 2
X, LABELS = 0.1 + 0.9 * np.eye(4)[WHICH], np.array(["left", "right"])[WHICH]


def network(hidden=3, gain=1.0):
    net = snn.Network()
    net.add("input", snn.PoissonSource(4, peak_rate="500 Hz"))
    net.add("hidden", snn.LIF(hidden, tau_m="20 ms", v_threshold=0.5, bias=0.05))
    net.add("output", snn.LeakyReadout(2))
    net.connect("input", "hidden", weights=snn.Normal(gain=gain), plastic=True)
    net.connect("hidden", "output", plastic=True)
    return net


def task(x=X, tests=6):
    return snn.Classification(x, LABELS, x[:tests], LABELS[:tests], steps=10, classes=("left", "right"))


def experiment(epochs=3, net=None, own=None, **values):
    rule = snn.EProp(batch=2, optimizer={"name": "sgd", "learning_rate": 1e-2})
    return snn.Experiment(net or network(), own or task(), rule, epochs=epochs, engine="runtime", **values)


def learned(run):
    return {name: values.copy() for name, values in run.weights.items()}


def equal(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def exp():
    return experiment(record=snn.Recording(path="", spikes="neurons"))


@pytest.fixture(scope="module")
def run(exp):
    return snn.train(exp)


def test_a_run_in_memory_is_the_run_in_a_file(exp, run, tmp_path):
    path = tmp_path / "run.h5"
    filed = snn.train(experiment(record=snn.Recording(path=str(path), spikes="neurons")))
    assert filed.path == path and read_run(path).status == run.status == "finished"
    assert equal(dict(run.metrics), dict(filed.metrics)) and equal(learned(run), learned(filed))
    assert all(map(np.array_equal, run.spikes("hidden"), filed.spikes("hidden"))) and len(run.spikes("hidden")[0])
    assert np.array_equal(run.confusion(), filed.confusion()) and run.confusion().sum() == 6
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_printed_without_a_terminal_unless_asked(capsys):
    snn.train(experiment(epochs=1))
    assert capsys.readouterr() == ("", "")
    snn.train(experiment(epochs=1), progress=True)
    assert "epoch 1/1" in capsys.readouterr().out


def test_evaluate_is_the_last_test_to_the_bit_and_drawn_weights_are_others(exp, run):
    found = snn.evaluate(exp, weights=run)
    for name in ("loss", "accuracy"):
        assert found[name] == run.metrics[f"test_{name}"][-1]
    assert snn.evaluate(exp)["loss"] != found["loss"]


def test_predictions_of_the_test_samples_are_what_the_test_has_found(exp, run):
    y = snn.predict(exp, X[:6], weights=run)
    with snn.open(exp, weights=run) as sim:
        assert np.array_equal(y, [sim.test(k).activity("output").mean(axis=0) for k in range(6)])
    answers = snn.predict(exp, X[:6], weights=run, labels=True)
    assert np.mean(answers == LABELS[:6]) == run.metrics["test_accuracy"][-1]
    over_steps = np.repeat(X[:6, None], 10, axis=1)
    assert snn.predict(exp, over_steps, weights=run).shape == (6, 2)


def test_an_open_experiment_updates_as_training_does(exp, run):
    with snn.open(exp) as sim:
        first = sim.trial(0)
        rows = first.history["output.y"].copy()
        sim.trial(1)
        assert np.array_equal(first.history["output.y"], rows), "a record keeps what it holds"
        for _ in range(3 * 6):
            sim.update()
        assert equal(dict(sim.weights), learned(run))
        with pytest.raises(UserError, match="all 18 updates of this experiment are done"):
            sim.update()
        sim.weights["input_to_hidden"][:] = 0
        sim.weights["hidden.bias"][:] = 0
        assert not sim.activity("hidden")["hidden"].any()
    with pytest.raises(UserError, match="this experiment is closed"):
        sim.trial(0)


def test_activity_is_that_of_the_samples_given(exp, run):
    with snn.open(exp, weights=run) as sim:
        rates, spikes = sim.activity("hidden", X[:3])["hidden"], sim.spikes(["hidden"], X[:3])["hidden"]
        assert rates.shape == (3, 3) and rates.any()
        counts = [np.bincount(neurons, minlength=3) for _, neurons in spikes]
        np.testing.assert_allclose(rates, np.array(counts) / 0.010)
        with pytest.raises(UserError, match="unknown spiking population 'hiden': did you mean 'hidden'"):
            sim.activity("hiden", X)


def test_callbacks_hear_of_updates_rounds_and_the_end():
    heard = []

    class Watch:
        def on_round(self, moment):
            heard.append(("round", moment.round, moment.iteration, sorted(moment.metrics)[-1]))

        def on_end(self, moment):
            heard.append(("end", moment.iteration))

    updates = []
    snn.train(experiment(epochs=2), callbacks=[Watch(), lambda moment: updates.append(moment.iteration)])
    assert updates == list(range(1, 13))
    assert heard == [("round", 1, 6, "test_loss"), ("round", 2, 12, "test_loss"), ("end", 12)]


def test_early_stopping_leaves_the_weights_of_the_best_round_in_a_file_that_says_so(tmp_path):
    path, rounds = tmp_path / "run.h5", []

    class Best:
        def on_round(self, moment):
            rounds.append({name: values.copy() for name, values in moment.weights.items()})

    long = experiment(epochs=40, record=path)
    stopping = snn.EarlyStopping("test_accuracy", patience=2)
    run = snn.train(long, callbacks=[stopping, Best()])
    assert run.status == "finished" and run.stopped.startswith("test_accuracy was not better than")
    found = run.metrics["test_accuracy"]
    best = int(np.argmax(found))
    assert len(found) == best + 3 < 40 and stopping.best_round == best + 1
    assert equal(learned(run), rounds[best]) and not equal(rounds[best], rounds[-1])
    assert snn.evaluate(long, weights=run)["loss"] == run.metrics["test_loss"][best]
    whole = snn.train(experiment(epochs=40))
    on = snn.resume(path, long)
    assert equal(dict(on.metrics), dict(whole.metrics)) and equal(learned(on), learned(whole)) and not on.stopped


def test_a_misspelt_metric_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match="EarlyStopping: unknown metric 'test_acuracy': did you mean 'test_accuracy'"):
        snn.train(experiment(record=tmp_path / "run.h5"), callbacks=[snn.EarlyStopping("test_acuracy")])
    with pytest.raises(UserError, match=r"EarlyStopping is a class; EarlyStopping\(...\) makes a callback of it"):
        snn.train(experiment(record=tmp_path / "run.h5"), callbacks=[snn.EarlyStopping])
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []


def test_what_a_callback_raises_ends_a_run_that_can_go_on(tmp_path):
    def broken(moment):
        if moment.iteration == 8:
            raise OSError("the logger is gone")

    path, exp = tmp_path / "run.h5", experiment(record=tmp_path / "run.h5")
    with pytest.raises(OSError, match="the logger is gone"):
        snn.train(exp, callbacks=[broken])
    assert read_run(path).status == "interrupted"
    assert equal(learned(snn.resume(path, exp)), learned(snn.train(experiment())))


def test_a_table_of_metrics(tmp_path):
    path = tmp_path / "log.csv"
    run = snn.train(experiment(epochs=2), callbacks=[snn.CSVLogger(path)])
    head, *rows = [line.split(",") for line in path.read_text().splitlines()]
    assert head[:3] == ["epoch", "updates", "loss"] and len(rows) == 2
    assert [float(row[2]) for row in rows] == run.metrics["loss"].tolist()
    with pytest.raises(UserError, match="exists; force=True overwrites it, append=True adds to it"):
        snn.CSVLogger(path)


def test_a_run_of_objects_goes_on_with_the_same_ones_only(tmp_path):
    path = tmp_path / "run.h5"
    snn.train(experiment(epochs=2, record=path))
    refused = [
        (experiment(epochs=4, net=network(hidden=4)), "the description of the network is not that of the run"),
        (experiment(epochs=4, net=network(gain=2.0)), "the description of the network is not that of the run"),
        (experiment(epochs=4, own=task(X * 0.9)), "the data of the task are not those of the run"),
        (experiment(epochs=4, seed=2), "is the run of another experiment: train.seed is 2 here, 1 there"),
        (experiment(epochs=2), "is complete; a longer experiment goes on"),
        (None, "network and task of this run are Python objects; snnplast.resume, evaluate and predict take the same"),
    ]
    for other, sentence in refused:
        with pytest.raises(UserError, match=sentence):
            snn.resume(path, other, sets=() if other else ("train.epochs=4",))
    assert equal(learned(snn.resume(path, experiment(epochs=4))), learned(snn.train(experiment(epochs=4))))


def test_weights_alone_are_saved_loaded_and_refused_where_they_do_not_fit(exp, run, tmp_path):
    path = snn.save_weights(tmp_path / "w.npz", run)
    loaded = snn.load_weights(path)
    assert equal(dict(loaded), learned(run)) and snn.evaluate(exp, path) == snn.evaluate(exp, run)
    with pytest.raises(UserError, match="exists; force=True overwrites it"):
        snn.save_weights(path, run)
    with pytest.raises(UserError, match="does not fit this network: 'input_to_hidden' connects other pairs"):
        snn.evaluate(experiment(net=network(hidden=4)), weights=loaded)
    with pytest.raises(UserError, match="unknown projection or parameter 'input_to_hiden': did you mean"):
        run.weights["input_to_hiden"]
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(UserError, match="holds no weights of snnplast: its arrays are a"):
        snn.load_weights(tmp_path / "other.npz")
    begun = snn.train(experiment(epochs=1), weights=path).metrics["loss"][0]
    assert begun != run.metrics["loss"][0]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: snn.Experiment("digits", task(), snn.EProp(), epochs=1), "Experiment: network = 'digits': a Network"),
        (lambda: snn.Experiment(network(), task(), "e-prop", epochs=1), "rule = 'e-prop': a Rule is needed; Experi"),
        (lambda: experiment(epochs=None), "either iterations or epochs is needed"),
        (lambda: experiment(record=3), "Experiment: record = 3: the path of a file, or a Recording, is needed"),
        (lambda: snn.train(network()), "train: .*: an Experiment is needed"),
        (lambda: snn.train(experiment(), callbacks=[3]), "callbacks: 3 is none: a function, or an object with any of"),
        (lambda: snn.predict(experiment(), X[0]), r"predict: x has shape \(4,\); \(samples, inputs\)"),
        (lambda: snn.predict(experiment(), X[:, :3]), r"predict: x has shape \(12, 3\); \(samples, 4\)"),
        (lambda: snn.predict(experiment(), 2 * X), r"predict: x: values must lie in \[0, 1\]"),
        (lambda: snn.evaluate(experiment(own=task(tests=0))), "evaluate: this task has no test trials"),
        (lambda: snn.evaluate(experiment(), weights=3), "weights = 3: a run, loaded weights, or the file of either"),
        (lambda: snn.plot.curves(3), "plot.curves: 3: a run is needed"),
    ],
)
def test_mistakes_are_one_sentence(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()


def test_the_shell_and_python_build_the_same_experiment(tiny):
    found = snn.Experiment.of("experiment.toml", "train.epochs=1")
    run = snn.train(found)
    assert run.path.name == "tiny.h5" and run.metrics["loss"].size == 1
    assert found.text() == run.config
    with pytest.raises(UserError, match="holds a finished run; force=True overwrites it"):
        snn.train(found)


def test_an_experiment_is_frozen_and_travels_to_another_process(exp):
    with pytest.raises(AttributeError):
        exp.rule = None
    net = network()
    before = experiment(net=net)
    net.add("late", snn.LIF(2))
    assert "late" not in before.network.populations
    again = pickle.loads(pickle.dumps(exp))
    assert again.text() == exp.text() and equal(learned(snn.train(again)), learned(snn.train(exp)))


def test_figures_are_figures(exp, run):
    with snn.open(exp, weights=run) as sim:
        record, rates = sim.test(0), sim.activity("hidden")
    drawn = [run.plot(), snn.plot.raster(run), snn.plot.raster(record), snn.plot.rates(record), snn.plot.rates(rates)]
    drawn += [snn.plot.weights(run, "input_to_hidden"), snn.plot.confusion(run)]
    assert all(isinstance(figure, Figure) and figure.axes for figure in drawn)


def test_what_is_shown_at_a_prompt_is_short(exp, run):
    with snn.open(exp) as sim:
        shown = [exp.network, exp, run, sim.trial(0)]
    for thing in shown:
        assert 20 < len(repr(thing)) < 1500 and len(thing._repr_html_()) < 4000
    assert "LIF of 3" in repr(exp.network) and "Run: run in memory, finished" in repr(run)


def test_all_names_come_with_a_star_and_without_matplotlib():
    code = (
        "import sys\nfrom snnplast import *\nassert EProp.name == 'e-prop' and plot.curves and ReadoutError\n"
        "assert open.__module__ in ('io', '_io')\nassert 'snnplast.report.figures' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    wanted = "Experiment train evaluate predict resume EarlyStopping CSVLogger plot save_weights load_weights"
    assert set(wanted.split()) <= set(snn.__all__)
    assert all(hasattr(snn, name) for name in snn.__all__)
