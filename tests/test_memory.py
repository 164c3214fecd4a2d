"""What cannot fit into the machine's memory is refused in one sentence before it is tried."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast import LIF, ExplicitPairs, FixedInDegree, LeakyReadout, Network, PoissonSource, Probability
from snnplast.cli.command import main
from snnplast.config.experiment import Experiment
from snnplast.errors import UserError
from snnplast.network import memory
from snnplast.network.memory import refuse_too_large


def network(size, **projection):
    net = Network()
    net.add("input", PoissonSource(100))
    net.add("hidden", LIF(size))
    net.add("output", LeakyReadout(2))
    net.connect("input", "hidden", **projection)
    return net


def refusal(net):
    with pytest.raises(UserError) as caught:
        refuse_too_large(net)
    return str(caught.value)


def test_there_is_some_memory():
    assert 10**8 < memory.there_is() < 10**15


@pytest.mark.parametrize(
    ("size", "projection", "needed"),
    [
        (10**9, {}, "at least 1.62 TB of memory are needed, most of it for 'input_to_hidden', 100000000000 synapses"),
        (10**9, {"plastic": True}, "at least 2.42 TB of memory are needed, most of it for 'input_to_hidden'"),
        (10**9, {"connectivity": Probability(0.1)}, "most of it for 'input_to_hidden', 10000000000 synapses"),
        (10**9, {"connectivity": FixedInDegree(10)}, "most of it for 'input_to_hidden', 10000000000 synapses"),
        (
            10**9,
            {"connectivity": ExplicitPairs(pre=[0], post=[1])},
            "16 GB of memory are needed, most of it for 'hid",
        ),
    ],
)
def test_a_network_that_cannot_fit_is_refused_by_what_is_largest(monkeypatch, size, projection, needed):
    monkeypatch.setattr(memory, "there_is", lambda: 15 * 10**9)
    sentence = refusal(network(size, **projection))
    assert needed in sentence
    assert sentence.startswith("network: at least ") and sentence.endswith("; there are 15 GB")


def test_what_fits_is_not_refused(monkeypatch):
    monkeypatch.setattr(memory, "there_is", lambda: 10**6)
    refuse_too_large(network(500))
    assert "1.66 MB of memory are needed" in refusal(network(1024))
    refuse_too_large(network(30000, connectivity=ExplicitPairs(pre=np.arange(100), post=np.arange(100))))


def test_no_population_has_more_neurons_than_an_index_can_name():
    assert refusal(network(2**31)) == "network.hidden: 2147483648 neurons; at most 2147483647 are allowed"


@pytest.mark.parametrize(
    "text", ["model.hidden=10000000000", "model.copies=10000000000", "model.hidden=[300000,300000]"]
)
def test_a_config_is_refused_before_anything_is_drawn(monkeypatch, text):
    monkeypatch.setattr(memory, "there_is", lambda: 15 * 10**9)
    with pytest.raises(UserError, match=r"^network"):
        Experiment.of("xor", text)


def test_a_trial_that_cannot_fit_is_refused(folder, capsys):
    sets = ["model.duration=1e9 second", "engine=runtime", "engine.target=numpy", "model.hidden=2"]
    assert main(["run", "xor", "--quiet", *[word for text in sets for word in ("--set", text)]]) == 2
    assert "task: a segment of 1000000000000 steps: at least " in capsys.readouterr().err
    assert folder.files() == set()


def test_memory_that_runs_out_all_the_same_is_one_sentence(tiny, capsys):
    tiny.write("tiny.py", (tiny.path / "tiny.py").read_text().replace("np.eye(4)[labels]", "np.ones(10**17)"))
    assert main(["run", "experiment.toml", "--quiet"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
