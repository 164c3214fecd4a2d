"""What every engine promises, whichever way it runs the network."""

from __future__ import annotations

import functools
import threading

import numpy as np
import pytest
from engine_networks import N_HIDDEN, N_IN, recurrent, relay, spontaneous

from snnplast.engine import NUMPY, EngineChoice, Interrupted, open_engine
from snnplast.errors import UserError

STEPS = 60


@pytest.fixture(scope="module")
def shared(kind):
    with open_engine(recurrent, kind) as engine:
        yield engine


@pytest.fixture
def engine(shared):
    shared.reset()
    yield shared
    shared.reset()


@pytest.fixture(scope="module")
def reference():
    """What the plainest engine makes of the standard trial."""
    with open_engine(recurrent, NUMPY) as engine:
        return trial(engine)


def stimulus(steps=STEPS, seed=0):
    return np.nonzero(np.random.default_rng(seed).random((steps, N_IN)) < 0.2)


def trial(engine, chunks=(STEPS,)):
    """Spikes and histories of one trial with the standard stimulus and a target series."""
    engine.set_spikes("inputs", *stimulus())
    engine.set_series("hidden.target", np.random.default_rng(5).random((STEPS, N_HIDDEN)))
    for n in chunks:
        engine.steps(n)
    record = {name: values.copy() for name, values in engine.history.items()}
    record["steps"], record["indices"] = engine.spikes("hidden")
    record["trace"], record["count"] = engine["in_hidden.trace"].copy(), engine["hidden.count"].copy()
    return record


def assert_same(record, other):
    assert record.keys() == other.keys()
    for name in record:
        np.testing.assert_array_equal(record[name], other[name], err_msg=name)


def test_engines_agree(engine, reference, kind):
    rtol = 1e-12 if kind.precision == "double" else 1e-5
    record = trial(engine)
    assert len(record["steps"]) > 20, "vacuous without spikes"
    np.testing.assert_array_equal(record["steps"], reference["steps"])
    np.testing.assert_array_equal(record["indices"], reference["indices"])
    for name, values in record.items():
        np.testing.assert_allclose(values, reference[name], rtol=rtol, atol=rtol, err_msg=name)


def test_replay_after_reset_is_bitwise_the_same(engine):
    first = trial(engine)
    engine.reset()
    assert_same(trial(engine), first)


def test_many_small_calls_equal_one_large_call(engine):
    whole = trial(engine)
    engine.reset()
    assert_same(trial(engine, chunks=[1] * 20 + [0, 7] + [STEPS - 27]), whole)


def test_time_counts_steps_since_reset(engine):
    assert engine.t == 0
    engine.steps(3)
    assert engine.t == 3
    engine.reset()
    assert engine.t == 0


def test_a_view_sees_the_simulation_and_changes_it(engine):
    v = engine["hidden.v"]
    v[4] = 5.0
    engine.steps(1)
    assert v[4] == pytest.approx(0.9 * 5.0 - 1.0)
    assert engine.spikes("hidden")[1].tolist() == [4]
    assert engine.history["hidden.v"][0, 4] == v[4]


def test_a_shared_constant_can_be_changed_between_steps(engine):
    engine["hidden.v"][:] = 0.5
    engine["hidden.alpha"][:] = 0.5
    engine.steps(1)
    engine["hidden.alpha"][:] = 0.9
    np.testing.assert_array_equal(engine["hidden.v"], 0.25)


def test_a_source_spike_is_emitted_in_exactly_its_step(engine):
    engine["in_hidden.w"][:], kept = 0.5, engine["in_hidden.w"].copy()
    engine.set_spikes("inputs", [3, 7, 7], [0, 1, 2])
    engine.steps(10)
    engine["in_hidden.w"][:] = kept
    steps, indices = engine.spikes("inputs")
    assert steps.tolist() == [3, 7, 7]
    assert indices.tolist() == [0, 1, 2]
    first = np.flatnonzero(engine.history["hidden.v"][:, 0])[0]
    assert first == 3


def test_spikes_are_counted_from_the_last_reset_not_from_the_call(engine):
    engine.steps(5)
    engine.set_spikes("inputs", [5, 9], [0, 0])
    engine.steps(3)
    assert engine.spikes("inputs")[0].tolist() == [5]
    engine.set_spikes("inputs", [8], [3])
    engine.steps(5)
    steps, indices = engine.spikes("inputs")
    assert steps.tolist() == [5, 8, 9]
    assert indices.tolist() == [0, 3, 0]


