"""A sweep: every combination runs once, goes on where it was cut off, and ends in a table, a figure and a file each."""

from __future__ import annotations

import contextlib
import csv
import re
import shlex
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from snnplast.cli.command import main
from snnplast.config.experiment import Experiment
from snnplast.config.targets import differences
from snnplast.errors import UserError
from snnplast.record.reading import read_run
from snnplast.training.callbacks import Callbacks
from snnplast.training.run import perform
from snnplast.training.sweep import Axis, grid, run_all

OVER = ["--over", "model.hidden=3,4", "--over", "rule=e-prop,frozen", "--seeds", "0,5"]
SETS = ["--set", "rules.frozen.batch=2"]
THREADS = ["--executor", "concurrent.futures:ThreadPoolExecutor"]
"""Nothing has to start there."""


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("model.hidden=3", ("3",)),
        ("model.hidden=10, 30 ,100", ("10", "30", "100")),
        ("model.hidden=[60,30],30", ("[60,30]", "30")),
        ('a.b={ name = "x", y = [1, 2] },"p,q",r', ('{ name = "x", y = [1, 2] }', '"p,q"', "r")),
    ],
)
def test_an_axis_is_a_key_and_values_that_may_have_commas_of_their_own(text, values):
    assert Axis.parse(text).values == values


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("model.hidden", "--over model.hidden: key=value,value,... is needed"),
        ("model.hidden=", "key=value,value,... is needed"),
        ("model.hidden=3,,4", "key=value,value,... is needed"),
        ("=3,4", "key=value,value,... is needed"),
        ("model.hidden=3,4,3", "a value is given twice"),
        ("train.seed=0,1", "--seeds and --output are allowed"),
    ],
)
def test_what_is_no_axis_is_said_in_a_sentence(text, sentence):
    with pytest.raises(UserError, match=sentence.replace("...", r"\.\.\.")):
        Axis.parse(text)


def test_settings_whose_keys_end_in_the_same_word_have_files_of_their_own(tiny):
    axes = [Axis("rules.e-prop.batch", ("1", "2")), Axis("rules.frozen.batch", ("1", "2"))]
    points = grid("experiment.toml", [], axes, [0, 1], tiny.path)
    assert len({point.path for point in points}) == len(points) == 8


def test_a_setting_given_twice_is_refused(tiny):
    with pytest.raises(UserError, match=r"--over model.hidden: given twice"):
        grid("experiment.toml", [], [Axis("model.hidden", ("3",)), Axis("model.hidden", ("4",))], [0], tiny.path)


