"""Code that users and rules hand over: what is none, or does what it must not, is one sentence with its line."""

from __future__ import annotations

import ast
from typing import ClassVar

import numpy as np
import pytest
from brian_runs import running
from hypothesis import given
from hypothesis import strategies as st

from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.network import code, slots
from snnplast.network.code import equation, equation_lines, expression, statements
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.fragments import Fragment, Injection, Update
from snnplast.network.network import Network
from snnplast.network.own_equations import Analog
from snnplast.network.population import SpikeSource
from snnplast.rules.e_prop import EProp
from snnplast.simulation.run_trial import simulate
from snnplast.testing import small_network, small_task
from snnplast.training.pretrain import open_simulation


@pytest.mark.parametrize(
    "text, why",
    [
        ("v >= (theta", "'(' was never closed"),
        ("v theta", "invalid syntax"),
        ("x[0] + 1", "it has no indices"),
        ("a.b", "it has no attributes"),
        ("v if v > 0 else 0", "it has no 'if'; int(condition) is 1 or 0"),
        ("v^2", "'^' is no operator of it; '**' is a power"),
        ("a & b", "write 'and'"),
        ("0 < v < 1", "one comparison at a time is allowed"),
        ("f(x, y=2)", "functions are called by their name"),
        ("f(*x)", "functions are called by their name"),
        ("v + 'a'", "'a' is no number"),
        ("(1, 2)", "it has no tuples"),
        ("lambda: 1", "is not part of it"),
        ("v\0", "null bytes"),
    ],
)
def test_an_expression_is_brian2s_or_refused_with_the_reason(text, why):
    with pytest.raises(UserError, match="is not in Brian2's language") as caught:
        expression(text)
    assert why in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "v",
        "v 3",
        "v == 3",
        "v := 3",
        "v **= 2",
        "v %= 2",
        "v[0] = 1",
        "a.b = 1",
        "a, b = 1",
        "v += 1; u",
        "if v: u = 1",
    ],
)
def test_a_statement_is_brian2s_or_refused(text):
    with pytest.raises(UserError) as caught:
        Update(text)
    assert str(caught.value).startswith("Update.code: ") and "\n" not in str(caught.value)


def test_statements_are_told_apart_by_lines_and_semicolons_and_comments_are_left_out():
    found = statements("v = v + 1  # up\n\n  u -= int(v == 2); w /= 2 # = 3")
    assert [(s.target, s.operator, ast.unparse(s.value)) for s in found] == [
        ("v", "=", "v + 1"),
        ("u", "-=", "int(v == 2)"),
        ("w", "/=", "2"),
    ]


def test_equations_may_span_lines_and_have_comments():
    text = "dv/dt = (-v  # the leak\n   + i0)/tau : 1 (unless refractory)\n# nothing\n\nu : volt  # a voltage"
    assert equation_lines(text) == ("dv/dt = (-v + i0)/tau : 1 (unless refractory)", "u : volt")
    first, second = map(code.equation, equation_lines(text))
    assert (first.name, first.differential, first.unit, first.subexpression) == ("v", True, "1", False)
    assert (second.name, second.value, second.unit) == ("u", None, "volt")


@given(st.text(max_size=40))
def test_whatever_the_text_it_is_code_or_one_sentence(text):
    for parse in (expression, statements, code.equation):
        try:
            parse(text)
        except UserError as error:
            assert "\n" not in str(error).replace(repr(text), "")


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: Update("v = 1", when="aftr_groups"), "Update.when: unknown slot 'aftr_groups': did you mean"),
        (lambda: Update("v = 1", order=1.5), "Update.order = 1.5: an integer is needed"),
        (lambda: Update("v = 1", event="spike"), "Update.event = 'spike': None, at every step, or 'trial' is allowed"),
        (lambda: Update(3), "Update.code = (3,): lines of code, a tuple of texts, are needed"),
        (lambda: Fragment("v : 1"), "equations = 'v : 1': lines of code, a tuple of texts, are needed"),
        (lambda: Fragment(("dv/dt : 1",)), "equation 'dv/dt : 1': expected 'dv/dt = expression : unit'"),
        (lambda: Fragment(on_spike=("v + 1",)), "on_spike: 'v + 1' is no statement"),
        (lambda: Analog(2, equations="drive : 1\nx = drve : 1"), "equations: 'x = drve : 1': unknown name 'drve': did"),
        (lambda: Analog(2, equations="drive : 1\nx = foo(drive) : 1"), "unknown function 'foo'"),
        (lambda: Analog(2, equations="drive : 1\nt : 1"), "Analog.equations: 't' has a special meaning"),
        (lambda: Analog(2, equations="drive : 1\nx_pre : 1"), "'x_pre' ends like the name of a variable at one end"),
        (lambda: Analog(2, equations="x : 1"), "Analog.into: 'drive' is not declared by the equations"),
        (lambda: Analog(2, equations="drive : 1", updates=(Update("drive = poisson(2)"),)), "random numbers (poisson)"),
    ],
)  # fmt: skip
def test_what_is_no_code_is_refused_where_it_is_described(make, sentence):
    with pytest.raises(UserError) as caught:
        make()
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


