"""Class memory: the running average of every class, and the signal that compares them."""

from __future__ import annotations

import numpy as np
import pytest
from reference import ib_hebbian as ib
from streams_of_samples import CLASSES, LAYERS, context, records, shown

from snnplast.errors import UserError
from snnplast.rules.third_factors.class_memory import ClassMemory


def streamed(factor, labels, seed=0):
    """(record, signals, state) after each of the samples with these labels."""
    state = factor.init(context())
    for record in records(seed, len(labels), np.array(labels)):
        yield record, factor.signal(record, context(), state), state


def plain(**settings):
    return ClassMemory(transforms=(), **settings)


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_the_signal_is_the_difference_between_the_average_of_the_classes_and_that_of_this_class(memory):
    """The averages as sums over the samples before: the first weighs memory^(n-1), the k-th (1-memory) memory^(n-k)."""
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(CLASSES), 7))
    shown_before = {name: [[] for _ in range(CLASSES)] for name in LAYERS}
    compared = 0
    for record, signals, _ in streamed(plain(memory=memory), labels):
        label = labels[record.index]
        for name in LAYERS:
            past = shown_before[name]
            if all(past):
                averages = np.array([average(z, memory) for z in past])
                expected = averages.sum(axis=0) / CLASSES - averages[label]
                assert_close(signals[name], expected)
                compared += np.any(expected)
            past[label].append(shown(record, name)[2])
    assert compared > 20


def assert_close(signal, expected):
    assert signal is not None
    np.testing.assert_allclose(signal, expected, rtol=0, atol=1e-12)


def average(samples, memory):
    weights = [(1 - memory if k else 1) * memory ** (len(samples) - 1 - k) for k in range(len(samples))]
    np.testing.assert_allclose(np.sum(weights), 1)
    return np.tensordot(weights, samples, axes=1)


def test_a_sample_has_no_signal_while_its_class_is_new_or_the_only_one():
    ready = [signals["first"] is not None for _, signals, _ in streamed(plain(), [0, 0, 1, 1, 0, 2, 2])]
    assert ready == [False, False, False, True, True, False, True]


def test_a_class_that_never_appears_counts_for_nothing():
    labels = [0, 2, 0, 2, 0]
    samples = {0: [], 2: []}
    for record, signals, _ in streamed(plain(memory=0.5), labels):
        label = labels[record.index]
        if all(samples.values()):
            averages = {c: average(z, 0.5) for c, z in samples.items()}
            expected = (averages[0] + averages[2]) / 2 - averages[label]
            assert_close(signals["first"], expected)
        samples[label].append(shown(record, "first")[2])
    assert all(samples.values())


def test_the_average_changes_for_the_class_that_was_shown_and_no_other():
    labels, averages = [2, 0, 1, 1, 2], np.zeros((CLASSES, LAYERS["second"]))
    for record, _, state in streamed(plain(), labels):
        changed = np.any(state["second.average"] != averages, axis=1)
        assert np.array_equal(changed, np.arange(CLASSES) == labels[record.index])
        averages = state["second.average"].copy()


def test_it_follows_the_exact_signal_of_the_objective():
    """The correlation over the neurons of a layer, with HSIC's default window and settings."""
    memory, correlations = ib.Memory(ib.Objective()), []
    for record, signals, _ in streamed(plain(), np.random.default_rng(2).integers(CLASSES, size=200)):
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


@pytest.mark.parametrize("memory", [-0.1, 1.0, "long"])
def test_its_memory_is_at_least_0_and_below_1(memory):
    with pytest.raises(UserError, match=r"ClassMemory\.memory"):
        ClassMemory(memory=memory)