def test_spikes_read_between_segments_stay_as_they_were(engine):
    expected = trial(engine)
    engine.reset()
    engine.set_spikes("inputs", *stimulus())
    engine.set_series("hidden.target", np.random.default_rng(5).random((STEPS, N_HIDDEN)))
    seen = []
    for _ in range(STEPS // 5):
        engine.steps(5)
        seen.append(engine.spikes("hidden"))
    engine.reset()
    engine.set_spikes("inputs", [0], [0])
    engine.steps(3)
    for k, (steps, indices) in enumerate(seen):
        so_far = expected["steps"] < 5 * (k + 1)
        np.testing.assert_array_equal(steps, expected["steps"][so_far])
        np.testing.assert_array_equal(indices, expected["indices"][so_far])


def test_spikes_may_come_unsorted(engine):
    steps, indices = stimulus()
    order = np.random.default_rng(1).permutation(len(steps))
    engine.set_spikes("inputs", steps[order], indices[order])
    engine.steps(STEPS)
    np.testing.assert_array_equal(engine.spikes("inputs"), (steps, indices))


def test_spikes_of_every_source_in_every_step(engine):
    steps, indices = np.divmod(np.arange(5 * N_IN), N_IN)
    engine.set_spikes("inputs", steps, indices)
    engine.steps(5)
    np.testing.assert_array_equal(engine.spikes("inputs"), (steps, indices))


def test_a_series_is_written_row_by_row_and_its_last_row_stays(engine):
    rows = np.arange(3.0 * N_HIDDEN).reshape(3, N_HIDDEN)
    seen = []
    engine.steps(2)
    engine.set_series("hidden.target", rows)
    for _ in range(5):
        engine.steps(1)
        seen.append(engine["hidden.target"].copy())
    np.testing.assert_array_equal(seen, rows[[0, 1, 2, 2, 2]])


def test_a_later_series_replaces_what_is_left_of_an_earlier_one(engine):
    engine.set_series("hidden.target", np.ones((10, N_HIDDEN)))
    engine.steps(2)
    engine.set_series("hidden.target", np.full((1, N_HIDDEN), 2.0))
    engine.steps(3)
    np.testing.assert_array_equal(engine["hidden.target"], 2.0)


def test_a_series_may_be_changed_after_it_was_handed_over(engine):
    rows = np.ones((3, N_HIDDEN))
    engine.set_series("hidden.target", rows)
    rows[:] = 7.0
    engine.steps(3)
    np.testing.assert_array_equal(engine["hidden.target"], 1.0)


def test_reset_ends_a_series(engine):
    engine.set_series("hidden.target", np.ones((10, N_HIDDEN)))
    engine.steps(2)
    engine.reset()
    engine.steps(2)
    np.testing.assert_array_equal(engine["hidden.target"], 0.0)


def test_reset_restores_all_but_what_lasts(engine):
    weights = engine["in_hidden.w"].copy()
    engine["in_hidden.w"][:] = weights + 1
    engine["hidden.alpha"][:] = 0.8  # a constant is nobody's state
    trial(engine)
    engine.reset()
    for name in ("hidden.v", "hidden.x_in", "hidden.count", "hidden.feedback", "output.y", "in_hidden.trace"):
        np.testing.assert_array_equal(engine[name], 0.0, err_msg=name)
    np.testing.assert_array_equal(engine["in_hidden.w"], weights + 1)
    assert engine["hidden.alpha"][0] == 0.8
    engine["in_hidden.w"][:], engine["hidden.alpha"][:] = weights, 0.9
    assert all(len(rows) == 0 for rows in engine.history.values())
    assert len(engine.spikes("hidden")[0]) == len(engine.spikes("inputs")[0]) == 0


def test_history_has_one_row_per_step(engine):
    engine.steps(4)
    assert engine.history["hidden.v"].shape == (4, N_HIDDEN)
    before = engine["hidden.v"].copy()
    np.testing.assert_array_equal(engine.history["hidden.v"][-1], before)
    engine.steps(1000)
    assert engine.history["hidden.v"].shape == (1004, N_HIDDEN)


def test_a_clone_starts_at_step_zero_with_the_same_values_and_goes_its_own_way(engine):
    engine["readout.w"][:], kept = engine["readout.w"] * 2, engine["readout.w"].copy()
    expected = trial(engine)
    with engine.clone() as twin:
        np.testing.assert_array_equal(twin["hidden.v"], engine["hidden.v"])
        assert twin.t == 0
        twin["readout.w"][0] += 1
        assert twin["readout.w"][0] != engine["readout.w"][0]
        twin["readout.w"][0] -= 1
        twin.reset()
        assert engine.t == STEPS
        assert_same(trial(twin), expected)
    engine["readout.w"][:] = kept


def test_two_engines_in_two_threads_do_not_disturb_each_other(engine):
    expected = trial(engine)
    with engine.clone() as twin:
        records = {}

        def work(name, one):
            for _ in range(5):
                one.reset()
                records[name] = trial(one)

        threads = [threading.Thread(target=work, args=pair) for pair in enumerate((engine, twin))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert_same(records[0], expected)
    assert_same(records[1], expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e["hiden.v"], r"unknown variable 'hiden.v': did you mean 'hidden.v'\? Known: "),
        (lambda e: e.set_spikes("input", [0], [0]), "unknown spike source 'input': did you mean 'inputs'"),
        (lambda e: e.set_spikes("inputs", [0], [N_IN]), r"set_spikes\('inputs'\): index 10 is not in 0 to 9"),
        (lambda e: e.set_spikes("inputs", [0], [-1]), "index -1 is not in 0 to 9"),
        (lambda e: e.set_spikes("inputs", [1], [0]), "step 1 is not in 2 to .*, earlier ones have passed"),
        (lambda e: e.set_spikes("inputs", [2**31], [0]), "step 2147483648 is not in 2 to"),
        (lambda e: e.set_spikes("inputs", [5, 4, 5], [3, 3, 3]), "neuron 3 spikes twice in step 5"),
        (lambda e: e.set_spikes("inputs", [5, 6], [3]), "2 steps but 1 indices"),
        (lambda e: e.set_spikes("inputs", [0.5], [3]), "steps must be integers, not float64"),
        (lambda e: e.set_spikes("inputs", [[5]], [[3]]), "one-dimensional"),
        (lambda e: e.set_spikes("inputs", [5], [True]), "indices must be integers, not bool"),
        (lambda e: e.set_series("hidden.targt", np.ones((1, 1))), "unknown variable 'hidden.targt': did you mean"),
        (
            lambda e: e.set_series("hidden.target", np.ones((3, 2))),
            r"values must have shape \(rows, 20\), not \(3, 2\)",
        ),
        (lambda e: e.set_series("hidden.target", np.full((1, N_HIDDEN), np.nan)), "must be finite numbers, not nan"),
        (lambda e: e.set_series("hidden.target", np.ones((1, N_HIDDEN), complex)), "complex128 cannot be written"),
        (lambda e: e.steps(-1), "at least 0"),
        (lambda e: e.steps(1.5), "must be an integer"),
        (lambda e: e.spikes("outputs"), "unknown spiking population 'outputs'"),
    ],
)
def test_a_mistake_is_one_sentence_and_changes_nothing(engine, call, message):
    engine.steps(2)
    engine.set_spikes("inputs", [4], [4])
    with pytest.raises(UserError, match=message):
        call(engine)
    engine.steps(8)
    assert engine.spikes("inputs")[0].tolist() == [4]


