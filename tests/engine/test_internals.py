"""One test per assumption about Brian2: a release that breaks one says here which."""

from __future__ import annotations

import re
import sys

import brian2
import numpy as np
import pytest
from brian2.core.names import Nameable
from brian2.core.variables import ArrayVariable
from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject
from brian2_examples import several_clocks
from engine_networks import N_HIDDEN, N_IN, needs_compiler, recurrent, relay

from snnplast.engine import internals, internals_cpp, unity


@pytest.fixture(scope="module")
def runtime_model():
    """The standard network under a private runtime device, prepared but never run."""
    with internals.private_brian(internals.runtime_device(), **internals.runtime_preferences("numpy")):
        model = recurrent()
        internals.prepare(model.network)
        yield model


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """Device, model and sources of the standard network under a private C++ device."""
    device = internals_cpp.EngineDevice()
    with internals.private_brian(device, **internals_cpp.PREFERENCES):
        model = recurrent()
        return device, model, internals_cpp.generate(device, model.network, tmp_path_factory.mktemp("generated"))


def test_the_active_device_is_a_global_of_the_device_module():
    assert internals.device_module is sys.modules["brian2.devices.device"]
    assert internals.device_module.active_device is brian2.get_device()


def test_activating_a_fresh_device_gives_it_a_default_clock_of_its_own():
    device = internals.runtime_device()
    with internals.private_brian(device):
        brian2.defaultclock.dt = 3 * brian2.ms
        assert brian2.get_device() is device
    assert brian2.defaultclock.dt == 0.1 * brian2.ms


def test_names_are_taken_from_the_set_of_living_instances():
    earlier = brian2.NeuronGroup(1, "v : 1", name="someone")
    with internals.private_brian(internals.runtime_device()):
        assert brian2.NeuronGroup(1, "v : 1", name="someone*").name == "someone"
    assert earlier in {reference() for reference in Nameable.__instances__()}


def test_preferences_are_put_back_even_after_an_error():
    before = brian2.prefs["codegen.target"]
    with (
        pytest.raises(ZeroDivisionError),
        internals.private_brian(internals.runtime_device(), **internals.runtime_preferences("numpy")),
    ):
        assert brian2.prefs["codegen.target"] == "numpy"
        raise ZeroDivisionError
    assert brian2.prefs["codegen.target"] == before


def test_a_network_lists_its_objects_in_running_order(runtime_model):
    names = [obj.name for obj in internals.active_objects(runtime_model.network)]
    order = [names.index(name) for name in ("inputs", "in_hidden_pre", "hidden_step", "recurrence_pre", "output_step")]
    assert order == sorted(order)


def test_state_is_what_is_not_constant_and_no_clock_or_event_list(runtime_model):
    variables = internals.state_variables(runtime_model.network)
    names = {f"{v.owner.name}.{v.name}" for v in variables}
    assert names >= {
        "hidden.v", "hidden.x_in", "hidden.count", "hidden.feedback", "hidden.lastspike", "hidden.not_refractory",
        "output.y", "in_hidden.w", "in_hidden.trace", "recurrence.w", "inputs._lastindex",
    }  # fmt: skip
    assert not names & {"hidden.alpha", "hidden.t", "the_clock.t", "hidden._spikespace", "in_hidden._synaptic_pre"}
    assert len({id(v) for v in variables}) == len(variables)
    initial = next(v for v in variables if v.name == "lastspike").get_value()
    assert (initial == internals.NEVER_SPIKED).all()


def test_event_lists_hold_one_more_number_than_neurons_and_the_last_counts(runtime_model):
    spaces = {f"{v.owner.name}.{v.name}": v for v in internals.event_spaces(runtime_model.network)}
    assert spaces.keys() == {"inputs._spikespace", "hidden._spikespace", "hidden._crossedspace"}
    assert spaces["inputs._spikespace"].size == N_IN + 1
    assert spaces["hidden._crossedspace"].size == N_HIDDEN + 1
    assert all(v.dtype == np.int32 for v in spaces.values())


def test_running_one_object_is_one_call(runtime_model):
    group = next(obj for obj in runtime_model.network.objects if obj.name == "hidden")
    group.variables["v"].get_value()[3] = 2.0
    group.thresholder["spike"].run()
    space = group.variables["_spikespace"].get_value()
    assert space[: space[-1]].tolist() == [3]