# Rules


class Injecting(EProp):
    """e-prop that injects what a test gives it, beside its own."""

    name: ClassVar[str] = "injecting"
    given: ClassVar[Injection] = Injection()

    def inject(self, network, projection, kinds):
        own = super().inject(network, projection, kinds)
        return self.given if projection.name == "first_to_first" else own


def injecting(**pieces):
    return type("Given", (Injecting,), {"given": Injection(**pieces)})(evaluation="online")


def at_synapses(code, *equations, **pieces):
    return {"synapse": Fragment(equations, updates=(Update(code, *slots.TRACES),), **pieces)}


def assembled(rule, net=None, engine=NUMPY, **settings):
    task = small_task()
    return open_simulation(net or small_network(), task.objective, rule, 1, engine, **settings)


@pytest.mark.parametrize(
    "pieces, sentence",
    [
        (at_synapses("w = clip(w + 0.1, 0, 1)"), "'w = clip(w + 0.1, 0, 1)' changes 'w' within a trial: a rule"),
        ({"synapse": Fragment(on_arrival=("w += 0.1",))}, "'w += 0.1' changes 'w' within a trial: a rule derived"),
        ({"synapse": Fragment(on_spike=("w -= 0.1",))}, "'w -= 0.1' changes 'w' within a trial"),
        ({"post": Fragment(updates=(Update("bias = 0.1"),))}, "'bias = 0.1' changes 'bias' within a trial"),
        (at_synapses("bias_post = 0.1"), "'bias_post = 0.1' changes 'bias_post' within a trial"),
        ({"synapse": Fragment(("dw/dt = -w/(10*ms) : 1",))}, "'w' is the weight of a synapse"),
        (at_synapses("g = v_pst", "g : 1"), "'g = v_pst': unknown name 'v_pst': did you mean 'v_post'?"),
        (at_synapses("g = psy", "g : 1"), "'g = psy': unknown name 'psy'"),
        (at_synapses("g2 = v_post", "g : 1"), "'g2 = v_post': nothing reads 'g2'; unknown name 'g2'"),
        (at_synapses("g = rand()", "g : 1"), "'g = rand()' draws random numbers (rand)"),
        (at_synapses("tau_m_post = 3*ms"), "'tau_m_post = 3*ms' writes 'tau_m_post', which is not to be changed there"),
        ({"post": Fragment(("u : 1",), updates=(Update("u = thta"),))}, "'u = thta': unknown name 'thta'"),
        ({"pre": Fragment(("u : 1",), on_spike=("u = u + q",))}, "'u = u + q': unknown name 'q'"),
    ],
)  # fmt: skip
def test_code_of_a_rule_that_does_what_it_must_not_is_said_with_rule_projection_and_line(pieces, sentence):
    with pytest.raises(UserError) as caught:
        assembled(injecting(**pieces))
    assert str(caught.value).startswith(f"rule 'injecting': network.first_to_first: {sentence}")
    assert "\n" not in str(caught.value)


def test_a_rule_may_use_and_change_a_neurons_own_variable_w():
    net = small_network()
    net.attach("first", Fragment(("w : 1", "u : 1")))
    rule = injecting(post=Fragment(updates=(Update("w = w + 1"),)), **at_synapses("w_post = w_post + w", "g : 1"))
    assembled(rule, net)