def test_no_spikes_at_all_is_not_a_mistake(engine):
    engine.set_spikes("inputs", [], [])
    engine.steps(2)
    steps, indices = engine.spikes("inputs")
    assert steps.dtype == indices.dtype == np.int64
    assert len(steps) == 0


def test_a_spike_handed_over_twice_is_refused(engine):
    engine.set_spikes("inputs", [4, 5], [4, 4])
    with pytest.raises(UserError, match="neuron 4 spikes twice in step 5"):
        engine.set_spikes("inputs", [5], [4])


def test_a_stop_is_heard_and_the_engine_goes_on_afterwards(engine):
    engine.stop()
    with pytest.raises(Interrupted):
        engine.steps(5)
    engine.steps(5)
    assert engine.t == 5


def test_stop_from_another_thread_ends_a_long_run(kind):
    with open_engine(spontaneous, kind) as engine:
        timer = threading.Timer(0.2, engine.stop)
        timer.start()
        with pytest.raises(Interrupted):
            engine.steps(2**31)
        assert 0 < engine.t < 2**31
        assert len(engine.spikes("group")[0]) == (engine.t + 2) // 3


def test_a_refractory_neuron_may_spike_at_once_after_reset(kind):
    with open_engine(spontaneous, kind) as engine:
        for _ in range(3):
            engine.reset()
            engine.steps(8)
            steps, indices = engine.spikes("group")
            assert steps.tolist() == [0, 3, 6]
            assert indices.tolist() == [0, 0, 0]


