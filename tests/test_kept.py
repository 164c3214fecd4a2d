"""What a run's file keeps of answers, of what is learned and of synapses, beside the same run in memory."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import EXPERIMENT, TINY

from snnplast.cli.command import main
from snnplast.config.experiment import Experiment
from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.record.reading import read_run
from snnplast.record.run_file import RunFile
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

EPOCHS, FIRST = 5, 2
SETS = [
    f"train.epochs={EPOCHS}",
    "rules.e-prop.evaluation=online",
    "rules.e-prop.optimizer.learning_rate=0.05",
    "model.hidden=12",
    f"record.first={FIRST}",
    "record.weights=every 2",
    'record.variables=["output.y", "input_to_hidden.eligibility", "hidden_to_output.w"]',
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The file of a run whose classes have names."""
    directory = tmp_path_factory.mktemp("kept")
    data = """        names = [("cat", "dog")[k] for k in labels]
        other = ["cat", "dog", "dog", "dog"]
        return Classification(x, names, x[:4], other, steps=10, seed=seed, classes=["cat", "dog"])
"""
    named = TINY[: TINY.index("        return Classification")] + data
    (directory / "tiny.py").write_text(named)
    (directory / "experiment.toml").write_text(EXPERIMENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        assert main(["run", "experiment.toml", "--quiet", *(word for text in SETS for word in ("--set", text))]) == 0
    return directory


@pytest.fixture(scope="module")
def run(made):
    return read_run(made / "tiny.h5")


@pytest.fixture(scope="module")
def beside(made):
    """The same run in memory: weights after each epoch, and (y, traces) of the test trials after each."""
    experiment = Experiment.of(str(made / "tiny.h5"))
    task = experiment.task()
    simulation = open_simulation(
        experiment.network, task.objective, experiment.rule, experiment.train.seed, NUMPY,
        recorded=["output.y", "input_to_hidden.eligibility"],
    )  # fmt: skip
    copied = lambda: {name: values.copy() for name, values in simulation.values.items()}  # noqa: E731
    weights, tests = [copied()], []
    with simulation.engine:
        trainer = Trainer(simulation, task, iterations=3 * EPOCHS, kept=["output.y"])
        for step in trainer:
            if step.iteration % 3 == 0:
                weights.append(copied())
                kept = (
                    (r.history["output.y"], r.accumulated["input_to_hidden.eligibility"]) for r in trainer.evaluate()
                )
                tests.append([(y.copy(), traces) for y, traces in kept])
    return weights, tests


def test_every_test_trial_of_every_kept_round_has_its_answer(run, beside):
    """Also those beyond `record.first`. The answer is worked out anew from the readout's activity."""
    _, tests = beside
    assert run.classes == ("cat", "dog") and len(run.trials) == FIRST * EPOCHS
    assert run.answers["trial"].tolist() == [0, 1, 2, 3] * EPOCHS
    assert run.answers["iteration"].tolist() == np.repeat(3 * np.arange(1, EPOCHS + 1), 4).tolist()
    assert set(run.answers["phase"]) == {"test"} and not run.answers["stretch"].any()
    exponential = [np.exp(y) for trials in tests for y, _ in trials]
    answered = [int((e / e.sum(axis=1, keepdims=True)).sum(axis=0).argmax()) for e in exponential]
    assert run.answers["answered"].tolist() == answered
    assert run.answers["wanted"].tolist() == [0, 1, 1, 1] * EPOCHS
    assert len(set(answered)) == 2, "always the same answer: the test is vacuous"
    right = (run.answers["wanted"] == run.answers["answered"]).reshape(EPOCHS, 4)
    assert np.array_equal(run.metrics["test_accuracy"], right.mean(axis=1))


def test_the_confusion_matrix_counts_the_last_test_or_the_one_asked_for(run):
    for number in (None, 3):
        rows = run.answers[run.answers["iteration"] == (number or 3 * EPOCHS)]
        counts = [[np.sum((rows["wanted"] == w) & (rows["answered"] == a)) for a in (0, 1)] for w in (0, 1)]
        assert run.confusion(iteration=number).tolist() == counts
        assert run.confusion(iteration=number).sum(axis=1).tolist() == [1, 3]
    with pytest.raises(UserError, match=r"tiny.h5' holds no answers of phase 'training': it has those of test$"):
        run.confusion("training")
    with pytest.raises(UserError, match=r"tiny.h5' holds no answers of phase 'test' in iteration 4$"):
        run.confusion(iteration=4)


def test_first_last_and_best_weights_and_those_over_rounds_are_what_they_were(run, beside):
    weights, _ = beside
    best = int(np.argmax(run.metrics["test_accuracy"]))
    assert run.best == (best + 1, "test_accuracy", run.metrics["test_accuracy"][best])
    for name in ("input_to_hidden", "hidden_to_output"):
        pre, post, last = run.synapses(name)
        assert np.array_equal(last, weights[-1][name])
        for found, expected in ((run.initial_weights(name), weights[0]), (run.best_weights(name), weights[best + 1])):
            assert np.array_equal(found[0], pre) and np.array_equal(found[1], post)
            assert np.array_equal(found[2], expected[name])
        rounds, history = run.weight_history(name)
        assert rounds.tolist() == [2, 4]
        assert np.array_equal(history, [weights[2][name], weights[4][name]])
        assert not np.array_equal(run.initial_weights(name)[2], last)
    assert np.array_equal(run.values("hidden.bias", "initial"), weights[0]["hidden.bias"])


def test_synaptic_variables_are_those_at_the_end_of_each_recorded_trial(run, beside):
    weights, tests = beside
    assert set(run.states) == {"output/y", "input_to_hidden/eligibility", "hidden_to_output/w"}
    traces = run.state("input_to_hidden/eligibility")
    assert np.array_equal(traces, [trace for trials in tests for _, trace in trials[:FIRST]])
    assert traces.any()
    assert np.array_equal(run.state("hidden_to_output/w", -1), weights[-1]["hidden_to_output"][None])


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        (
            "record.weights=ever 10",
            "--set record.weights: 'ever 10' says not how often weights are kept: such as 'every 10'",
        ),
        ("record.weights=every 0", "such as 'every 10' is needed"),
        ("record.weights=10", "--set record.weights"),
        (
            'record.variables=["input_to_hidden.eligibilty"]',
            "record.variables: 'input_to_hidden.eligibilty': the synapses of 'input_to_hidden' hold no such variable; "
            "traces are there with evaluation = 'online'; did you mean 'eligibility'?",
        ),
        (
            'record.variables=["input_to_hiden.eligibility"]',
            "record.variables: unknown variable 'input_to_hiden.eligibility': did you mean 'input_to_hidden.eligib",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(made, monkeypatch, capsys, setting, sentence):
    monkeypatch.chdir(made)
    online = ["--set", "rules.e-prop.evaluation=online", "--set", "record.path=other.h5"]
    assert main(["run", "experiment.toml", "--quiet", *online, "--set", setting]) == 2
    assert sentence in capsys.readouterr().err
    assert not (made / "other.h5").exists()


def test_factored_rules_have_no_synaptic_traces(made, monkeypatch, capsys):
    monkeypatch.chdir(made)
    words = ["--set", 'record.variables=["input_to_hidden.eligibility"]', "--set", "record.path=other.h5"]
    assert main(["run", "experiment.toml", "--quiet", *words]) == 2
    assert "'input_to_hidden' hold no such variable; traces are there with evaluation" in capsys.readouterr().err


def test_what_was_not_kept_is_said(tmp_path):
    with RunFile(tmp_path / "run.h5", config="", seed=0, versions={}, dt=1e-3, populations={"a": 1}) as file:
        file.metrics("epoch", {"loss": 1.0})
        file.weights("a_to_a", [0], [0], [0.5], source="a", target="a")
    run = read_run(tmp_path / "run.h5")
    assert run.classes == () and len(run.answers) == 0 and run.best is None
    for ask, sentence in (
        (run.confusion, "holds no answers of phase 'test': it has those of none"),
        (lambda: run.best_weights("a_to_a"), "holds no best round: no metric of a whole round says which it is"),
        (lambda: run.weight_history("a_to_a"), "holds no weights over rounds; record.weights = 'every 10' keeps them"),
        (lambda: run.values("a_to_b"), "unknown projection or parameter with stored values 'a_to_b': did you mean"),
    ):
        with pytest.raises(UserError, match=sentence):
            ask()
    assert run.initial_weights("a_to_a")[2].tolist() == [0.5], "what is not learned was the same at the beginning"


def test_an_answer_that_no_unit_gives_is_refused(tmp_path):
    file = RunFile(tmp_path / "run.h5", config="", seed=0, versions={}, dt=1e-3, populations={"a": 1}, units=2)
    with file, pytest.raises(ValueError, match=r"trial 0: answered is \[2\], units are 0 to 2 - 1"):
        file.answers(0, "test", np.array([1]), np.array([2]))
