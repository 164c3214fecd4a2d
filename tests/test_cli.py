"""The command line: what a user types, what is printed, what is left on the disk, and the exit status."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console

from snnplast import __version__
from snnplast.cli import run
from snnplast.cli.command import main
from snnplast.cli.surrogates import surrogates_figure
from snnplast.config.experiment import Experiment
from snnplast.learning.surrogate import SURROGATES
from snnplast.random_streams import TEST, TRAINING
from snnplast.record.reading import read_run
from snnplast.record.run_file import RunFile
from snnplast.registry import BUILT_IN
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer


@pytest.fixture
def snnplast(capsys):
    """Runs a command line; returns exit status, standard output, standard error."""

    def call(*words):
        try:
            status = main(words)
        except SystemExit as end:  # argparse, for --help and --version
            status = end.code or 0
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


def mistake(result):
    """The sentence of a user's mistake: exit status 2, nothing on stdout, one line on stderr."""
    status, out, err = result
    assert (status, out) == (2, "")
    assert err.startswith("snnplast: ")
    assert err.count("\n") == 1
    return err


def trainer_of(experiment):
    """The same training without command line, progress and file."""
    task = experiment.task()
    engine = experiment.engine
    parts = experiment.network, task.objective, experiment.rule, experiment.train.seed, engine
    return Trainer(open_simulation(*parts, recorded=experiment.record.variables), task, 6)


def test_a_run_leaves_a_finished_file_with_one_row_of_metrics_per_epoch(tiny, snnplast):
    status, out, _ = snnplast("run", "experiment.toml")
    assert status == 0
    found = read_run("tiny.h5")
    assert (found.status, found.seed, found.dt) == ("finished", 3, 1e-3)
    for name in ("loss", "accuracy", "test_accuracy", "spikes_per_trial", "synaptic_operations"):
        assert found.metrics[name].shape == (2,)
        assert found.per[name] == "epoch"
    assert found.versions.keys() >= {"snnplast", "brian2", "numpy", "python"}
    assert re.search(r"^test_accuracy +2 per epoch", out, re.M)
    assert re.search(r"^file +tiny.h5, ", out, re.M)
    assert re.search(r"^figures +tiny.learning.png, tiny.raster.png$", out, re.M)
    assert tiny.files() == {"tiny.py", "experiment.toml", "tiny.h5", "tiny.learning.png", "tiny.raster.png"}


def test_the_metrics_are_those_of_the_trainer(tiny, snnplast):
    snnplast("run", "experiment.toml")
    trainer = trainer_of(Experiment.of("experiment.toml"))
    with trainer.simulation.engine:
        for epoch in range(2):
            losses = [trainer.update().metrics["loss"] for _ in range(3)]
            assert read_run("tiny.h5").metrics["loss"][epoch] == pytest.approx(np.mean(losses), rel=1e-14)
            correct = [trainer.measure(record)["accuracy"] for record in trainer.evaluate()]
            assert read_run("tiny.h5").metrics["test_accuracy"][epoch] == np.mean(correct)


def test_the_files_spikes_and_variables_are_those_of_the_engine_also_inside_a_batch(tiny, snnplast):
    sets = ["record.trials=all", 'record.variables=["output.y", "hidden.v"]', "train.epochs=1", "rules.e-prop.batch=6"]
    snnplast("run", "experiment.toml", *[word for text in sets for word in ("--set", text)])
    found = read_run("tiny.h5")
    assert list(found.trials["phase"]) == ["training"] * 6 + ["test"] * 4
    trainer = trainer_of(Experiment.of("experiment.toml", *sets))
    with trainer.simulation.engine:
        spikes = 0
        for row in range(6):  # all before the first update
            record = trainer.run(TRAINING, row)
            for kept, given in zip(found.trial_spikes("hidden", row), record.spikes["hidden"], strict=True):
                np.testing.assert_array_equal(kept, given)
            for name in ("output.y", "hidden.v"):
                np.testing.assert_array_equal(found.state(name.replace(".", "/"), row), record.history[name])
            spikes += record.spikes["hidden"][0].size
        assert spikes
        trainer.update()
        np.testing.assert_array_equal(found.trial_spikes("hidden", 6)[1], trainer.run(TEST, 0).spikes["hidden"][1])


