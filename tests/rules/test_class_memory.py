"""Class memory: what is remembered of every class, what is expected of a sample, and the signal made of both."""

from __future__ import annotations

import numpy as np
import pytest
from reference import class_memory as oracle
from reference import ib_hebbian as ib
from streams_of_samples import CLASSES, LAYERS, context, records, shown, wrong

from snnplast.errors import UserError
from snnplast.rules.third_factors.class_memory import ClassMemory
from snnplast.rules.third_factors.memories import MEMORIES

SETTINGS = {
    "averages": {"memory": 0.7},
    "residuals": {"window": 9, "rate": 0.1},
    "delta": {"rate": 0.1},
    "whitened": {"memory": 0.7, "spread_memory": 0.8, "ridge": 0.3},
    "neighbours": {"window": 9},
}
EXPECTATIONS = ("readout", "layer", "uniform")

each = pytest.mark.parametrize("kind", SETTINGS)


def plain(kind="averages", expectation="uniform", **settings):
    return ClassMemory(remembers={"name": kind, **settings}, expectation=expectation, transforms=())


def streamed(factor, labels, seed=0, compiled=False):
    """(record, signals, state) after each of the samples with these labels."""
    state = factor.init(context())
    for record in records(seed, len(labels), np.array(labels)):
        record.compiled = compiled
        yield record, factor.signal(record, context(), state), state


def test_every_memory_is_compared():
    assert set(SETTINGS) == set(MEMORIES)


@each
@pytest.mark.parametrize("expectation", EXPECTATIONS)
@pytest.mark.parametrize("compiled", [False, True])
def test_the_signal_is_the_sum_over_classes_of_what_was_expected_in_vain(kind, expectation, compiled):
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(CLASSES), 7))
    layers = {name: oracle.Layer(kind, expectation, CLASSES, **SETTINGS[kind]) for name in LAYERS}
    compared = 0
    for record, signals, _ in streamed(plain(kind, expectation, **SETTINGS[kind]), labels, compiled=compiled):
        for name, layer in layers.items():
            expected = layer(shown(record, name)[2], labels[record.index], wrong(record))
            assert (expected is None) == (signals[name] is None)
            if expected is not None:
                np.testing.assert_allclose(signals[name], expected, rtol=0, atol=1e-12)
                compared += np.abs(expected).max() > 1e-3
    assert compared > 20


@each
def test_with_what_the_layer_expects_it_is_the_gradient_of_a_softmax_loss_of_the_layer(kind):
    """By central differences of the oracle's loss."""
    labels = np.random.default_rng(2).permutation(np.repeat(np.arange(CLASSES), 5))
    layer = oracle.Layer(kind, "layer", CLASSES, **SETTINGS[kind])
    samples = list(streamed(plain(kind, "layer", **SETTINGS[kind]), labels))
    for record, _, _ in samples:
        z, label, before = shown(record, "first")[2], labels[record.index], list(layer.history)
        layer(z, label, wrong(record))
    signals = samples[-1][1]
    h, numeric = 1e-5, np.zeros(z.size)
    for k in range(z.size):
        ends = [
            oracle.loss(kind, before, z + s * h * np.eye(z.size)[k], label, CLASSES, **SETTINGS[kind]) for s in (1, -1)
        ]
        numeric[k] = (ends[0] - ends[1]) / (2 * h)
    assert np.abs(numeric).max() > 1e-3
    np.testing.assert_allclose(oracle.SHARPNESS.get(kind, 1.0) * signals["first"], numeric, rtol=1e-6, atol=1e-9)


def test_residuals_make_the_signal_of_a_linear_hsic_whose_label_kernel_is_that_of_the_errors():
    """xi_N = -rate sum_n (e_N . e_n) z_n over the window, e = y - p as it was when shown."""
    labels = np.random.default_rng(3).permutation(np.repeat(np.arange(CLASSES), 6))
    layer = oracle.Layer("residuals", "layer", CLASSES, window=8, rate=0.1)
    samples = list(streamed(plain("residuals", "layer", window=8, rate=0.1), labels))
    for record, _, _ in samples:
        layer(shown(record, "second")[2], labels[record.index], None)
    (*_, (_, _, newest)) = layer.history
    expected = -0.1 * sum((newest @ error) * z for z, _, error in layer.history[-9:-1])
    np.testing.assert_allclose(samples[-1][1]["second"], expected, rtol=0, atol=1e-12)