def test_a_sweep_leaves_the_runs_their_table_and_a_figure(tiny, capsys):
    assert main(["sweep", "experiment.toml", *OVER, *SETS, "--jobs", "2"]) == 0
    out = capsys.readouterr().out
    directory = tiny.path / "experiment.sweep"
    with (directory / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    combinations = [(row["model.hidden"], row["rule"], row["seed"]) for row in rows]
    assert combinations == [(h, r, s) for h in "34" for r in ("e-prop", "frozen") for s in "05"]
    for row in rows:
        run = read_run(directory / row["file"])
        assert (run.status, run.seed, run.populations) == ("finished", int(row["seed"]), {})
        assert f"hidden = {row['model.hidden']}" in run.config
        assert f'rule = "{row["rule"]}"' in run.config
        assert float(row["test_accuracy"]) == run.metrics["test_accuracy"][-1]
    last = [float(row["test_accuracy"]) for row in rows[:2]]
    assert f"{np.mean(last):.5g} ± {np.std(last):.2g}" in out
    assert imread(directory / "sweep.png").size
    assert {path.name for path in directory.iterdir()} == {"runs.csv", "sweep.png", *(row["file"] for row in rows)}


def test_a_run_of_a_sweep_is_the_run_alone(tiny):
    main(["sweep", "experiment.toml", "--over", "model.hidden=4", "--seeds", "7", "--metric", "loss"])
    main(["run", "experiment.toml", "--set", "model.hidden=4", "--set", "train.seed=7"])
    alone, swept = read_run("tiny.h5"), read_run("experiment.sweep/hidden=4,seed=7.h5")
    np.testing.assert_array_equal(alone.metrics["loss"], swept.metrics["loss"])
    np.testing.assert_array_equal(alone.synapses("input_to_hidden")[2], swept.synapses("input_to_hidden")[2])


def same(one, other):
    """Whether two runs learned the same."""
    one, other = read_run(one), read_run(other)
    assert differences(one.config, other.config) == []
    assert one.metrics.keys() == other.metrics.keys()
    return all(np.array_equal(one.metrics[name], other.metrics[name]) for name in one.metrics) and all(
        np.array_equal(one.weights[name], other.weights[name]) for name in one.weights
    )


def test_each_command_of_the_list_leaves_the_file_that_the_sweep_leaves_on_any_executor(tiny, capsys):
    over = ["--over", 'rules.e-prop.optimizer={ name = "sgd", learning_rate = 1e-3 },{ name = "adam" }', "--seeds", "7"]
    assert main(["sweep", "experiment.toml", *over, "--list", "--output", "line by line"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and not any((tiny.path / "line by line").iterdir())
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "snnplast" and main(words) == 0
    assert main(["sweep", "experiment.toml", *over, "--output", "whole", *THREADS]) == 0
    names = [path.name for path in (tiny.path / "whole").glob("*.h5")]
    assert len(names) == 2 and all(same(tiny.path / "line by line" / n, tiny.path / "whole" / n) for n in names)


def test_the_list_has_what_is_left_to_run(tiny, capsys):
    words = ["sweep", "experiment.toml", "--over", "model.hidden=3,4,5", "--seeds", "7", "--set", "train.epochs=3"]
    main([*words, "--list"])
    first, second, third = capsys.readouterr().out.splitlines()
    main(shlex.split(first)[1:])

    def cut_off(moment):
        if moment.iteration == 5:
            raise KeyError("cut off")

    with pytest.raises(KeyError):
        perform(Experiment.of("experiment.toml", *shlex.split(second)[4::2]), Callbacks([cut_off]))
    capsys.readouterr()
    assert main([*words, "--list"]) == 0
    assert capsys.readouterr().out == f"snnplast resume experiment.sweep/hidden=4,seed=7.h5\n{third}\n"


class Elsewhere(ThreadPoolExecutor):
    """Its thread stands in another directory."""

    def submit(self, function, *given):
        return super().submit(in_root, function, *given)


def in_root(function, *given):
    with contextlib.chdir("/"):
        return function(*given)


def test_workers_may_stand_elsewhere_as_long_as_the_directory_is_theirs_too(tiny, capsys):
    (tiny.path / "out").mkdir()
    points = grid("experiment.toml", [], [Axis("model.hidden", ("3",))], [0], Path("out"))
    assert [wrong for _, wrong in run_all(points, Elsewhere)] == [""]
    assert read_run("out/hidden=3,seed=0.h5").status == "finished"


@pytest.mark.parametrize("where", [THREADS, ["--jobs", "2"]], ids=["threads", "processes"])
def test_a_search_runs_what_is_proposed_and_finds_the_best(tiny, capsys, where):
    pytest.importorskip("optuna")
    rates = ",".join(f"{k}e-1" for k in range(1, 9))
    over = ["--over", f"rules.e-prop.optimizer.learning_rate={rates}", "--over", "model.hidden=3,4"]
    words = ["sweep", "experiment.toml", *over, "--seeds", "0", "--search", "test_loss", "--tries", "7"]
    assert main([*words, *where]) == 0
    out = capsys.readouterr().out
    with (tiny.path / "experiment.sweep" / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    proposed = re.findall(r"^try ./7  (.*): test_loss ([0-9.]+)", out, re.M)
    assert len(proposed) == 7 and len(rows) == len(set(proposed)) < 16
    losses = [float(row["test_loss"]) for row in rows]
    assert re.search(r"^best: .*: test_loss ([0-9.]+)$", out, re.M)[1] == f"{min(losses):.5g}"
    assert len(list((tiny.path / "experiment.sweep").glob("*.h5"))) == len(rows)
    assert proposed == SEARCHED.setdefault("proposed", proposed)


SEARCHED = {}
"""What a search has proposed on one executor, which it proposes on all."""


@pytest.mark.slow
def test_what_is_complete_is_not_run_again_unless_its_settings_have_changed(tiny, capsys):
    words = ["sweep", "experiment.toml", "--over", "model.hidden=3,4", "--seeds", "0"]
    assert main(words) == 0 and "as before" not in capsys.readouterr().out
    paths = [tiny.path / "experiment.sweep" / f"hidden={n},seed=0.h5" for n in (3, 4)]
    first = [path.stat().st_mtime_ns for path in paths]
    main(words)
    assert capsys.readouterr().out.count(", as before\n") == 2
    assert [path.stat().st_mtime_ns for path in paths] == first
    other = [*words, "--set", "rules.e-prop.batch=3"]
    assert main(other) == 2
    sentence = "'experiment.sweep/hidden=3,seed=0.h5' holds a run with other settings; --force overwrites it"
    assert capsys.readouterr().err == f"snnplast: {sentence}\n"
    assert [path.stat().st_mtime_ns for path in paths] == first
    assert main([*other, "--force"]) == 0
    assert all(path.stat().st_mtime_ns > before for path, before in zip(paths, first, strict=True))


def test_runs_that_fail_are_named_at_the_end_and_the_others_are_kept(tiny, capsys):
    over = "rules.e-prop.optimizer.learning_rate=1e-3,1e308"
    assert main(["sweep", "experiment.toml", "--over", over, "--seeds", "0", "--set", "train.epochs=3"]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("snnplast: 1 of 2 runs failed, the first: iteration")
    table = out[out.index("learning_rate  ") :].splitlines()
    assert [line.split()[0] for line in table[1:3]] == ["1e-3", "1e308"]
    assert table[2].split()[1] == "-"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--over", "model.hiden=3,4"], "--set model.hiden: unknown key; did you mean 'hidden'?"),
        (["--over", "model.hidden=3,0"], "hidden = 0"),
        (["--over", "model.hidden=3", "--seeds", "0,x"], "--seeds 0,x: different whole numbers from 0 on are needed"),
        (["--over", "model.hidden=3", "--jobs", "0"], "--jobs 0: at least 1 process is needed"),
        (["--over", "model.hidden=3", "--tries", "3"], "--tries 3: at least 1 is needed, with --search METRIC"),
        (["--over", "model.hidden=3", "--executor", "a:b", "--jobs", "2"], "--executor and --jobs do not go together"),
        (["--over", "model.hidden=3", "--list", "--search", "loss"], "--list and --search do not go together"),
        (["--over", "model.hidden=3", "--executor", "no_module:make"], "there is no module 'no_module'"),
        (["--over", "model.hidden=3", "--output", "no/where"], "there is no directory 'no'"),
        (["--over", "model.hidden=3", "--output", "tiny.py"], "--output: 'tiny.py' is no directory"),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_is_run(tiny, capsys, words, sentence):
    assert main(["sweep", "experiment.toml", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert sentence in err
    assert tiny.files() == {"tiny.py", "experiment.toml"}


def test_an_unknown_metric_names_those_there_are(tiny, capsys):
    assert main(["sweep", "experiment.toml", "--over", "model.hidden=3", "--seeds", "0", "--metric", "acuracy"]) == 2
    assert "--metric acuracy: the runs have no such metric; did you mean 'accuracy'?" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_lets_runs_write_a_checkpoint_from_which_the_same_command_goes_on(tiny):
    lasting = ["--set", "train.epochs=400", "--set", "train.checkpoint_every=1"]
    words = ["sweep", "experiment.toml", "--over", "model.hidden=3,4", "--seeds", "0", *lasting]
    process = subprocess.Popen([sys.executable, "-m", "snnplast", *words], stderr=subprocess.PIPE, text=True)
    path = tiny.path / "experiment.sweep" / "hidden=3,seed=0.h5"
    while not path.is_file() or "loss" not in read_run(path).metrics:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "snnplast: interrupted; the same command goes on where the runs were\n")
    assert read_run(path).status == "interrupted"
    assert main(words) == 0
    main(["run", "experiment.toml", "--set", "model.hidden=3", "--set", "train.seed=0", *lasting])
    np.testing.assert_array_equal(read_run("tiny.h5").metrics["loss"], read_run(path).metrics["loss"])
