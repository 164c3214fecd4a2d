"""The output file of a run: what is in it, that it is written as the run goes on, and what a crash leaves behind."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import h5py
import libsonata
import numpy as np
import pytest

from snnplast.errors import UserError
from snnplast.record import run_file as record
from snnplast.record import writable
from snnplast.record.place import claim_new
from snnplast.record.reading import read_run
from snnplast.record.run_file import RunFile
from snnplast.record.writable import check_writable

STEPS, WEIGHTS = 100, 50


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.h5"


def open_run(path, **changes):
    settings = {
        "config": "rule = 'e-prop'\n",
        "seed": 3,
        "versions": {"snnplast": "0.1"},
        "dt": 0.5e-3,
        "populations": {"input": 40, "hidden": 10, "output": 2},
        "spikes": ["input", "hidden"],
        "states": {"output/v": 2},
        "units": 2,
    }
    return RunFile(path, **{**settings, **changes})


def trial_of(k, n_steps=STEPS):
    """Spikes and states of trial k, each time the same."""
    draw = np.random.default_rng(k)
    spikes = {
        name: (np.sort(draw.integers(0, n_steps, count)), draw.integers(0, size, count))
        for name, size, count in (("input", 40, 200), ("hidden", 10, 30))
    }
    return {"spikes": spikes, "states": {"output/v": draw.normal(size=(n_steps, 2))}}


def write(run, trials, first=0):
    if not first:
        run.initial({"a->b": np.zeros(WEIGHTS)})
    for k in range(first, first + trials):
        run.trial(k, "train", STEPS, iteration=k, **trial_of(k))
        run.metrics("iteration", {"loss": 1 / (k + 1)})
        run.answers(k, "train", [k % 2], [1], k)
        run.history(k + 1, {"a->b": np.full(WEIGHTS, k + 1.0)})


# What is in the file


def test_spikes_lie_on_one_time_axis_of_concatenated_trials(path):
    with open_run(path) as run:
        write(run, 3)
    times, neurons = read_run(path).spikes("hidden")
    expected = [(k * STEPS + trial_of(k)["spikes"]["hidden"][0]) * 0.5 for k in range(3)]
    assert len(times) == 90
    assert np.array_equal(times, np.concatenate(expected))
    assert np.array_equal(neurons, np.concatenate([trial_of(k)["spikes"]["hidden"][1] for k in range(3)]))


def test_libsonata_reads_the_same_spikes(path):
    with open_run(path) as run:
        write(run, 3)
    reader = libsonata.SpikeReader(str(path))
    assert sorted(reader.get_population_names()) == ["hidden", "input"]
    population = reader["hidden"]
    times, neurons = read_run(path).spikes("hidden")
    assert population.sorting == "by_time"
    assert population.time_units == "ms"
    assert [(node, time) for node, time in population.get()] == list(zip(neurons, times, strict=True))


def test_the_file_carries_the_attributes_that_tools_need(path):
    with open_run(path) as run:
        write(run, 2)
    with h5py.File(path) as file:
        assert file.attrs["magic"] == 0x0A7A and file.attrs["magic"].dtype == "u4"
        hidden = file["spikes/hidden"]
        assert hidden["timestamps"].attrs["units"] == "ms"
        assert hidden["timestamps"].compression is None
        assert (hidden["timestamps"].dtype, hidden["node_ids"].dtype) == ("f8", "u8")
        assert {name: hidden.attrs[name] for name in ("dt", "size", "t_stop", "seed")} == {
            "dt": 0.5,
            "size": 10,
            "t_stop": 100.0,
            "seed": 3,
        }


def test_one_trial_can_be_cut_out_and_equals_what_was_recorded(path):
    lengths = [100, 7, 50]
    with open_run(path, dt=0.1e-3) as run:
        for k, n_steps in enumerate(lengths):
            run.trial(k, "test" if k == 1 else "train", n_steps, iteration=7, **trial_of(k, n_steps))
    found = read_run(path)
    assert found.trials["phase"].tolist() == ["train", "test", "train"]
    assert found.trials["iteration"].tolist() == [7, 7, 7]
    assert np.allclose(found.trials["stop"], [10, 10.7, 15.7])
    for k, n_steps in enumerate(lengths):
        for population in ("input", "hidden"):
            steps, neurons = found.trial_spikes(population, row=k)
            assert np.array_equal(steps, trial_of(k, n_steps)["spikes"][population][0])
            assert np.array_equal(neurons, trial_of(k, n_steps)["spikes"][population][1])
        assert np.array_equal(found.state("output/v", row=k), trial_of(k, n_steps)["states"]["output/v"])
    assert found.state("output/v").shape == (157, 2)


def test_spikes_of_a_step_in_any_order_are_stored_by_time(path):
    steps, neurons = np.array([5, 1, 3, 1]), np.array([0, 3, 2, 1])
    with open_run(path, spikes=["hidden"], states={}) as run:
        run.trial(0, "train", 10, spikes={"hidden": (steps, neurons)})
    found = read_run(path).trial_spikes("hidden", 0)
    assert found[0].tolist() == [1, 1, 3, 5] and found[1].tolist() == [3, 1, 2, 0]


def test_what_was_recorded_does_not_change_with_the_callers_arrays(path):
    trial = trial_of(0)
    with open_run(path, interval=1e9) as run:
        write(run, 1)
        run.trial(1, "train", STEPS, **trial)
        bias = np.ones(WEIGHTS)
        run.parameter("a->b", bias)
        for array in (*trial["spikes"]["hidden"], trial["states"]["output/v"], bias):
            array[...] = 0
    found = read_run(path)
    assert np.array_equal(found.trial_spikes("hidden", 1)[0], trial_of(0)["spikes"]["hidden"][0])
    assert np.array_equal(found.state("output/v", 1), trial_of(0)["states"]["output/v"])
    assert found.parameters["a->b"].tolist() == [1] * WEIGHTS


def test_metrics_have_one_row_per_iteration_or_epoch(path):
    with open_run(path, interval=0) as run:
        for k in range(4):
            run.metrics("iteration", {"loss": k} if k != 2 else {"loss": k, "late": 9})
            if k % 2:
                run.metrics("epoch", {"test_accuracy": k / 10})
    found = read_run(path)
    assert found.metrics["loss"].tolist() == [0, 1, 2, 3]
    assert found.metrics["test_accuracy"].tolist() == [0.1, 0.3]
    assert np.array_equal(found.metrics["late"], [np.nan, np.nan, 9, np.nan], equal_nan=True)
    assert found.per == {"loss": "iteration", "late": "iteration", "test_accuracy": "epoch"}
    assert list(found.metrics) == ["loss", "test_accuracy", "late"]
    assert all(rows.dtype == np.float64 for rows in found.metrics.values())


def test_weights_are_three_columns_and_the_last_call_counts(path):
    with open_run(path) as run:
        for scale, n in ((1.0, 3), (2.0, 3), (3.0, 4)):
            run.weights(
                "input->hidden", np.arange(n), np.arange(n)[::-1], scale * np.arange(n), source="input", target="hidden"
            )
            run.metrics("epoch", {"loss": 1.0})
            run.flush()
        run.weights("hidden->output", [0], [1], [0.5], source="hidden", target="output")
    found = read_run(path)
    pre, post, weight = found.synapses("input->hidden")
    assert (pre.tolist(), post.tolist(), weight.tolist()) == ([0, 1, 2, 3], [3, 2, 1, 0], [0.0, 3.0, 6.0, 9.0])
    assert found.projections == {"hidden->output": ("hidden", "output"), "input->hidden": ("input", "hidden")}


def test_config_versions_seed_and_status_are_kept_whatever_their_length(path):
    config = "# long\n" * 20_000
    with open_run(path, config=config) as run:
        write(run, 1)
        run.flush()
        assert read_run(path).status == "running"
    found = read_run(path)
    assert (found.config, found.versions, found.seed, found.dt) == (config, {"snnplast": "0.1"}, 3, 0.5e-3)
    assert found.status == "finished"


# Writing while the run goes on


def test_the_first_record_appears_at_once_and_later_ones_in_bursts(path):
    run = open_run(path, interval=0.2)
    write(run, 1)
    assert len(read_run(path).trials) == 1
    write(run, 5, first=1)
    assert len(read_run(path).trials) == 1
    time.sleep(0.25)
    write(run, 1, first=6)
    assert len(read_run(path).trials) == 7
    run.finish()


def test_a_full_buffer_is_written_before_its_time(path, monkeypatch):
    monkeypatch.setattr(record, "BUFFER_BYTES", 100_000)
    run = open_run(path, interval=1e9)
    write(run, 200)
    assert run._buffers.nbytes < 100_000
    assert len(read_run(path).trials) > 150
    run.finish()


def test_memory_does_not_grow_with_the_length_of_the_run(path):
    code = f"""
        import resource, sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from test_record import open_run, write
        with open_run({str(path)!r}, interval=0.01) as run:
            write(run, 500)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            write(run, 4500, first=500)
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert path.stat().st_size > 20e6
    assert int(done.stdout) < 5_000  # kB