def test_the_final_weights_and_biases_are_in_the_file(tiny, snnplast):
    snnplast("run", "experiment.toml")
    found = read_run("tiny.h5")
    trainer = trainer_of(Experiment.of("experiment.toml"))
    before = {name: values.copy() for name, values in trainer.simulation.values.items()}
    with trainer.simulation.engine:
        list(trainer)
        for name in ("input_to_hidden", "hidden_to_output"):
            pre, post, weight = found.synapses(name)
            np.testing.assert_array_equal(weight, trainer.simulation.values[name])
            assert np.any(weight != before[name])
            np.testing.assert_array_equal(pre, trainer.simulation.plan.wiring[name].pre)
            np.testing.assert_array_equal(post, trainer.simulation.plan.wiring[name].post)
    assert found.projections["input_to_hidden"] == ("input", "hidden")
    np.testing.assert_array_equal(found.parameters["hidden.bias"], [0.05] * 3)


def test_the_same_run_again_is_the_same_and_another_seed_is_not(tiny, snnplast):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        snnplast("run", "experiment.toml", "--set", f"record.path={name}.h5", "--set", f"train.seed={seed}")
    a, b, c = (read_run(f"{name}.h5") for name in "abc")
    np.testing.assert_array_equal(a.metrics["loss"], b.metrics["loss"])
    np.testing.assert_array_equal(a.spikes("hidden"), b.spikes("hidden"))
    assert np.any(a.metrics["loss"] != c.metrics["loss"])


def test_the_config_in_the_file_makes_the_same_run(tiny, snnplast):
    snnplast("run", "experiment.toml", "--set", "model.hidden=4")
    first = read_run("tiny.h5")
    tiny.write("again.toml", first.config)
    snnplast("run", "again.toml", "--set", "record.path=again.h5")
    np.testing.assert_array_equal(read_run("again.h5").metrics["loss"], first.metrics["loss"])


def test_only_every_kth_epoch_and_the_last_are_kept(tiny, snnplast):
    snnplast("run", "experiment.toml", "--set", "record.every=2", "--set", "train.epochs=5")
    assert sorted(set(read_run("tiny.h5").trials["iteration"])) == [6, 12, 15]


def test_a_task_without_epochs_has_one_row_per_iteration(folder, snnplast):
    sets = ["train.iterations=2", "engine=runtime", "engine.target=numpy", "record.path=p.h5", "model.hidden=4"]
    status, _, _ = snnplast("run", "pattern-generation", *[word for text in sets for word in ("--set", text)])
    assert status == 0
    found = read_run("p.h5")
    assert found.per["loss"] == "iteration"
    assert found.metrics["loss"].shape == (2,)
    assert found.state("output/y").shape == (1000, 1)


def test_without_a_path_nothing_is_written(tiny, snnplast):
    status, _, _ = snnplast("run", "experiment.toml", "--set", "record.path=")
    assert status == 0
    assert tiny.files() == {"tiny.py", "experiment.toml"}


@pytest.mark.parametrize(
    ("sets", "kept", "said"),
    [
        ([], [0, 1, 2, 3] * 2, "spikes of hidden in test trials of every epoch"),
        (["record.first=3"], [0, 1, 2] * 2, "spikes of hidden in 3 of 4 test trials of every epoch"),
        (
            ["record.first=0", "record.every=2"],
            [0, 1, 2, 3],
            "spikes of hidden in test trials of one epoch in 2 and the last",
        ),
        (
            ["record.first=2", "record.trials=all", "record.variables=output.y"],
            [0, 1, 0, 1, 6, 7, 0, 1],
            "spikes of hidden, output.y in 2 of 6 training trials and 2 of 4 test trials of every epoch",
        ),
        (["record.spikes=[]"], [0, 1, 2, 3] * 2, ""),
    ],
)
def test_the_report_says_what_was_recorded_and_how_large_it_is(tiny, snnplast, sets, kept, said):
    _, out, _ = snnplast("run", "experiment.toml", *(word for text in sets for word in ("--set", text)))
    assert read_run("tiny.h5").trials["trial"].tolist() == kept
    recorded = re.search(r"^recorded +(.*)$", out, re.M)
    assert (recorded[1] if recorded else "").startswith(said)
    size = (tiny.path / "tiny.h5").stat().st_size / 1e6
    assert re.search(r"^file +tiny.h5, (\S+) MB$", out, re.M)[1] == f"{size:.3g}"