@pytest.mark.parametrize("latency", ["start", "thresholds"])
def test_a_shared_delay_is_kept(kind, latency):
    with open_engine(functools.partial(relay, 2.0, latency), kind) as engine:
        engine.set_spikes("inputs", [1, 4], [0, 0])
        engine.steps(8)
        np.testing.assert_array_equal(engine.history["target.v"], np.repeat([[0, 0, 0, 1, 1, 1, 2, 2]], 3, axis=0).T)


def test_each_synapse_keeps_its_own_delay(kind):
    delays = (0.0, 1.0, 3.0)
    with open_engine(functools.partial(relay, delays), kind) as engine:
        engine.set_spikes("inputs", [1], [0])
        engine.steps(6)
        arrivals = [np.flatnonzero(column)[0] for column in engine.history["target.v"].T]
        assert arrivals == [1, 2, 4]


def test_spikes_on_their_way_are_dropped_by_reset(kind):
    with open_engine(functools.partial(relay, (0.0, 1.0, 3.0)), kind) as engine:
        engine.set_spikes("inputs", [0], [0])
        engine.steps(1)
        engine.reset()
        engine.steps(6)
        np.testing.assert_array_equal(engine["target.v"], 0.0)


def test_changed_delays_hold_from_the_next_reset(kind):
    with open_engine(functools.partial(relay, (0.0, 1.0, 3.0)), kind) as engine:
        engine["synapses.delay"][:] = [0.005, 0.0, 0.002]
        engine.reset()
        with engine.clone() as twin:
            for one in (engine, twin):
                one.set_spikes("inputs", [0], [0])
                one.steps(7)
                assert [np.flatnonzero(column)[0] for column in one.history["target.v"].T] == [5, 0, 2]


def test_delays_may_become_different_and_equal_again(kind):
    with open_engine(functools.partial(relay, (1.0, 1.0, 1.0)), kind) as engine:
        for delays in ([1, 1, 1], [2, 0, 1], [3, 3, 3]):
            engine["synapses.delay"][:] = np.array(delays) * 1e-3
            engine.reset()
            engine.set_spikes("inputs", [0], [0])
            engine.steps(5)
            assert [np.flatnonzero(column)[0] for column in engine.history["target.v"].T] == delays


def test_views_outlive_the_engine_but_the_engine_says_that_it_is_closed(kind):
    engine = open_engine(spontaneous, kind)
    view = engine["group.v"]
    engine.close()
    engine.close()
    assert view.tolist() == [1.0, 0.0]
    for call in (
        lambda e: e["group.v"],
        lambda e: e.steps(1),
        lambda e: e.reset(),
        lambda e: e.spikes("group"),
        lambda e: e.history,
        lambda e: e.set_spikes("x", [], []),
        lambda e: e.set_series("group.v", []),
        lambda e: e.clone(),
    ):
        with pytest.raises(RuntimeError, match="this engine has been closed"):
            call(engine)
    del engine
    view[0] = 2.0
    assert view.tolist() == [2.0, 0.0]


def test_initial_values_are_checked(kind):
    def model(**initial):
        built = spontaneous()
        built.initial = initial
        return built

    for initial, message in (
        ({"group.w": 1.0}, "unknown variable in initial 'group.w'"),
        ({"group.v": np.ones(3)}, r"initial\['group.v'\]: values must be one number or have shape \(2,\), not \(3,\)"),
        ({"group.v": np.inf}, "must be finite numbers, not inf"),
    ):
        with pytest.raises(UserError, match=message):
            open_engine(functools.partial(model, **initial), kind)


def test_an_unknown_engine_or_target_is_named():
    with pytest.raises(UserError, match="unknown engine 'compield': did you mean 'compiled'"):
        EngineChoice(name="compield")
    with pytest.raises(UserError, match="unknown target 'nump': did you mean 'numpy'"):
        EngineChoice(name="runtime", target="nump")


def test_a_target_of_the_compiled_engine_is_refused():
    with pytest.raises(UserError, match="the compiled engine has no target 'numpy'; 'auto', or the runtime engine, is"):
        EngineChoice(target="numpy")


def test_a_mere_name_is_a_choice_and_a_number_is_none():
    assert EngineChoice.of("runtime", "Experiment: engine").target == "auto"
    assert EngineChoice.of(NUMPY, "Experiment: engine") is NUMPY
    with pytest.raises(UserError, match="Experiment: engine = 3: the name of an engine, or an EngineChoice, is needed"):
        EngineChoice.of(3, "Experiment: engine")