def test_sorting_is_claimed_only_at_the_end(path):
    run = open_run(path)
    write(run, 1)
    assert libsonata.SpikeReader(str(path))["hidden"].sorting == "none"
    run.finish()
    assert libsonata.SpikeReader(str(path))["hidden"].sorting == "by_time"


# Mistakes


def test_a_run_that_records_nothing_leaves_nothing_and_replaces_nothing(tmp_path, path):
    with open_run(path) as run:
        write(run, 1)
    older = path.read_bytes()
    with pytest.raises(RuntimeError), open_run(claim_new(path, force=True)) as run:
        run.weights("a", [0], [0], [0.5], source="input", target="hidden")
        raise RuntimeError
    assert path.read_bytes() == older
    assert os.listdir(tmp_path) == ["run.h5"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "record.path: '.*' is a directory: the name of a file is needed"),
        ("missing/run.h5", "record.path: cannot write '.*run.h5': there is no directory '.*missing'"),
        ("file/run.h5", "record.path: cannot write '.*run.h5': '.*file' is not a directory"),
    ],
)
def test_a_path_that_cannot_be_written_is_one_sentence(tmp_path, name, sentence):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=f"^{sentence}$"):
        check_writable(tmp_path / name)
    with pytest.raises(UserError, match=f"^{sentence}$"):
        open_run(tmp_path / name)
    assert os.listdir(tmp_path) == ["file"]