def test_by_default_the_first_hundred_trials_of_a_large_test_are_kept(tiny, snnplast):
    text = (tiny.path / "tiny.py").read_text().replace("x[:4], labels[:4]", "x[[0] * 300], labels[[0] * 300]")
    tiny.write("tiny.py", text)
    _, out, _ = snnplast("run", "experiment.toml", "--set", "train.epochs=1")
    assert read_run("tiny.h5").trials["trial"].tolist() == list(range(100))
    assert "100 of 300 test trials" in out


def test_away_from_a_terminal_there_is_one_line_per_epoch_and_quiet_says_nothing(tiny, snnplast):
    _, out, _ = snnplast("run", "experiment.toml")
    line = r"^epoch (\d)/2  loss [\d.]+  accuracy [\d.]+  test loss [\d.]+  test accuracy"
    assert re.findall(line, out, re.M) == ["1", "2"]
    assert "\x1b" not in out
    assert snnplast("run", "experiment.toml", "--quiet", "--force") == (0, "", "")


def test_without_a_compiler_the_runtime_engine_takes_over_and_says_so(tiny, snnplast, monkeypatch):
    monkeypatch.setattr("snnplast.training.prepared.compiler_available", lambda: False)
    status, out, _ = snnplast("run", "experiment.toml", "--set", "engine=compiled")
    assert status == 0
    assert out.startswith("no C++ compiler on the PATH: the runtime engine takes the place of the compiled one\n")
    assert re.search(r"^engine +runtime; trial by trial", out, re.M)


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        (["rule=e-porp"], "did you mean 'e-prop'?"),
        (["record.path=nowhere/x.h5"], "record.path: cannot write 'nowhere/x.h5': there is no directory 'nowhere'"),
        (["record.path=."], "record.path: '.' is a directory"),
        (["record.spikes=hiden"], "record.spikes: unknown spiking population 'hiden'; did you mean 'hidden'?"),
        (["record.spikes=output"], "record.spikes: unknown spiking population 'output'"),
        (["record.variables=output.x"], "record.variables: unknown variable 'output.x': did you mean 'output.y'?"),
        (["rules.e-prop.optimizers.hidden_to_outptu=sgd"], "unknown parameter; did you mean 'hidden_to_output'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_nothing_is_written(tiny, snnplast, sets, sentence):
    words = [word for text in sets for word in ("--set", text)]
    assert sentence in mistake(snnplast("run", "experiment.toml", *words))
    assert tiny.files() == {"tiny.py", "experiment.toml"}


def test_epochs_for_a_task_without_any_are_a_mistake(folder, snnplast):
    sentence = mistake(snnplast("run", "pattern-generation", "--set", "train.epochs=2"))
    assert "train.epochs: 'pattern-generation' has no epochs; train.iterations is needed" in sentence


def test_data_that_do_not_fit_the_network_are_a_mistake(tiny, snnplast):
    tiny.write("tiny.py", (tiny.path / "tiny.py").read_text().replace("x = np.eye(4)", "x = np.eye(5)"))
    sentence = mistake(snnplast("run", "experiment.toml"))
    assert "task.x has 5 values per sample, but 'input' has 4 neurons" in sentence
    assert tiny.files() == {"tiny.py", "experiment.toml"}


def test_an_error_in_the_users_own_task_names_its_line(tiny, snnplast):
    tiny.write("tiny.py", (tiny.path / "tiny.py").read_text().replace("x = np.eye(4)", "x = np.eyes(4)"))
    assert "tiny.py, line 31: AttributeError: module 'numpy' has no attribute 'eyes'" in mistake(
        snnplast("run", "experiment.toml")
    )


def test_a_loss_that_is_not_finite_ends_the_run_and_leaves_nothing_half_written(tiny, snnplast):
    wild = ["rules.e-prop.optimizer.learning_rate=1e308", "train.seed=1"]
    status, _, err = snnplast("run", "experiment.toml", *[word for text in wild for word in ("--set", text)])
    assert status == 2
    assert re.fullmatch(r"snnplast: iteration \d+: the (loss|gradient) .* a lower learning_rate.* may help\n", err)
    assert tiny.files() == {"tiny.py", "experiment.toml"}


def test_a_run_that_fails_later_keeps_what_was_recorded_under_the_status_failed(tiny, snnplast, monkeypatch):
    update = Trainer.update

    def spoiled(self):
        if self.iteration == 4:
            self.simulation.values["hidden_to_output"][:] = np.nan
        return update(self)

    monkeypatch.setattr(Trainer, "update", spoiled)
    status, _, err = snnplast("run", "experiment.toml")
    assert (status, err.count("\n")) == (2, 1)
    assert read_run("tiny.h5").status == "failed"
    assert read_run("tiny.h5").metrics["loss"].shape == (1,)


def test_ctrl_c_finishes_the_file_with_the_weights_so_far(tiny, snnplast, monkeypatch):
    update = Trainer.update

    def interrupted(self):
        if self.iteration == 4:
            raise KeyboardInterrupt
        return update(self)

    monkeypatch.setattr(Trainer, "update", interrupted)
    status, _, err = snnplast("run", "experiment.toml")
    assert (status, err) == (130, "snnplast: interrupted; 'tiny.h5' holds what was recorded until then\n")
    found = read_run("tiny.h5")
    assert (found.status, found.metrics["loss"].shape) == ("interrupted", (1,))
    assert found.synapses("input_to_hidden")[2].shape == (12,)


@pytest.mark.slow
def test_a_real_ctrl_c_from_outside_finishes_the_file(tiny):
    words = [sys.executable, "-m", "snnplast", "run", "experiment.toml", "--set", "train.epochs=100000"]
    process = subprocess.Popen(words, cwd=tiny.path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        limit = time.monotonic() + 120
        while not (tiny.path / "tiny.h5").exists() and time.monotonic() < limit:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert err.startswith("snnplast: interrupted")
    with h5py.File(tiny.path / "tiny.h5") as file:
        assert file.attrs["status"] == "interrupted"


def test_the_engine_is_closed_however_a_run_ends(tiny, snnplast, monkeypatch):
    closed = []
    original = open_simulation

    def watched(*arguments, **settings):
        simulation = original(*arguments, **settings)
        monkeypatch.setattr(simulation.engine, "close", lambda: closed.append(True))
        return simulation

    monkeypatch.setattr("snnplast.training.prepared.open_simulation", watched)
    snnplast("run", "experiment.toml")
    snnplast("run", "experiment.toml", "--force", "--set", "record.spikes=hiden")
    assert closed == [True, True]


def test_a_trial_leaves_a_readable_figure_and_prints_what_the_populations_did(tiny, snnplast):
    status, out, err = snnplast("trial", "experiment.toml", "--index", "2")
    assert (status, err) == (0, "")
    assert tiny.files() == {"tiny.py", "experiment.toml", "tiny.trial.png"}
    assert imread("tiny.trial.png").std() > 0.05
    trainer = trainer_of(Experiment.of("experiment.toml"))
    with trainer.simulation.engine:
        record = trainer.run(TRAINING, 2)
        counts, loss = record.counts("hidden"), record.judgement.loss
    assert counts.sum()
    rates = f"{counts.mean() / 0.01:.1f} Hz +{counts.max() / 0.01:.1f} Hz"
    assert re.search(rf"^hidden, LIF +3 +{counts.sum()} +{rates} +{np.sum(counts == 0)}$", out, re.M)
    assert re.search(rf"^outcome +loss {loss:.5g}, (correct|wrong)$", out, re.M)
    assert re.search(r"^rule +e-prop, online$", out, re.M)
    assert re.search(r"^figure +tiny.trial.png$", out, re.M)


@pytest.mark.parametrize("rule", ["e-prop", "ib-hebbian"])
def test_a_trial_of_digits_is_drawn_with_both_rules(folder, snnplast, rule):
    pytest.importorskip("sklearn")
    sets = [f"rule={rule}", "engine=runtime", "engine.target=numpy", "model.hidden=4"]
    words = [word for text in sets for word in ("--set", text)]
    status, _, err = snnplast("trial", "digits", *words, "--phase", "test", "--output", "digit.png")
    assert (status, err) == (0, "")
    assert imread("digit.png").std() > 0.05


@pytest.mark.slow
def test_a_trial_of_evidence_accumulation_is_drawn(folder, snnplast):
    sets = ["engine=runtime", "engine.target=numpy", "model.hidden=6"]
    status, out, err = snnplast("trial", "evidence-accumulation", *[word for text in sets for word in ("--set", text)])
    assert (status, err) == (0, "")
    assert re.search(r"^hidden, ALIF +3 ", out, re.M)
    assert imread("evidence-accumulation.trial.png").std() > 0.05


def test_a_trial_takes_the_weights_that_a_run_left(tiny, snnplast):
    snnplast("run", "experiment.toml")
    status, out, _ = snnplast("trial", "experiment.toml", "--weights", "tiny.h5", "--phase", "test", "--index", "3")
    assert status == 0
    trainer = trainer_of(Experiment.of("experiment.toml"))
    with trainer.simulation.engine:
        untrained = trainer.run(TEST, 3).judgement.loss
        list(trainer)
        assert re.search(rf"^outcome +loss {(loss := trainer.run(TEST, 3).judgement.loss):.5g}, ", out, re.M)
    assert f"{loss:.5g}" != f"{untrained:.5g}"
    assert re.search(r"^weights +tiny.h5$", out, re.M)


def test_a_trial_does_without_traces_where_the_online_face_is_refused(tiny, snnplast):
    text = (tiny.path / "tiny.py").read_text()
    tiny.write("tiny.py", text.replace("LeakyReadout(2)", 'LeakyReadout(2, tau_m=["10 ms", "20 ms"])'))
    status, out, err = snnplast("trial", "experiment.toml")
    assert (status, err) == (0, "")
    assert out.startswith(
        "no eligibility traces, since evaluation = 'online' is refused: evaluation = 'online' needs one"
    )
    assert re.search(r"^rule +e-prop, factored$", out, re.M)
    assert imread("tiny.trial.png").std() > 0.05


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--weights", "none.h5"], "there is no file 'none.h5'"),
        (["--weights", "tiny.py"], "'tiny.py' cannot be read as HDF5"),
        (["--weights", "tiny.h5", "--set", "model.hidden=4"],
         "'tiny.h5' does not fit this network: 'input_to_hidden' connects other pairs (12 synapses there, 16 here); "
         "model and rule must be those of the run; model.hidden is 4 here, 3 there"),
        (["--weights", "tiny.h5", "--set", "rules.e-prop.third_factor=zero"],
         "is in the file only; model and rule must be those of the run; rules.e-prop.third_factor.name is zero here, "
         "readout-error there"),
        (["--phase", "tset"], "--phase: unknown phase 'tset'; did you mean 'test'?"),
        (["--phase", "test", "--index", "4"], "--index 4: there is no such test trial; 0 to 3 are allowed"),
        (["--index", "-1"], "--index -1: there is no such training trial; 0 and above are allowed"),
        (["--index", "first"], "argument --index: invalid int value: 'first'"),
        (["--output", "nowhere/x.png"], "--output: cannot write 'nowhere/x.png': there is no directory 'nowhere'"),
        (["--output", "x.txt"], "--output: 'x.txt' names no format of figures; .pdf, .png, .svg are allowed"),
        (["--set", "rule=e-porp"], "did you mean 'e-prop'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_a_mistake_about_a_trial_is_one_sentence_and_nothing_is_written(tiny, snnplast, words, sentence):
    run.run(Experiment.of("experiment.toml"), Console(quiet=True), quiet=True)
    before = tiny.files()
    assert sentence in mistake(snnplast("trial", "experiment.toml", *words))
    assert tiny.files() == before


def test_a_file_without_weights_and_a_task_without_tests_are_mistakes(tiny, snnplast):
    with RunFile(tiny.path / "empty.h5", config="", seed=0, versions={}, dt=1e-3, populations={"hidden": 3}) as file:
        file.metrics("epoch", {"loss": 1.0})
    sentence = mistake(snnplast("trial", "experiment.toml", "--weights", "empty.h5"))
    assert "'empty.h5' holds no weights: its status is 'finished'" in sentence
    sentence = mistake(snnplast("trial", "pattern-generation", "--phase", "test"))
    assert "--phase test: this task has no test trials; --phase training is allowed" in sentence


def test_surrogate_derivatives_are_listed_with_their_formulas_and_drawn(folder, snnplast):
    status, out, _ = snnplast("surrogates")
    assert status == 0
    for name, kind in SURROGATES.items():
        assert re.search(rf"^{name} +{re.escape(kind.__doc__.splitlines()[0].rstrip('.'))}$", out, re.M)
    assert folder.files() == set()
    assert snnplast("surrogates", "--output", "psi.png")[0] == 0
    assert imread("psi.png").std() > 0.05
    assert "names no format" in mistake(snnplast("surrogates", "--output", "psi"))
    assert folder.files() == {"psi.png"}


def test_the_figure_of_surrogate_derivatives_shows_psi_over_the_distance_to_the_threshold():
    (axis,) = surrogates_figure().axes
    lines = {line.get_label(): line.get_xydata() for line in axis.lines}
    assert lines.keys() == SURROGATES.keys()
    for name, points in lines.items():
        np.testing.assert_allclose(points[:, 1], SURROGATES[name]()(points[:, 0]))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rnu", "digits"], "unknown command 'rnu'; did you mean 'run'?"),
        (["run"], "the following arguments are required: NAME|FILE"),
        (["run", "digts"], "'digts' is neither a model nor an experiment file; did you mean 'digits'?"),
        (["run", "digits", "--sett", "x=1"], "unknown argument '--sett'; did you mean '--set'?"),
        (["rules", "show"], "show: a name is needed; Known: "),
        (["rules", "show", "e-porp"], "unknown rule 'e-porp': did you mean 'e-prop'?"),
        (["rules", "shw", "e-prop"], "did you mean 'show'?"),
        (["compare", "none.h5"], "there is no file 'none.h5'"),
        (["cite", "digts"], "did you mean 'digits'?"),
    ],
    ids=" ".join,
)
def test_a_mistyped_command_line_is_one_sentence(folder, snnplast, words, sentence):
    assert sentence in mistake(snnplast(*words))


def test_debug_adds_the_traceback(folder, snnplast):
    status, _, err = snnplast("run", "digts", "--debug")
    assert status == 2
    assert err.startswith("Traceback")
    assert err.splitlines()[-1].startswith("snnplast: 'digts' is neither")


def test_a_fault_of_ours_shows_no_traceback_either_but_says_how_to_get_one(tiny, snnplast, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("oops")

    monkeypatch.setattr(run, "run", broken)
    assert snnplast("run", "experiment.toml") == (
        1,
        "",
        "snnplast: internal error: RuntimeError: oops; --debug shows where\n",
    )


def test_version_and_help(snnplast):
    assert snnplast("--version") == (0, f"snnplast {__version__}\n", "")
    status, out, _ = snnplast()
    assert status == 0
    assert "snnplast run digits --set rule=ib-hebbian" in out


def test_looking_around_imports_no_brian2():
    code = "import sys; from snnplast.cli.command import main; main(['--help'])"
    code = f"import atexit, sys; atexit.register(lambda: print('brian2' in sys.modules)); {code}"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert out.endswith("False\n")


@pytest.mark.parametrize("kind", BUILT_IN)
def test_a_list_has_one_line_for_each_plugin(snnplast, kind):
    status, out, _ = snnplast(f"{kind}s")
    assert status == 0
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in out.splitlines()}
    assert lines.keys() >= BUILT_IN[kind].keys()
    assert all(len(text) > 20 for text in lines.values())


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in BUILT_IN for name in BUILT_IN[kind]])
def test_everything_can_be_shown(snnplast, kind, name):
    status, out, err = snnplast(f"{kind}s", "show", name)
    assert (status, err) == (0, "")
    assert out.startswith(f"{name}: ")


