"""Runs killed at random moments: every file opens, nothing flushed is lost, and each goes on to the same numbers.

SNNPLAST_KILLS says how many kills, 12 without it. Half of them hit each of two rules, a quarter a run that goes on.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from snnplast.cli.command import main
from snnplast.record.reading import read_run

KILLS = int(os.environ.get("SNNPLAST_KILLS", "12"))
EPOCHS = {"e-prop": 14, "ib-hebbian": 5}
"""Some seconds each."""
SCRIPT = """
import sys
from snnplast.training import checkpoint
from snnplast.cli import run
from snnplast.cli.command import main
checkpoint.LEAST = 0.3  # seconds instead of 10 between the checkpoints that come by default: these runs are short
run._figures = lambda path: []
sys.exit(main(sys.argv[1:]))
"""


def words_of(rule, path, *more):
    sets = [f"rule={rule}", f"train.epochs={EPOCHS[rule]}", f"record.path={path}", "record.variables=output.y"]
    return ["run", "xor", "--quiet", *more, *(word for text in sets for word in ("--set", text))]


def started(words):
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *words], stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Of each rule the file of an uninterrupted run, and the seconds from its first record to its end."""
    found = {}
    for rule in EPOCHS:
        path = tmp_path_factory.mktemp("whole") / "whole.h5"
        process = started(words_of(rule, path))
        began = appeared(path, process)
        assert process.wait() == 0
        found[rule] = path, time.monotonic() - began
    return found


def appeared(path, process):
    """When a file changes for the first time from now on."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    while process.poll() is None and not (path.exists() and path.stat().st_mtime_ns != before):
        time.sleep(0.002)
    return time.monotonic()


def killed(words, path, after):
    """Runs a command and kills it so long after its first record; whether it was still there to be killed."""
    process = started(words)
    appeared(path, process)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def contents(path):
    """All that a run has recorded, by name, and what it has learned."""
    run = read_run(path)
    found = {f"metric {name}": values for name, values in run.metrics.items()}
    found["trials"] = run.trials
    for name in run.populations:
        found[f"times of {name}"], found[f"neurons of {name}"] = run.spikes(name)
    found |= {name: run.state(name) for name in run.states}
    learned = {name: run.synapses(name) for name in run.projections} | run.parameters
    return found, learned, run


def is_a_beginning(part, whole):
    return all(
        len(part[name]) <= len(whole[name]) and same(part[name], whole[name][: len(part[name])]) for name in part
    )


def same(one, other):
    return np.asarray(one).tobytes() == np.asarray(other).tobytes()


@pytest.mark.slow
def test_killed_runs_open_keep_what_was_flushed_and_go_on_to_the_same_numbers(folder, whole, capsys, monkeypatch):
    monkeypatch.setattr("snnplast.cli.run._figures", lambda path: [])
    choose, kills, resumed, anew, flushed = random.Random(7), 0, 0, 0, 0
    while kills < KILLS:
        rule = list(EPOCHS)[kills % 2]
        complete, seconds = whole[rule]
        expected, learned, _ = contents(complete)
        path = Path(f"{rule}-{kills}.h5")
        twice = kills % 4 == 3
        words = words_of(rule, path)
        run = None
        for _ in range(1 + twice):
            if not killed(words, path, choose.uniform(0, 0.9 * seconds / (1 + twice))):
                break  # it ended first: such a run shows nothing
            kills += 1
            found, _, run = contents(path)
            assert run.status in ("running", "finished")  # the file may be complete before its process has ended
            flushed += len(found["trials"])
            assert is_a_beginning(found, expected)
            with h5py.File(path) as file:  # a plain reader, too
                assert len(file["trials"]) >= 0
            if run.status == "finished" or not run.resumable:
                break
            words = ["resume", str(path), "--quiet"]
        if run is None:
            path.unlink()
            continue
        if read_run(path).status == "finished":
            pass  # resumed, and ended before it was killed again
        elif run.resumable:
            assert main(["resume", str(path), "--quiet"]) == 0
            resumed += 1
        else:
            assert main(["resume", str(path), "--quiet"]) == 2
            assert "holds no checkpoint" in capsys.readouterr().err
            assert main(words_of(rule, path, "--force")) == 0
            anew += 1
        found, now, run = contents(path)
        assert run.status == "finished"
        assert found.keys() == expected.keys() and all(same(found[name], expected[name]) for name in found)
        assert now.keys() == learned.keys() and all(same(now[name], learned[name]) for name in now)
    with capsys.disabled():
        print(f"\n{kills} kills: {resumed} runs resumed, {anew} begun anew, all to the same bits")
    assert resumed > 0 and flushed > 0
    assert not [name for name in os.listdir() if name.endswith(".part")]