def test_a_directory_without_permission_is_one_sentence(path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(writable.tempfile, "TemporaryFile", refuse)
    with pytest.raises(UserError, match=r"^output: cannot write '.*run.h5': Permission denied$"):
        check_writable(path, place="output")


def test_checking_a_path_leaves_nothing(tmp_path, path):
    assert check_writable(str(path)) == path
    assert os.listdir(tmp_path) == []


def test_an_unknown_population_names_the_nearest(path):
    with pytest.raises(UserError, match=r"record.spikes: unknown population 'hiden': did you mean 'hidden'"):
        open_run(path, spikes=["hiden"])
    with pytest.raises(UserError, match=r"record.states: unknown population 'outptu': did you mean 'output'"):
        open_run(path, states={"outptu/v": 2})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"spikes": {}}, r"has \[\] and \['output/v'\], announced were \['hidden', 'input'\] and"),
        ({"spikes": {**trial_of(0)["spikes"], "hidden": ([100], [0])}}, r"a step outside 0\.\.99"),
        ({"spikes": {**trial_of(0)["spikes"], "hidden": ([0], [10])}}, r"a neuron outside 0\.\.9"),
        ({"spikes": {**trial_of(0)["spikes"], "hidden": ([0, 1], [1])}}, "must be equally long"),
        ({"states": {"output/v": np.zeros((99, 2))}}, r"the shape is \(99, 2\), announced was \(100, 2\)"),
    ],
)
def test_a_record_of_the_wrong_shape_is_refused_and_the_file_goes_on(path, change, sentence):
    with open_run(path) as run:
        with pytest.raises(ValueError, match=sentence):
            run.trial(0, "train", STEPS, **{**trial_of(0), **change})
        write(run, 1)
    assert len(read_run(path).trials) == 1


def test_names_and_phases_that_the_file_cannot_hold_are_refused(path):
    run = open_run(path)
    with pytest.raises(ValueError, match="'a/b' cannot name a dataset"):
        run.metrics("epoch", {"a/b": 1.0})
    with pytest.raises(ValueError, match="longer than 16 bytes"):
        run.trial(0, "a phase that is too long", STEPS, **trial_of(0))
    run.metrics("epoch", {"loss": 1.0})
    with pytest.raises(ValueError, match="metric 'loss' is kept per epoch, not per iteration"):
        run.metrics("iteration", {"loss": 1.0})
    run.finish()
    with pytest.raises(ValueError, match="is closed"):
        run.metrics("epoch", {"loss": 1.0})