def test_the_list_of_rules_tells_the_kinds_apart(snnplast):
    _, out, _ = snnplast("rules")
    kinds = {line.split()[0]: line for line in out.splitlines()}
    assert "  within-trial  " in kinds["stdp"] and "  within-trial, third factor  " in kinds["reward-stdp"]
    assert "  after-trial, third factor  " in kinds["e-prop"] and "  after-trial, readouts  " in kinds["frozen"]


def test_a_rule_that_changes_weights_within_the_trial_shows_what_the_library_makes_of_it(snnplast):
    _, out, _ = snnplast("rules", "show", "stdp")
    assert "w += a_plus*w_max*x_pre" in out
    assert "w = clip(w + learning*(a_plus * w_max * x_pre), w_min, w_max)" in out.partition("What the library makes")[2]


def test_a_rule_is_shown_with_equations_parameters_reference_and_its_code_in_both_faces(snnplast):
    _, out, _ = snnplast("rules", "show", "e-prop")
    assert "G_ji     = sum_t L_j^t ebar_ji^t" in out
    assert re.search(r"^  evaluation +factored +factored, online", out, re.M)
    assert re.search(r"^  batch +1 +>= 1 +trials per update", out, re.M)
    online, factored = out.split("Brian2 code it adds, evaluation = ")[1:]
    assert online.startswith("'online'")
    assert "zbar = zbar*exp(-dt/tau_trace)" in online
    assert "eligibility = psi_post*zbar_pre" in online
    assert factored.startswith("'factored'")
    assert "psi = 0.3/v_threshold" in factored
    assert "zbar" not in factored
    assert "doi = {10.1038/s41467-020-17236-y}" in out


