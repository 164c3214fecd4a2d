"""Store and recall: what is asked for is what was stored, and spiking networks that adapt learn to keep it."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast.engine import NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.learning.optimizer import Adam
from snnplast.models.store_recall import RECALL, STORE, StoreRecall
from snnplast.random_streams import TRAINING
from snnplast.rules.e_prop import EProp
from snnplast.testing.bench import Bench
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

SMALL = StoreRecall(
    hidden=10, periods=6, period="30 ms", shortest=1, group=8, rate="200 Hz", tau_adapt="100 ms", tests=2
)


def shown(segment, model):
    """What the spikes of each period say: active populations (periods, 4), with targets and window in the same rows."""
    steps = segment.steps // model.periods
    step, index = segment.inputs["input"]
    active = np.zeros((model.periods, 4), bool)
    active[step // steps, index // model.group] = True
    series = [segment.series[f"output.{name}"].reshape(model.periods, steps, -1) for name in ("target", "in_window")]
    assert all(np.array_equal(rows, np.broadcast_to(rows[:, :1], rows.shape)) for rows in series), "one value a period"
    return active, *(rows[:, 0] for rows in series)


def test_the_label_of_every_recall_is_the_bit_shown_with_the_store_before_it():
    model, labels, distances = StoreRecall(), [], []
    task = model.task(1)
    for k in range(40):
        (segment,) = task.trial(k)
        active, target, in_window = shown(segment, model)
        assert np.array_equal(in_window[:, 0], active[:, RECALL]), "the window holds the recalls and nothing else"
        assert np.array_equal(active[:, :2].sum(axis=1), ~active[:, RECALL]), "one bit a period, none with a recall"
        stores, recalls = np.flatnonzero(active[:, STORE]), np.flatnonzero(active[:, RECALL])
        assert 0 < stores.size == recalls.size
        assert np.all(stores < recalls) and np.all(recalls[:-1] < stores[1:]), "store and recall alternate"
        assert np.array_equal(target[recalls], active[stores, :2])
        labels += list(target[recalls].argmax(axis=1))
        distances += list(recalls - stores)
    assert min(distances) == model.shortest and max(distances) > 6
    assert 0.3 < np.mean(labels) < 0.7


def test_the_bits_between_store_and_recall_are_distractors():
    model = StoreRecall(shortest=4)
    opposite = []
    for k in range(20):
        (segment,) = model.task(1).trial(k)
        active, target, _ = shown(segment, model)
        recall = np.flatnonzero(active[:, RECALL])[0]
        opposite.append(np.any(active[recall - 1, :2] != target[recall]))
    assert 4 < sum(opposite) < 16


def test_background_fires_in_every_population():
    (segment,) = StoreRecall(background="10 Hz").task(1).trial(0)
    step, index = segment.inputs["input"]
    rates = np.bincount(index // 25, minlength=4) / 25 / (segment.steps * 1e-3)
    assert np.all(rates > 8)
    (silent,) = StoreRecall().task(1).trial(0)
    assert silent.inputs["input"][0].size < step.size


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"shortest": 12}, r"shortest = 12: fewer than periods = 12 are allowed"),
        ({"recall_chance": 0}, r"StoreRecall\.recall_chance = 0"),
        ({"period": 200}, r"StoreRecall\.period"),
    ],
)
def test_a_wrong_setting_is_named(wrong, sentence):
    with pytest.raises(UserError, match=sentence):
        StoreRecall(**wrong)


def test_without_adaptive_neurons_every_threshold_is_constant():
    assert not np.any(StoreRecall(adaptive=0).network().populations["hidden"].beta)
    beta = StoreRecall(hidden=10, adaptive=0.3).network().populations["hidden"].beta
    assert np.array_equal(beta > 0, np.arange(10) >= 7)


def test_accuracy_is_the_share_of_recalls_answered_right():
    """A readout that always says 1 is right where a 1 was stored."""
    task, network = SMALL.task(2), SMALL.network()
    simulation = open_simulation(network, task.objective, EProp(), 1, NUMPY)
    trainer, seen = Trainer(simulation, task, 1), set()
    for k in range(6):
        weights = simulation.values["hidden_to_output"].reshape(-1, 2)
        weights[:] = np.array([-10.0, 10.0])
        record = trainer.run(TRAINING, k)
        (segment,) = task.trial(k)
        _, target, in_window = shown(segment, SMALL)
        spoken = record.history["output.y"][:, 1] > 0
        assert np.all(spoken[record.in_window("output") == 1]), "the hidden neurons spike before every recall"
        expected = target[in_window[:, 0] == 1, 1].mean()
        assert trainer.measure(record)["accuracy"] == expected
        seen.add(expected)
    assert len(seen) > 1


def test_online_and_factored_gradients_of_recalls_are_the_same():
    bench = Bench(SMALL.network(), SMALL.task(1), NUMPY)
    found = []
    for evaluation in ("online", "factored"):
        rule = EProp(evaluation=evaluation, regularisers=("firing-rate",), average_gradient=30)
        with bench.open(rule) as simulation:
            found.append([bench.gradients(simulation, k) for k in range(3)])
    for online, factored in zip(*found, strict=True):
        assert online.keys() == factored.keys() == {"input_to_hidden", "hidden_to_hidden", "hidden_to_output"}
        for name, gradient in online.items():
            assert np.abs(factored[name] - gradient).max() < 1e-10 * np.abs(gradient).max() > 0


@pytest.mark.slow
@pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
def test_networks_learn_to_keep_a_bit_only_with_adapting_thresholds():
    accuracy = {adaptive: [_learned(adaptive, seed) for seed in (1, 2, 3)] for adaptive in (0.5, 0.0)}
    assert np.mean(accuracy[0.5]) > 0.9
    assert np.mean(accuracy[0.0]) < 0.6


def _learned(adaptive, seed):
    """Accuracy after 200 iterations of 16 trials, in 200 new trials."""
    model = StoreRecall(hidden=40, adaptive=adaptive, periods=5, period="100 ms", tau_adapt="1000 ms", tests=200)
    task, rates = model.task(seed), {"name": "firing-rate", "target": "20 Hz"}
    rule = EProp(batch=16, average_gradient=100, optimizer=Adam(learning_rate=1e-2), regularisers=(rates,))
    simulation = open_simulation(model.network(), task.objective, rule, seed)
    with simulation.engine:
        trainer = Trainer(simulation, task, 200)
        for _ in trainer:
            pass
        accuracy = [trainer.measure(record)["accuracy"] for record in trainer.evaluate()]
        trainer.close()
    return np.mean(accuracy)