def test_a_syntax_error_in_a_rules_code_is_said_with_rule_and_projection():
    class Misspelt(Injecting):
        def inject(self, network, projection, kinds):
            return Injection(synapse=Fragment(("g : 1",), updates=(Update("g = v_post +* 2"),)))

    with pytest.raises(
        UserError, match=r"rule 'injecting': network.input_to_first: Update.code: 'g = v_post .* 2' is not"
    ):
        assembled(Misspelt())


def test_what_brian2_finds_wrong_in_a_rules_code_is_said_with_projection_and_line():
    with pytest.raises(UserError, match=r"network\.first_to_first: Brian2 refuses 'g = g \+ 3\*mV': .*units"):
        assembled(injecting(**at_synapses("g = g + 3*mV", "g : 1")))
    with pytest.raises(UserError, match=r"network\.first_to_first: Brian2 refuses its code: .*hertz"):
        assembled(injecting(**at_synapses("g = 1", "g : 1", "dx/dt = -x : 1 (clock-driven)")))


# Names


def neurons_with(name):
    """Adaptive neurons whose second variable has this name."""
    return CustomNeurons(
        3,
        equations=f"dv/dt = -v/(20*ms) : 1\nd{name}/dt = -{name}/(30*ms) : 1",
        threshold="v >= 1",
        reset=f"v = v - 1\n{name} += 1",
        distance="v - 1",
        threshold_scale="1",
    )


def trials(name, engine, evaluation):
    """(sum of the variable, gradients) of one trial with recurrent neurons that call a variable so."""
    net = Network()
    net.add("input", small_network().populations["input"])
    net.add("hidden", neurons_with(name))
    net.add("output", small_network().populations["output"])
    for source, target in (("input", "hidden"), ("hidden", "hidden"), ("hidden", "output")):
        net.connect(source, target, weights=0.3 if target == "hidden" else 0.1, plastic=True)
    simulation = assembled(EProp(evaluation=evaluation), net, engine, recorded=(f"hidden.{name}",))
    record = simulate(simulation, small_task().trial(0), 0, 1, np.random.default_rng(0))
    (plasticity,) = simulation.plasticities
    assert np.any(simulation.engine["input_to_hidden.w"] == 0.3)
    gradients = {key: np.array(value) for key, value in plasticity.gradient(record, small_task().objective).items()}
    return record.history[f"hidden.{name}"].copy(), gradients


@pytest.mark.parametrize("evaluation", ["online", "factored"])
def test_a_neurons_variable_may_be_called_as_the_library_calls_its_own(evaluation):
    expected, gradients = trials("u", NUMPY, evaluation)
    assert np.any(expected) and np.any(gradients["hidden_to_hidden"])
    for name in ("w", "responding", "input_gain", "delay", "j", "eligibility", "zbar", "gradient"):
        found, others = trials(name, NUMPY, evaluation)
        assert np.array_equal(found, expected), name
        for key, gradient in gradients.items():
            assert np.array_equal(others[key], gradient), (name, key)


def test_a_neurons_variable_w_and_the_weights_are_both_shown_under_their_names():
    net = Network()
    net.add("input", SpikeSource(2))
    net.add("hidden", neurons_with("w"))
    net.add("sink", Analog(3, equations="drive : 1"))
    net.connect("input", "hidden", weights=30.0)
    net.connect("hidden", "sink", kind="analog", variable="w", weights=2.0)
    with running(net, ["hidden.w"]) as engine:
        engine.set_spikes("input", [0], [1])
        engine.steps(3)
        assert engine["input_to_hidden.w"].tolist() == [30.0] * 6
        assert np.all(engine.history["hidden.w"][0] == 1.0)
        assert engine["hidden_to_sink.w"].tolist() == [2.0] * 9


@pytest.mark.parametrize("text", ["dv/dt = -v/tau + (v > 1)/tau : 1", "on = 2*(v > 1 and v < 2) : 1"])
def test_a_condition_in_an_equation_is_no_number(text):
    with pytest.raises(UserError, match=r"is a condition, no number; int\(v > 1"):
        equation(text)
    assert equation(text.replace("(v >", "int(v >")).value is not None