def test_parameters_are_shown_with_units_and_ranges(snnplast):
    _, out, _ = snnplast("third-factors", "show", "firing-rate")
    assert re.search(r"^  target +10 Hz +of at least 0 Hz +Hz +target rate", out, re.M)
    _, out, _ = snnplast("models", "show", "xor")
    assert re.search(r"^  tau_m +20 ms +above 0 ms +ms +membrane time constant", out, re.M)
    assert re.search(r"^  hidden +LIF, size \d+", out, re.M)


def test_cite_prints_each_entry_once_and_brian2s_own(tiny, snnplast):
    status, out, _ = snnplast("cite", "pattern-generation")
    assert status == 0
    keys = re.findall(r"^@\w+\{(\w+),", out, re.M)
    assert keys == ["bellec2020solution", "stimberg2019brian"]
    assert "Scherr, Franz" in out
    _, out, _ = snnplast("cite", "xor", "--set", "rule=ib-hebbian")
    assert re.findall(r"^@\w+\{(\w+),", out, re.M) == ["daruwalla2024information", "stimberg2019brian"]


def test_compare_puts_runs_side_by_side(tiny, snnplast):
    snnplast("run", "experiment.toml")
    snnplast("run", "experiment.toml", "--set", "rule=frozen", "--set", "record.path=frozen.h5")
    status, out, _ = snnplast("compare", "tiny.h5", "frozen.h5")
    assert status == 0
    assert re.search(r"^ +tiny.h5 +frozen.h5$", out, re.M)
    assert re.search(r"^rule +e-prop +frozen$", out, re.M)
    accuracy = [float(read_run(name).metrics["test_accuracy"][-1]) for name in ("tiny.h5", "frozen.h5")]
    assert re.search(rf"^test accuracy +{accuracy[0]:.5g} +{accuracy[1]:.5g}$", out, re.M)