def test_generated_code_reads_scalar_constants_from_their_array_each_time(runtime_model):
    """Code objects also keep a copy, made once: a write through a view would not reach code that used it."""
    group = next(obj for obj in runtime_model.network.objects if obj.name == "hidden")
    step = next(obj for obj in group.contained_objects if obj.name == "hidden_step")
    for alpha in (0.5, 0.25):
        group.variables["v"].get_value()[:] = 1.0
        group.variables["alpha"].get_value()[:] = alpha
        step.run()
        np.testing.assert_array_equal(group.variables["v"].get_value(), alpha)


def test_a_queue_state_taken_while_empty_empties_the_queue():
    with internals.private_brian(internals.runtime_device(), **internals.runtime_preferences("numpy")):
        model = relay(2.0)
        internals.prepare(model.network)
        states = internals.queue_states(model.network)
        ((queue, _),) = states
        for _ in range(2):
            queue.push(np.zeros(1, np.int32))
            queue.advance()
            queue.advance()
            assert len(queue.peek()) == 3
            internals.restore_queues(states)
            for _ in range(4):
                assert len(queue.peek()) == 0
                queue.advance()


def test_explicit_synapses_are_connected_by_one_kind_of_code_object(generated):
    _, _, sources = generated
    assert [(c.pre, c.n_pre, c.n_post) for c in sources.connections] == [
        ("_dynamic_array_in_hidden__synaptic_pre", N_IN, N_HIDDEN),
        ("_dynamic_array_recurrence__synaptic_pre", N_HIDDEN, N_HIDDEN),
        ("_dynamic_array_readout__synaptic_pre", N_HIDDEN, 2),
        ("_dynamic_array_back__synaptic_pre", 2, N_HIDDEN),
    ]
    assert "_dynamic_array_in_hidden_trace" in sources.connections[0].registered
    assert not any("synapses_create" in text for text in sources.sources.values())


def test_the_number_of_synapses_is_not_in_the_sources(generated):
    _, _, sources = generated
    assert not any(str(N_HIDDEN * (N_HIDDEN - 1)) in text for text in sources.sources.values())


def test_the_generated_main_returns_before_running(generated):
    main = generated[2].sources["main.cpp"]
    assert main.index("return 0;") < main.index(".run(")
    assert "std::signal(SIGINT" not in main


def test_the_generated_sources_leave_by_exit_and_have_a_function_that_frees_arrays(generated):
    objects = generated[2].sources["objects.cpp"]
    assert "exit(1);" in objects
    assert "_dealloc_arrays" in objects


def test_static_arrays_are_read_from_files_of_their_name(tmp_path):
    device = internals_cpp.EngineDevice()
    with internals.private_brian(device, **internals_cpp.PREFERENCES):
        model = recurrent()
        group = next(obj for obj in model.network.objects if obj.name == "hidden")
        group.v = np.arange(N_HIDDEN) * 0.25
        sources = internals_cpp.generate(device, model.network, tmp_path)
    (name,) = sources.static_arrays
    assert f'.open("static_arrays/{name}", ios::in | ios::binary);' in sources.sources["objects.cpp"]
    np.testing.assert_array_equal(sources.static_arrays[name], np.arange(N_HIDDEN) * 0.25)


def test_arrays_are_pointers_with_a_count_or_vectors(generated):
    _, _, sources = generated
    objects = sources.sources["objects.cpp"]
    assert "double * _array_hidden_v;" in objects
    assert f"const int _num__array_hidden_v = {N_HIDDEN};" in objects
    assert "std::vector<double> _dynamic_array_in_hidden_w;" in objects
    assert sources.arrays["_array_hidden_v"] == np.float64
    assert sources.arrays["_array_hidden_not_refractory"] == np.bool_
    assert "_dynamic_array_in_hidden_w" in sources.dynamic
    assert "char * _array_hidden_not_refractory;" in objects


def test_a_network_holds_its_functions_in_running_order(generated):
    _, model, sources = generated
    added = [line.strip() for line in sources.sources["main.cpp"].splitlines() if ".add(&the_clock" in line]
    positions, length = internals_cpp.source_positions(model.network)
    assert len(added) == length
    assert "_run_inputs_codeobject" in added[positions["inputs"]]


def test_pathways_are_known_by_name(generated):
    assert set(generated[2].pathways) == {"in_hidden_pre", "recurrence_pre", "readout_pre"}


def test_templates_are_looked_for_in_our_package_first(generated):
    assert "SNNPLAST_PATHWAY_H" in generated[2].headers["synapses_classes.h"]
    code = generated[2].sources["code_objects/recurrence_pre_codeobject.cpp"]
    assert "case snnplast::Walk::runs:" in code
    assert "_ptr_array_recurrence__synaptic_post[_idx]" in code, "the index array that is hidden in a run"
    assert "_ptr_array_recurrence__synaptic_post{_run.target + _k}" in code


