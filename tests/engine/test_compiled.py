"""What only the compiled engine can get wrong: building, loading, exceptions, processes."""

from __future__ import annotations

import functools
import gc
import multiprocessing
import os
import signal
import tempfile
import threading
import time

import brian2
import numpy as np
import pytest
from brian2.devices.device import reset_device
from engine_networks import needs_compiler, recurrent, relay, spontaneous

from snnplast.engine import NUMPY, BrianModel, compiled, open_engine
from snnplast.errors import UserError
from snnplast.native import cache, compiler

pytestmark = needs_compiler


@pytest.fixture
def keys(monkeypatch):
    """Keys of the libraries asked for."""
    seen = []

    def remember(*arguments):
        seen.append(cache.cache_key(*arguments))
        return seen[-1]

    monkeypatch.setattr(compiled, "cache_key", remember)
    return seen


def test_the_key_depends_on_structure_alone(keys):
    """Neither values, nor the number of synapses, nor what else exists in Brian2 is compiled in."""
    open_engine(recurrent).close()
    brian2.defaultclock.dt = 0.25 * brian2.ms
    alive = [brian2.NeuronGroup(3, "v : 1", name="hidden"), open_engine(recurrent)]
    open_engine(functools.partial(recurrent, seed=7, p=0.4)).close()
    brian2.defaultclock.dt = 0.1 * brian2.ms
    assert len(alive) == 2
    assert len(set(keys)) == 1
    open_engine(functools.partial(relay, 1.0)).close()
    assert len(set(keys)) == 2


def test_each_spike_leaves_the_library_once(monkeypatch):
    with open_engine(spontaneous) as engine:
        taken, copy = [], engine._library.spikes

        def counting(number, first, *buffers):
            taken.append(engine._library.spike_count(number) - first)
            copy(number, first, *buffers)

        monkeypatch.setitem(engine._library.__dict__, "spikes", counting)
        for _ in range(50):
            engine.steps(4)
            engine.spikes("group")
        assert sum(taken) == engine.spikes("group")[0].size == 67


def test_brian2_is_left_as_it_was():
    brian2.defaultclock.dt = 0.25 * brian2.ms
    brian2.prefs.codegen.target = "numpy"
    mine = brian2.NeuronGroup(2, "dv/dt = -v/(10*ms) : 1", name="hidden")
    device = brian2.get_device()
    open_engine(recurrent).steps(3)
    assert brian2.get_device() is device
    assert brian2.defaultclock.dt == 0.25 * brian2.ms
    other = brian2.NeuronGroup(2, "v : 1", name="hidden*")
    assert other.name == "hidden_1", "names taken before are still taken"
    mine.v = 1
    brian2.Network(mine).run(1 * brian2.ms)
    assert 0 < mine.v[0] < 1
    brian2.defaultclock.dt = 0.1 * brian2.ms
    brian2.prefs.codegen.target = "auto"


def test_an_engine_opens_whichever_device_the_user_has_chosen():
    brian2.set_device("cpp_standalone", build_on_run=False)
    try:
        with open_engine(spontaneous) as engine, open_engine(spontaneous, NUMPY) as other:
            engine.steps(4)
            other.steps(4)
            np.testing.assert_array_equal(engine.spikes("group"), other.spikes("group"))
        assert brian2.get_device() is brian2.all_devices["cpp_standalone"]
    finally:
        reset_device()


def test_a_write_through_a_brian2_object_raises():
    models = []

    def construct():
        models.append(spontaneous())
        return models[0]

    with open_engine(construct) as engine:
        group = next(obj for obj in models[0].network.objects if obj.name == "group")
        for write in (
            lambda: setattr(group, "v", 1),
            lambda: setattr(group, "v_", np.ones(2)),
            lambda: setattr(group, "v", "i * 1.0"),
            lambda: group.v.__setitem__(0, 3.0),
            lambda: group.v.__setitem__("i > 0", 3.0),
            lambda: group.variables["v"].set_value(2.0),
            lambda: models[0].network.run(1 * brian2.ms),
            lambda: group.v[:],
        ):
            with pytest.raises(Exception) as caught:
                write()
            reasons = []
            error = caught.value
            while error is not None:
                reasons.append(error)
                error = error.__cause__ or error.__context__
            assert any(isinstance(e, UserError) and "read and write through engine" in str(e) for e in reasons)
        assert engine["group.v"].tolist() == [1.0, 0.0]


