"""One table: every rule, third factor, model and neuron that is registered keeps its contract; a new one adds a row."""

from __future__ import annotations

import data_files
import pytest

import snnplast as snn
from snnplast import registry
from snnplast.engine import NUMPY
from snnplast.testing import check_model, check_neuron, check_rule, check_third_factor, small_network, small_task
from snnplast.testing.bench import Handing

RESERVOIR = {"units": 30, "teacher": {"name": "hsic", "window": 3}, "streams": 3, "stream_length": 20}


def layered():
    """One hidden layer before a readout that acts once per trial."""
    net = snn.Network()
    net.add("input", snn.PoissonSource(12, peak_rate="300 Hz"))
    net.add("hidden", snn.LIF(8, tau_m="20 ms", representation=snn.LayerNorm(), bias=0.02))
    net.add("output", snn.RateReadout(3))
    net.connect("input", "hidden", weights=snn.Normal(gain=2.5), plastic=True)
    net.connect("hidden", "output", kind="analog", variable="z", every="trial", plastic=True)
    return net


RULES = {
    "e-prop": {"regularisers": ("firing-rate",)},
    "ib-hebbian": {"third_factor": {"name": "hsic", "window": 3}, "trials": 4},
    "reward-hebbian": {"network": small_network("rate"), "timings": ("trial",)},
    "votes": {"network": small_network("rate")},
    "diehl-cook": {"total": 3},
    "reward-stdp": {"third_factor": {"name": "dopamine", "baseline": 1.0}},
}
THIRD_FACTORS = {
    "dopamine": {"task": Handing(small_task(), {"first": 8, "second": 7}, {"reward": 1.0})},
    "local-readout": {"rule": "decolle"},
    "hsic": {"window": 3, "trials": 4},
    "class-memory": {"trials": 6},
    "backprop": {"rule": "ib-hebbian", "network": layered()},
    "reservoir": {"rule": "ib-hebbian", "network": small_network("rate"), "trials": 4, **RESERVOIR},
}
MODELS = {
    "digits": {"hidden": 20},
    "xor": {"hidden": 8},
    "linear": {"hidden": 8},
    "evidence-accumulation": {"draws": "fresh", "tests": 2},
    "diehl-cook": {"neurons": 5, "duration": "50 ms", "peak_rate": "120 Hz", "rest": "10 ms"},
    "spike-pattern": {"gain": 10},
    "t-maze": {"hidden": 10, "cues": 1, "corridor": 1, "pause": "20 ms"},
    "cartpole": {"hidden": 10},
    "pong": {"hidden": 10, "block": 16, "longest": 30},
}
NEURONS = {
    "cuba": {"weight": 25.0, "method": "exponential_euler", "dt": "0.5 ms"},
    "coba": {"weight": 16.0, "dt": "0.5 ms"},
    "adex": {"weight": 2500.0, "dt": "0.5 ms"},
    "izhikevich": {"weight": 15.0, "dt": "0.5 ms"},
    "glif": {"weight": 400.0, "dt": "0.5 ms"},
}
"""What each is tried with, where that is not what the kit takes by itself."""
NEEDS = {"cartpole": ["gymnasium"], "pong": ["gymnasium", "ale_py"]}
QUICK = {"rule": {"stdp"}, "third-factor": {"zero"}, "model": {"xor"}, "neuron": {"lif"}}
"""Those that are tried among the fast tests, on one engine; the others, and both engines, are slow."""


def every(kind):
    """All names of a kind, those that take longer marked."""
    quick = QUICK[kind]
    return [n if n in quick else pytest.param(n, marks=pytest.mark.slow) for n in registry.names(kind)]


@pytest.mark.parametrize("name", every("rule"))
def test_every_rule_keeps_the_contract(name):
    quick = {"engine": NUMPY, "workers": (), "trials": 2} if name in QUICK["rule"] else {}
    check_rule(registry.load("rule", name), **{"trials": 3, **quick, **RULES.get(name, {})})


@pytest.mark.parametrize("name", every("third-factor"))
def test_every_third_factor_keeps_the_contract(name):
    quick = {"engine": NUMPY, "workers": (), "trials": 2} if name in QUICK["third-factor"] else {}
    check_third_factor(registry.load("third-factor", name), **{"trials": 3, **quick, **THIRD_FACTORS.get(name, {})})


@pytest.mark.parametrize("name", every("model"))
def test_every_model_keeps_the_contract(name, tmp_path):
    for package in NEEDS.get(name, []):
        pytest.importorskip(package)
    quick = {"engine": NUMPY} if name in QUICK["model"] else {}
    settings = MODELS.get(name, {}) | data_files.settings(name, tmp_path)
    check_model(registry.load("model", name), **quick, **settings)


@pytest.mark.parametrize("name", every("neuron"))
def test_every_neuron_keeps_the_contract(name):
    quick = {"engine": NUMPY} if name in QUICK["neuron"] else {}
    check_neuron(registry.load("neuron", name), **quick, **NEURONS.get(name, {}))
