"""The pages of docs/ that teach by code: it runs, and leaves what they say."""

from __future__ import annotations

import itertools
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from snnplast.cli.command import _parse, main
from snnplast.config.experiment import Experiment
from snnplast.engine import compiler_available
from snnplast.record.reading import read_run

DOCS = Path(__file__).parents[1] / "docs"
compiling = pytest.mark.skipif(not compiler_available(), reason="needs a C++ compiler")


def blocks(page, language):
    """Fenced blocks of one language, as they stand."""
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.M | re.S)


def executed(page):
    """What the code of a page leaves, block after block."""
    scope = {}
    for block in blocks(page, "python"):
        exec(block, scope)
    return scope


def commands(page):
    """The words of what a page has the shell do with `snnplast`."""
    lines = re.findall(r"^    (?:.*-m )?(snnplast .*)", (DOCS / page).read_text(), re.M)
    return [shlex.split(line.partition(" > ")[0])[1:] for line in lines]


@compiling
def test_a_closed_loop_is_trained():
    assert len(executed("how-to/closed-loop.md")["run"].metrics["test_return"]) == 2


@compiling
def test_a_network_learns_within_its_trials():
    scope = executed("how-to/plasticity.md")
    bounds, run = scope["net"].projections["input_to_hidden"].bounds, scope["run"]
    weights = run.weights["input_to_hidden"]
    assert bounds == (0, 1) and weights.min() >= 0 and weights.max() <= 1 and np.unique(weights).size > 100
    assert run.metrics["spikes_per_trial"][-1] > 10


@pytest.fixture
def cluster(folder, monkeypatch):
    """A directory with `cluster.py` and `array.sh` of the page."""
    folder.write("cluster.py", blocks("how-to/cluster.md", "python")[0])
    folder.write("array.sh", blocks("how-to/cluster.md", "bash")[0])
    monkeypatch.syspath_prepend(str(folder.path))
    monkeypatch.delitem(sys.modules, "cluster", raising=False)
    return folder


def test_a_cluster_is_told_what_the_shell_takes(cluster):
    for words in commands("how-to/cluster.md"):
        _parse(words)
        sets = [text.partition(",")[0] for flag, text in itertools.pairwise(words) if flag == "--over"]
        Experiment.of(words[1], *sets)
        if "--executor" in words:
            module, _, name = words[words.index("--executor") + 1].partition(":")
            assert module == "cluster" and f"def {name}()" in (cluster.path / "cluster.py").read_text()
    assert len(commands("how-to/cluster.md")) == 5


@pytest.fixture
def array(cluster, capsys, monkeypatch):
    """The lines of a sweep, and the program that they call."""

    def listed(*words):
        main(["sweep", "xor", "--over", "model.hidden=4,5", "--seeds", "0", *words, "--list"])
        text = capsys.readouterr().out
        (cluster.path / "runs.txt").write_text(text)
        return text.splitlines()

    (cluster.path / "bin").mkdir()
    program = f'#!/bin/sh\nexec {sys.executable} -m snnplast "$@"\n'
    cluster.write("bin/snnplast", program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{cluster.path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    return listed


def test_a_line_of_an_array_is_a_run(array, cluster):
    array()
    cluster.write("bin/snnplast", "#!/bin/sh\nprintf '%s\\n' \"$@\"")
    done = subprocess.run(["bash", "array.sh"], capture_output=True, text=True, check=True)
    first, *words = done.stdout.splitlines()
    assert first == "run" and words[0] == "xor" and "model.hidden=5" in words
    Experiment.of("xor", *[text for flag, text in itertools.pairwise(words) if flag == "--set"])


@compiling
@pytest.mark.slow
def test_a_job_of_an_array_whose_time_is_up_is_listed_to_go_on(array, cluster):
    lasting = ["--set", "train.epochs=4000", "--set", "train.checkpoint_every=1"]
    before = array(*lasting)
    job, path = subprocess.Popen(["bash", "array.sh"], stdout=subprocess.DEVNULL), "xor.sweep/hidden=5,seed=0.h5"
    while not (cluster.path / path).is_file() or "loss" not in read_run(path).metrics:
        assert job.poll() is None
        time.sleep(0.1)
    job.terminate()
    assert job.wait(60) == 128 + signal.SIGTERM
    assert array(*lasting) == [before[0], f"snnplast resume {path}"]


@compiling
@pytest.mark.slow
@pytest.mark.parametrize("name", ["processes", "dask"])
def test_the_executors_of_a_cluster_run_a_sweep_and_a_batch(cluster, name):
    if name == "dask":
        pytest.importorskip("distributed")
    few = ["--set", "rule=e-prop", "--set", "rules.e-prop.batch=16", "--set", "train.epochs=1"]
    there = ["--executor", f"cluster:{name}"]
    assert main(["sweep", "xor", "--over", "model.hidden=6", "--seeds", "0", *few, *there]) == 0
    alone = ["--set", "model.hidden=6", "--set", "train.seed=0", "--quiet", "--set"]
    assert main(["run", "xor", *few, *alone, "record.path=shared.h5", *there]) == 0
    assert main(["run", "xor", *few, *alone, "record.path=here.h5"]) == 0
    runs = [read_run(path) for path in ("here.h5", "shared.h5", "xor.sweep/hidden=6,seed=0.h5")]
    for name, values in runs[0].weights.items():
        assert all(np.array_equal(values, run.weights[name]) for run in runs)


@compiling
@pytest.mark.slow
def test_the_python_of_a_cluster_runs(cluster):
    cluster.write("program.py", blocks("how-to/cluster.md", "python")[1] + "    print(len(run.metrics['test_loss']))\n")
    done = subprocess.run([sys.executable, "program.py"], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@pytest.mark.slow
@compiling
def test_the_task_of_the_page_on_speed_learns_in_one_call():
    losses = executed("explanation/speed.md")["losses"]
    assert len(losses) == 2 and losses[-1] < losses[0]


def test_the_injected_code_is_what_the_command_prints(capsys):
    main(["rules", "show", "e-prop"])
    printed = {line.strip() for line in capsys.readouterr().out.splitlines()}
    page = (DOCS / "explanation" / "equations.md").read_text()
    shown = re.search(r"For a hidden projection, online:\n\n(.*?)\n\n", page, re.S)
    assert shown
    whole = re.sub(r"\n +\+", " +", shown[1])
    code = [re.sub(r"^ +(source neurons|target neurons|synapses)? +", "", line) for line in whole.splitlines()]
    assert len(code) == 6
    assert set(code) <= printed