def test_values_assigned_while_constructing_arrive():
    def construct():
        model = relay(0.0)
        target = next(obj for obj in model.network.objects if obj.name == "target")
        target.v = [3.0, 1.0, 2.0]
        return model

    with open_engine(construct) as engine, engine.clone() as twin:
        assert engine["target.v"].tolist() == twin["target.v"].tolist() == [3.0, 1.0, 2.0]


@brian2.implementation(
    "cpp",
    """
    double fuse(double v) {
        if (v > 2.5) throw std::runtime_error("the fuse is blown");
        if (v < -2.5) exit(3);
        return v;
    }
    """,
)
@brian2.check_units(v=1, result=1)
def fuse(v):
    raise NotImplementedError


def fused() -> BrianModel:
    clock = brian2.Clock(1 * brian2.ms, name="the_clock")
    group = brian2.NeuronGroup(2, "v : 1", clock=clock, name="group", namespace={"fuse": fuse})
    group.run_regularly("v = fuse(v + 1)", name="counting", clock=clock)
    return BrianModel(brian2.Network(group, name="net"), {"group.v": group.variables["v"]}, recorded=("group.v",))


def test_an_exception_in_the_generated_code_reaches_python_and_reset_repairs():
    with open_engine(fused) as engine:
        for _ in range(2):
            with pytest.raises(RuntimeError, match="the compiled network failed: the fuse is blown"):
                engine.steps(10)
            assert engine.t == 2, "the step in which it happened is not taken"
            assert engine.history["group.v"].shape == (2, 2)
            engine.reset()
            engine.steps(2)
            assert engine["group.v"].tolist() == [2.0, 2.0]
            engine.reset()


def test_exit_in_the_generated_code_does_not_end_python():
    with open_engine(fused) as engine:
        engine["group.v"][1] = -9
        with pytest.raises(RuntimeError, match=r"called exit\(3\)"):
            engine.steps(1)


def test_code_that_does_not_compile_is_reported():
    def construct():
        clock = brian2.Clock(1 * brian2.ms, name="the_clock")

        @brian2.implementation("cpp", "double broken(double v) { return nonsense; }")
        @brian2.check_units(v=1, result=1)
        def broken(v):
            raise NotImplementedError

        group = brian2.NeuronGroup(1, "v : 1", clock=clock, name="group", namespace={"broken": broken})
        group.run_regularly("v = broken(v)", name="code", clock=clock)
        return BrianModel(brian2.Network(group, name="net"), {})

    with pytest.raises(compiler.CompilerError, match="nonsense"):
        open_engine(construct)


def random_walk() -> BrianModel:
    clock = brian2.Clock(1 * brian2.ms, name="the_clock")
    group = brian2.NeuronGroup(
        50, "dv/dt = -v/(10*ms) + xi/sqrt(10*ms) : 1", threshold="rand() < 0.2", method="euler", clock=clock, name="g"
    )
    return BrianModel(brian2.Network(group, name="net"), {"g.v": group.variables["v"]}, spiking={"g": group})


def test_brian2s_own_random_numbers_work():
    with open_engine(random_walk) as engine:
        engine.steps(200)
        assert engine["g.v"].std() > 0.1
        assert 1000 < len(engine.spikes("g")[0]) < 3000


def test_short_chunks_change_nothing(monkeypatch):
    with open_engine(recurrent) as engine:
        engine.set_spikes("inputs", np.arange(50), np.arange(50) % 10)
        engine.steps(100)
        whole = engine.history["output.y"].copy()
        engine.reset()
        monkeypatch.setattr(compiled, "CHUNK", 0)
        monkeypatch.setattr(compiled, "BLOCK", 7)
        engine.set_spikes("inputs", np.arange(50), np.arange(50) % 10)
        engine.steps(100)
        np.testing.assert_array_equal(engine.history["output.y"], whole)