def test_queues_are_filled_by_the_template_we_leave_to_brian2(generated):
    """Its only contact with our class of pathways, besides the initialiser."""
    name = "recurrence_pre"
    code = generated[2].sources[f"code_objects/{name}_push_spikes.cpp"]
    used = set(
        re.findall(rf"{name}\.(\w+)", code + generated[2].sources[f"code_objects/before_run_{name}_push_spikes.cpp"])
    )
    assert used == {"advance", "push", "prepare", "sources"}


def test_brian2s_own_pathways_have_queues_of_one_thread():
    source = CPPStandaloneCodeObject.templater.synapses_classes.template_source
    assert "std::vector< CSpikeQueue * > queue;" in source


def test_thresholds_and_synapses_fill_one_block_of_a_common_template():
    for name in ("threshold", "synapses"):
        assert "{% block maincode %}" in getattr(CPPStandaloneCodeObject.templater, name).template_source


def test_before_run_blocks_prepare_the_queues(generated):
    assert sorted(generated[2].before_run) == [
        f"{name}_push_spikes" for name in ("in_hidden_pre", "readout_pre", "recurrence_pre")
    ]


def test_functions_and_macros_of_code_objects_are_found(generated):
    files = unity.assemble(generated[2])
    text = files["unity.cpp"]
    for name in generated[2].code_objects:
        assert f"void _run_{name}() {{ snnplast_{name}::_run_{name}(); }}" in text


def test_a_variable_knows_its_device(generated):
    device, model, _ = generated
    assert all(v.device is device for v in model.variables.values() if isinstance(v, ArrayVariable))


@needs_compiler
def test_every_header_the_sources_need_is_hoisted(generated):
    text = unity.assemble(generated[2])["unity.cpp"]
    assert text.index("#include <fstream>") < text.index("#define exit")
    assert "brianlib/" not in text.split("#define exit")[0]


def test_clocks_are_set_to_zero_in_the_order_of_their_names(tmp_path):
    """Brian2 goes through a set of them: in another order each time, and the sources would be others."""
    device = internals_cpp.EngineDevice()
    with internals.private_brian(device, **internals_cpp.PREFERENCES):
        network = several_clocks()
        sources = internals_cpp.generate(device, network, tmp_path)
        assert [float(clock.dt_) for clock in internals.clocks(network)] == [0.1e-3, 0.25e-3, 1e-3]
    zeros = re.findall(r"(_array_\w+_clock_(?:timestep|t))\[0\] = 0", sources.sources["main.cpp"])
    assert len(zeros) >= 6
    assert zeros == sorted(zeros)
    assert list(sources.clocks) == ["fast_clock", "synapses_clock", "slow_clock"]


def test_the_function_that_makes_a_network_is_told():
    def make(secret):
        return brian2.Network()

    with internals.networks_made() as made:
        network = make(3)
    ((same, frame),) = made
    assert same is network
    assert frame.f_locals == {"secret": 3}
    assert brian2.Network.__init__.__qualname__ == "Network.__init__"


def test_names_taken_inside_are_free_again_outside():
    with internals.private_brian(internals.runtime_device()):
        kept = brian2.NeuronGroup(1, "v : 1", name="taken_inside")
        kept._network = "given up"
    assert brian2.NeuronGroup(1, "v : 1", name="taken_inside*").name == kept.name


def test_random_numbers_begin_with_a_seed_before_everything_else(generated):
    main = generated[2].sources["main.cpp"]
    assert main.index("snnplast_seed();") < main.index("snnplast_connect(0);")
    assert "void seed(unsigned long seed)" in generated[2].headers["objects.h"]


def test_a_device_that_takes_over_pairs_connects_as_brian2_does_without_a_copy(tmp_path):
    pre, post = (np.array(ends, np.int32) for ends in ([0, 0, 1, 2], [1, 2, 0, 2]))
    found = {}
    for how in ("handed over", "by Brian2"):
        device = internals_cpp.EngineDevice()
        with internals.private_brian(device, **internals_cpp.PREFERENCES):
            group = brian2.NeuronGroup(3, "v : 1", threshold="v > 1", name="cells")
            synapses = brian2.Synapses(group, group, "w : 1", on_pre="v += w", name="synapses")
            if how == "handed over":
                internals.connect(synapses, pre, post)
            else:
                synapses.connect(i=pre, j=post)
            assert len(synapses) == 4
            found[how] = internals_cpp.generate(device, brian2.Network(group, synapses), tmp_path / how)
    handed, own = found.values()
    assert handed.sources == own.sources
    assert handed.connections[0].sources is pre
    np.testing.assert_array_equal(own.connections[0].targets, handed.connections[0].targets)
