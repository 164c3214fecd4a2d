"""Networks under description: a mistake is found at once and named, with the nearest right name."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV

from snnplast.errors import UserError
from snnplast.network.connectivity import AllToAll, ExplicitPairs, FixedInDegree, OneToOne, Probability
from snnplast.network.delays import UniformDelay
from snnplast.network.fragments import Fragment
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.own_equations import Analog
from snnplast.network.population import PoissonSource, SpikeSource
from snnplast.network.projection import Projection
from snnplast.network.readouts import LeakyReadout, RateReadout
from snnplast.network.weights import Gaussian, Normal, Uniform
from snnplast.simulation.plan import plan


def network():
    net = Network(dt="0.5 ms")
    net.add("input", SpikeSource(4))
    net.add("hidden", LIF(3))
    net.add("output", LeakyReadout(2))
    net.add("rates", RateReadout(2))
    return net


def test_a_projection_is_named_after_its_ends_unless_it_has_a_name():
    net = network()
    net.connect("input", "hidden", plastic=True)
    net.connect("input", "hidden", name="second_path", weights=0.5)
    assert list(net.projections) == ["input_to_hidden", "second_path"]
    assert [p.name for p in net.between("input", "hidden")] == ["input_to_hidden", "second_path"]
    assert net.readouts == ["output", "rates"] and net.dt == 0.0005


def test_a_copy_can_be_changed_and_the_frozen_original_not():
    net = network().freeze()
    copy = net.copy()
    copy.add("more", LIF(1))
    copy.connect("input", "more")
    copy.attach("more", Fragment(("x : 1",)))
    assert "more" not in net.populations and not net.projections and not net.attachments
    for change in (
        lambda: net.add("more", LIF(1)),
        lambda: net.connect("input", "hidden"),
        lambda: net.attach("hidden", Fragment()),
        lambda: net.change("input_to_hidden", simulated=False),
    ):
        with pytest.raises(UserError, match=r"network: it is frozen once an experiment uses it; change a copy\(\)"):
            change()


@pytest.mark.parametrize("dt", ["0 ms", "-1 ms"])
def test_the_time_step_is_positive(dt):
    with pytest.raises(UserError, match=f"Network: dt = '{dt}': a positive time is needed"):
        Network(dt=dt)


@pytest.mark.parametrize("dt, sentence", [("1", "has no unit"), ("2 mV", "a time is needed")])
def test_the_time_step_is_a_time(dt, sentence):
    with pytest.raises(UserError, match=sentence):
        Network(dt=dt)


@pytest.mark.parametrize(
    "add, sentence",
    [
        (lambda net: net.add("hidden", LIF(1)), "network: the name 'hidden' is taken"),
        (
            lambda net: net.add("2nd", LIF(1)),
            "network: '2nd' is no valid name; letters, digits and underscores are allowed",
        ),
        (
            lambda net: net.add("a-b", LIF(1)),
            "network: 'a-b' is no valid name; letters, digits and underscores are allowed",
        ),
        (lambda net: net.add("input_traces", LIF(1)), "network: 'input_traces' ends like a name of the library's own"),
        (lambda net: net.add("more", 5), "network.more: 5 is not a population"),
        (
            lambda net: net.add("fast", PoissonSource(1, peak_rate="2001 Hz")),
            "network.fast.peak_rate = 2001 Hz: at most one spike per step of 0.5 ms, 2000 Hz, is allowed",
        ),
        (lambda net: net.population("hiden"), "network: unknown population 'hiden': did you mean 'hidden'? Known: "),
    ],
)
def test_a_wrong_population_is_named(add, sentence):
    with pytest.raises(UserError) as caught:
        add(network())
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    "ends, settings, sentence",
    [
        (
            ("inpt", "hidden"),
            {},
            "network.inpt_to_hidden: unknown source population 'inpt': did you mean 'input'? Known",
        ),
        (("input", "hiddn"), {}, "network.input_to_hiddn: unknown target population 'hiddn': did you mean 'hidden'?"),
        (("hidden", "input"), {}, "network.hidden_to_input: 'input' is a source and takes no input"),
        (("output", "hidden"), {}, "network.output_to_hidden: 'output' does not spike; connect it with kind='analog'"),
        (("output", "hidden"), {"kind": "analog"}, "an analog projection needs the source's variable; a spiking one"),
        (("input", "hidden"), {"variable": "v"}, "an analog projection needs the source's variable; a spiking one"),
        (("input", "hidden"), {"every": "trial"}, "every = 'trial' is for analog projections"),
        (("input", "hidden"), {"feedback": True}, "feedback = True is for projections with every = 'trial'"),
        (("hidden", "rates"), {}, "network.hidden_to_rates: a RateReadout is fed by kind='analog', variable='z'"),
        (("input", "hidden"), {"kind": "analogue"}, "network.input_to_hidden.kind = 'analogue': "),
        (("input", "hidden"), {"plstic": True}, "network.input_to_hidden.plstic: unknown key; did you mean 'plastic'?"),
        (("input", "hidden"), {"bounds": (1, 0)}, "bounds (1, 0): the lowest weight must not exceed the highest"),
        (
            ("input", "hidden"),
            {"self_connections": False},
            "network.input_to_hidden: self_connections=False is for projections of a population onto itself",
        ),
        (
            ("input", "hidden"),
            {"weights": np.ones((3, 4))},
            "input_to_hidden: weights have shape (3, 4); allowed are a number, (n_pre, n_post) = (4, 3) or (12,)",
        ),
        (("input", "hidden"), {"weights": np.full((4, 3), np.inf)}, "finite numbers are needed, not inf"),
        (("input", "hidden"), {"weights": Normal}, "network.input_to_hidden.weights"),
        (("input", "hidden"), {"weights": 0.5 * mV}, "network.input_to_hidden.weights"),
        (("input", "hidden"), {"weights": [True, "x"]}, "network.input_to_hidden.weights"),
        (("input", "hidden"), {"plastic": "no"}, "network.input_to_hidden.plastic = 'no': true or false is needed"),
        (("input", "hidden"), {"plastic": 1}, "network.input_to_hidden.plastic = 1: true or false is needed"),
        (("input", "hidden"), {"bounds": (0, "1")}, "network.input_to_hidden.bounds"),
        (("input", "hidden"), {"bounds": 3}, "two entries, (lowest, highest), are needed"),
        (
            ("hidden", "hidden"),
            {"connectivity": ExplicitPairs(pre=[0, 0], post=[0, 1]), "self_connections": False},
            "network.hidden_to_hidden: the pair (0, 0) is listed, but self_connections = False leaves it out",
        ),
        (
            ("input", "hidden"),
            {"weights": np.ones((3, 4)), "connectivity": Probability(0.5)},
            "weights have shape (3, 4); allowed are a number, (n_pre, n_post) = (4, 3) or one per synapse",
        ),
        (
            ("input", "hidden"),
            {"weights": np.ones(5), "connectivity": FixedInDegree(2)},
            "weights have shape (5,); allowed are a number, (n_pre, n_post) = (4, 3) or (6,), one per synapse",
        ),
        (
            ("hidden", "hidden"),
            {"connectivity": OneToOne(), "self_connections": False},
            "network.hidden_to_hidden: OneToOne: from a population to itself these are self-connections, which are",
        ),
        (
            ("input", "hidden"),
            {"connectivity": OneToOne()},
            "network.input_to_hidden: OneToOne: sizes 4 and 3 differ; equal sizes are needed",
        ),
        (
            ("input", "hidden"),
            {"connectivity": FixedInDegree(5)},
            "network.input_to_hidden: FixedInDegree(k=5): only 4 source neurons are available",
        ),
        (
            ("input", "hidden"),
            {"connectivity": ExplicitPairs(pre=[0], post=[3])},
            "network.input_to_hidden: post index 3 is out of range: 0..2 are allowed",
        ),
        (
            ("input", "hidden"),
            {"connectivity": ExplicitPairs(pre=[1, 0], post=[0, 0]), "weights": [1.0, 2.0]},
            "network.input_to_hidden: weights are one per synapse by source, then target, but the pairs are in another",
        ),
    ],
)
def test_a_wrong_projection_is_named(ends, settings, sentence):
    with pytest.raises(UserError) as caught:
        network().connect(*ends, **settings)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"connectivity": Probability(0.5)},
        {"connectivity": FixedInDegree(2)},
        {"weights": Normal()},
        {"delay": UniformDelay(low="0 ms", high="3 ms")},
    ],
)
def test_a_description_draws_nothing_and_a_plan_draws_once(monkeypatch, settings):
    drawn = []

    def counting(owner, method):
        draw = getattr(owner, method)
        monkeypatch.setattr(owner, method, lambda *args: drawn.append(method) or draw(*args))

    counting(type(settings.get("connectivity", AllToAll())), "pairs")
    counting(Normal, "draw")
    net = network()
    net.connect("input", "hidden", **settings)
    assert not drawn
    plan(net, {}, (), 0)
    assert sorted(drawn) == ["draw", "pairs"]


@pytest.mark.parametrize("settings", [{"weights": np.ones(13)}, {"delay": np.ones(13) * ms}])
def test_one_value_per_synapse_is_checked_when_random_pairs_are_drawn(settings):
    net = network()
    net.connect("input", "hidden", connectivity=Probability(0.5), **settings)
    sentence = (
        r"network\.input_to_hidden: (weights have|delay has) shape \(13,\); allowed are a .*\(\d+,\), one per synapse"
    )
    with pytest.raises(UserError, match=sentence):
        plan(net, {}, (), 0)


def test_what_was_refused_leaves_no_trace():
    net = network()
    with pytest.raises(UserError):
        net.connect("input", "hidden", weights=np.ones(5))
    net.connect("input", "hidden")
    assert list(net.projections) == ["input_to_hidden"]


def test_only_what_acts_once_per_trial_asks_for_a_response_step():
    net = network()
    net.connect("input", "hidden")
    assert not net.trial_clocked
    net.connect("hidden", "rates", kind="analog", variable="z", every="trial")
    assert net.trial_clocked


def test_analog_units_declare_what_they_name():
    for settings, name in (({"into": "input"}, "'input'"), ({"persistent": ("memory",)}, "'memory'")):
        with pytest.raises(UserError, match=f"{name} is not declared by the equations: drive, x are"):
            Analog(3, equations="drive : 1\nx : 1", **settings)


def test_a_change_is_checked_like_a_connection():
    net = network()
    net.connect("input", "hidden")
    for changed, sentence in (
        ({"plastics": True}, "network.input_to_hidden.plastics: unknown key; did you mean 'plastic'?"),
        ({"delay": 5}, "network.input_to_hidden.delay: 5 has no unit"),
        ({"weights": np.ones((2, 2))}, "network.input_to_hidden: weights have shape (2, 2)"),
        ({"name": "other"}, "network.input_to_hidden.name cannot be changed; connect() makes another projection"),
        ({"plastic": "yes"}, "network.input_to_hidden.plastic = 'yes': true or false is needed"),
    ):
        before = net.projections["input_to_hidden"]
        with pytest.raises(UserError) as caught:
            net.change("input_to_hidden", **changed)
        assert str(caught.value).startswith(sentence)
        assert net.projections["input_to_hidden"] is before
    net.change("input_to_hidden", plastic=True, weights=0.5, delay="1 ms")
    changed = net.projections["input_to_hidden"]
    assert changed.plastic and changed.weights.values == 0.5 and changed.delay == 0.001
    net.change("input_to_hidden", plastic=False)
    assert net.projections["input_to_hidden"].delay == 0.001  # what is not changed stays
    net.change(
        "input_to_hidden", delay=np.full(net.populations["input"].size * net.populations["hidden"].size, 2.0) * ms
    )
    net.change("input_to_hidden", plastic=True)
    assert np.all(net.projections["input_to_hidden"].delay == 0.002)


def test_what_is_changed_or_attached_must_be_there():
    net = network()
    net.connect("input", "hidden")
    with pytest.raises(UserError, match="unknown projection 'input_to_hiden': did you mean 'input_to_hidden'"):
        net.change("input_to_hiden", plastic=True)
    with pytest.raises(UserError, match="unknown population 'hiden': did you mean 'hidden'"):
        net.attach("hiden", Fragment(("x : 1",)))
    assert not net.attachments


def test_initial_weights_lie_within_the_bounds():
    for weights, sign in ((Gaussian(std=1.0), None), (0.5, None), (-0.1, None), (0.5, "inhibitory")):
        net = network()
        net.connect("input", "hidden", weights=weights, bounds=(0, 0.3) if sign is None else (-0.3, 0), sign=sign)
        with pytest.raises(UserError, match=r"network\.input_to_hidden: initial weights span .* beyond bounds = "):
            plan(net, {}, (), 1)
    for weights, bounds in ((Uniform(low=0, high=0.3), (0, 0.3)), (0.3, (None, 0.3)), (-7.0, (None, 0.3))):
        net = network()
        net.connect("input", "hidden", weights=weights, bounds=bounds)
        drawn = plan(net, {}, (), 1).weights["input_to_hidden"]
        assert drawn.max() <= 0.3


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: LIF(True), "LIF.size = True: a number is needed"),
        (lambda: LIF("5"), "LIF.size = '5': a number is needed"),
        (lambda: LIF(5.0), "LIF.size = 5.0: an integer is needed"),
        (lambda: LIF(5, reset="0.5"), "LIF.reset = '0.5': a number or 'subtract' or 'subtract-next' is needed"),
        (lambda: LIF(5, normalise_input="yes"), "LIF.normalise_input = 'yes': true or false is needed"),
        (lambda: LIF(5, v_min="-1"), "LIF.v_min = '-1': a number is needed"),
        (lambda: Normal(gain="1"), "Normal.gain = '1': a number is needed"),
        (lambda: Normal(gain=True), "Normal.gain = True: a number is needed"),
    ],
)
def test_no_description_takes_text_or_a_truth_value_for_a_number(make, sentence):
    with pytest.raises(UserError) as caught:
        make()
    assert str(caught.value) == sentence


def test_one_sign_for_all_makes_one_limit_for_all():
    p = Projection(name="a_to_b", source="a", target="b", sign="inhibitory", bounds=(-2, None))
    assert p.limits(np.arange(1000)) == (-2, 0)
    np.testing.assert_array_equal(p.signed(np.array([1.0, -3.0]), np.arange(2)), [-1, -3])