def test_ctrl_c_interrupts_a_long_run_between_two_steps():
    handler = signal.getsignal(signal.SIGINT)
    with open_engine(spontaneous) as engine:
        threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
        begin = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            engine.steps(2**31)
        assert time.monotonic() - begin < 5
        engine.steps(1)
    assert signal.getsignal(signal.SIGINT) is handler


def test_engines_of_one_network_share_nothing():
    engines = [open_engine(spontaneous) for _ in range(3)]
    for k, engine in enumerate(engines):
        engine["group.v"][:] = [k, 1 - k]
    for k, engine in enumerate(engines):
        assert engine["group.v"].tolist() == [k, 1 - k]
        engine.steps(k)
    assert [engine.t for engine in engines] == [0, 1, 2]


def test_arrays_of_many_values_begin_at_a_cache_line():
    with open_engine(recurrent) as engine:
        assert [engine[name].ctypes.data % 64 for name in ("in_hidden.w", "recurrence.w", "back.b")] == [0, 0, 0]


def mapped_copies() -> int:
    with open("/proc/self/maps") as file:
        return len({line.split()[4] for line in file if "memfd:snnplast" in line})  # by number: they have no name


def test_a_library_is_unloaded_when_the_last_view_is_gone():
    gc.collect()
    before = mapped_copies()
    engine = open_engine(spontaneous)
    view = engine["group.v"][1:]
    assert mapped_copies() == before + 1
    engine.close()
    del engine
    gc.collect()
    assert mapped_copies() == before + 1
    view[:] = 3
    del view
    gc.collect()
    assert mapped_copies() == before


def test_where_nothing_can_be_loaded_from_memory_a_private_copy_is_which_goes_at_once(tmp_path, monkeypatch):
    def refuse(name):
        raise OSError("not here")

    monkeypatch.setattr(os, "memfd_create", refuse)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first, second = open_engine(spontaneous), open_engine(spontaneous)
    first.steps(10)
    assert first.spikes("group")[0].tolist() == [0, 3, 6, 9] and second.spikes("group")[0].size == 0
    assert list(tmp_path.iterdir()) == []


def test_without_a_compiler_the_error_names_the_way_out(monkeypatch):
    monkeypatch.setattr(compiler, "COMPILERS", ("no-such-compiler",))
    monkeypatch.delenv("CXX", raising=False)
    assert not compiler.compiler_available()
    with pytest.raises(compiler.CompilerError, match='choose engine "runtime"'):
        open_engine(spontaneous)


def test_a_compiler_named_by_the_environment_is_used(monkeypatch):
    monkeypatch.setenv("CXX", "g++ -DSOMETHING")
    assert compiler.find_compiler() == ["g++", "-DSOMETHING"]
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert compiler.find_compiler() is None


def build_in_a_process(directory, queue):
    import os

    os.environ["SNNPLAST_CACHE_DIR"] = directory
    with open_engine(spontaneous) as engine:
        engine.steps(10)
        queue.put(engine.spikes("group")[0].tolist())


@pytest.mark.slow
def test_several_processes_may_build_one_network_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=build_in_a_process, args=(str(tmp_path), queue)) for _ in range(3)]
    for worker in workers:
        worker.start()
    results = [queue.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert results == [[0, 3, 6, 9]] * 3
    assert len([p for p in tmp_path.iterdir() if p.is_dir()]) == 1


@pytest.mark.slow
def test_a_damaged_library_is_rebuilt_not_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNPLAST_CACHE_DIR", str(tmp_path))
    open_engine(spontaneous).close()
    library = next(tmp_path.glob("*/content"))
    whole = library.read_bytes()
    library.write_bytes(whole[: len(whole) // 2])
    with open_engine(spontaneous) as engine:
        engine.steps(1)
    assert len(library.read_bytes()) == len(whole)


@pytest.mark.slow
def test_two_threads_may_open_engines_at_once():
    results = {}

    def work(k):
        with open_engine(functools.partial(recurrent, seed=k)) as engine:
            engine.steps(5)
            results[k] = engine["in_hidden.w"].copy()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert not np.array_equal(results[0], results[1])