# Ends


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError, "failed"), (UserError, "failed"), (KeyboardInterrupt, "interrupted")]
)
def test_an_error_leaves_what_was_recorded_and_says_so(path, error, status):
    with pytest.raises(error), open_run(path, interval=1e9) as run:
        write(run, 5)
        raise error
    found = read_run(path)
    assert found.status == status
    assert len(found.trials) == 5 and len(found.metrics["loss"]) == 5


def test_the_first_status_counts(path):
    with open_run(path) as run:
        write(run, 1)
        run.finish("interrupted")
    assert read_run(path).status == "interrupted"


def test_ctrl_c_in_the_middle_of_a_burst_waits_for_its_end(path, monkeypatch):
    real_add = record.RunLayout.add_trials

    def slow_add(layout, trials):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        real_add(layout, trials)

    run = open_run(path)
    monkeypatch.setattr(record.RunLayout, "add_trials", slow_add)
    with pytest.raises(KeyboardInterrupt):
        write(run, 1)
    monkeypatch.undo()
    assert len(read_run(path).trials) == 1
    run.finish("interrupted")
    assert read_run(path).status == "interrupted"


def test_a_full_disk_is_one_sentence_and_leaves_the_last_burst(path):
    code = f"""
        import resource, sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from test_record import open_run, write
        from snnplast.errors import UserError
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
        try:
            with open_run({str(path)!r}, interval=0.01) as run:
                write(run, 10_000)
        except UserError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.stdout == f"record.path: cannot write '{path}': File too large\n"
    assert done.stderr == ""
    check_prefix(path)
    assert os.listdir(path.parent) == ["run.h5"]


# Kills


def check_prefix(path):
    """Plain h5py and libsonata read the first trials and metrics, whole; `read_run` finds them of the same moment.

    (A kill amid the last microseconds of a burst may show a plain reader the metrics of one burst and the trials of
    the next.)
    """
    found = read_run(path)
    assert len(found.metrics.get("loss", ())) in (len(found.trials), len(found.trials) - 1)
    assert len(found.answers) in (len(found.trials), len(found.trials) - 1)
    if len(found.answers) > 2:
        rounds, history = found.weight_history("a->b")
        assert np.array_equal(history[:, -1], rounds) and len(rounds) in (len(found.answers), len(found.answers) - 1)
    with h5py.File(path) as file:
        trials = len(file["trials"])
        loss = file["metrics"].get("loss", np.empty(0))[:]
        assert np.array_equal(loss, 1 / np.arange(1, len(loss) + 1))
        assert len(file["states/output/v"]) == trials * STEPS
        timestamps = file["spikes/hidden/timestamps"][:]
        node_ids = file["spikes/hidden/node_ids"][:]
    assert len(timestamps) == len(node_ids) == trials * 30
    for k in (0, trials // 2, trials - 1):
        steps, neurons = trial_of(k)["spikes"]["hidden"]
        assert np.array_equal(timestamps[30 * k : 30 * k + 30], (k * STEPS + steps) * 0.5)
        assert np.array_equal(node_ids[30 * k : 30 * k + 30], neurons)
    population = libsonata.SpikeReader(str(path))["hidden"]
    assert [time for _, time in population.get()] == timestamps.tolist()
    return trials


@pytest.mark.slow
def test_a_run_killed_at_a_random_moment_leaves_a_readable_file(path):
    """20 times SIGKILL, while bursts follow each other 20 times faster than by default."""
    choose = random.Random(1)
    counts = []
    for kill in range(20):
        target = path.with_name(f"run{kill}.h5")
        child = os.fork()
        if child == 0:
            write(open_run(target, interval=0.05), 10**6)
            os._exit(0)
        while not target.exists():
            time.sleep(0.001)
        time.sleep(choose.uniform(0, 0.4))
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        counts.append(check_prefix(target))
        assert read_run(target).status == "running"
    assert max(counts) > 100