def test_uniform_averages_draw_a_sample_to_its_class_and_away_from_the_mean():
    labels, averages = [0, 1, 2, 0, 1, 2, 1, 0, 0, 2], {}
    for record, signals, _ in streamed(plain(memory=0.5), labels):
        label, z = labels[record.index], shown(record, "first")[2]
        if len(averages) == CLASSES:
            expected = np.mean(list(averages.values()), axis=0) - averages[label]
            np.testing.assert_allclose(signals["first"], expected, rtol=0, atol=1e-12)
        averages[label] = (averages[label] + z) / 2 if label in averages else z


def test_a_sample_has_no_signal_while_its_class_is_new_or_the_only_one():
    ready = [signals["first"] is not None for _, signals, _ in streamed(plain(), [0, 0, 1, 1, 0, 2, 2])]
    assert ready == [False, False, False, True, True, False, True]


def test_nor_when_its_class_has_left_the_window_of_its_neighbours():
    factor = plain("neighbours", window=2)
    ready = [signals["first"] is not None for _, signals, _ in streamed(factor, [0, 1, 2, 1, 0, 1])]
    assert ready == [False, False, False, True, False, True]


@pytest.mark.parametrize("expectation", ["layer", "uniform"])
@pytest.mark.parametrize("compiled", [False, True])
@each
def test_a_class_that_never_appears_is_not_expected(kind, compiled, expectation):
    labels = [0, 2, 0, 2, 0]
    layer = oracle.Layer(kind, expectation, CLASSES, **SETTINGS[kind])
    samples = list(streamed(plain(kind, expectation, **SETTINGS[kind]), labels, compiled=compiled))
    for record, _, _ in samples:
        expected = layer(shown(record, "first")[2], labels[record.index], None)
    assert all(error[1] == 0 for _, _, error in layer.history)
    np.testing.assert_allclose(samples[-1][1]["first"], expected, rtol=0, atol=1e-12)


def test_the_average_changes_for_the_class_that_was_shown_and_no_other():
    labels, averages = [2, 0, 1, 1, 2], np.zeros((CLASSES, LAYERS["second"]))
    for record, _, state in streamed(plain(), labels):
        changed = np.any(state["second.average"] != averages, axis=1)
        assert np.array_equal(changed, np.arange(CLASSES) == labels[record.index])
        averages = state["second.average"].copy()


def test_uniform_averages_follow_the_exact_signal_of_the_objective():
    """The correlation over the neurons of a layer, with HSIC's default window and settings."""
    memory, correlations = ib.Memory(ib.Objective()), []
    labels = np.random.default_rng(2).integers(CLASSES, size=200)
    for record, signals, _ in streamed(plain(memory=0.9), labels):
        exact = memory(*shown(record, "first"))
        if exact is not None:
            correlations.append(np.corrcoef(exact, signals["first"])[0, 1])
    assert len(correlations) == 169 and np.mean(correlations) > 0.5


@pytest.mark.parametrize("target", [[0.3, 0.7, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
def test_a_target_that_is_no_class_is_refused(target):
    factor = plain()
    state = factor.init(context())
    (record,) = records(0, 1)
    record.series["output.target"] = np.array([target])
    with pytest.raises(
        UserError, match=r"'class-memory': the target of trial 0 is \[.*\], which is no class; a one-hot"
    ):
        factor.signal(record, context(), state)
    assert not np.any(state["seen"])


@pytest.mark.parametrize(
    "settings, complaint",
    [
        ({"remembers": {"name": "averages", "memory": 1.0}}, r"remembers\.memory = 1\.0"),
        ({"remembers": {"name": "residuals", "window": 0}}, r"remembers\.window = 0"),
        ({"remembers": {"name": "delta", "rate": 0.0}}, r"remembers\.rate = 0\.0"),
        ({"remembers": {"name": "whitened", "ridge": 0.0}}, r"remembers\.ridge = 0\.0"),
        ({"remembers": {"name": "neighbours", "sharpness": 0.0}}, r"remembers\.sharpness = 0\.0"),
        ({"remembers": "avarages"}, r"remembers.*unknown memory 'avarages': did you mean 'averages'"),
        ({"remembers": {"name": "delta", "window": 3}}, r"remembers\.window: unknown key"),
        ({"expectation": "hidden"}, r"expectation = 'hidden'"),
    ],
)
def test_what_it_cannot_be_is_refused(settings, complaint):
    with pytest.raises(UserError, match=rf"ClassMemory\.{complaint}"):
        ClassMemory(**settings)
