"""The tasks in the unit square: points, classes and code are those of the specification."""

from __future__ import annotations

import numpy as np
import pytest
from reference import tasks

from snnplast.models.linear import Linear
from snnplast.models.xor import Xor
from snnplast.random_streams import TEST, TRAINING, stream


@pytest.mark.parametrize(("model", "specified"), [(Linear, tasks.linear), (Xor, tasks.xor)])
def test_a_task_in_the_plane_is_the_specified_one_drawn_from_its_own_stream(model, specified, monkeypatch):
    task = model(copies=3).task(5)
    monkeypatch.setattr(np.random, "default_rng", lambda seed: stream(seed, "samples", model.name))
    for (x, labels), samples in zip((task._sets[TRAINING], task._sets[TEST]), specified(5, copies=3), strict=True):
        assert np.array_equal(x, samples.u)
        assert np.array_equal(labels, samples.y.argmax(axis=1))


def test_linear_has_classes_on_two_sides_of_a_line_through_the_middle():
    task = Linear(copies=2).task(1)
    assert (task.epoch, task.tests) == (900, 100)
    x, labels = (np.concatenate(parts) for parts in zip(*task._sets.values(), strict=True))
    assert np.array_equal(x[:, 0::2], x[:, 1::2]), "every channel twice"
    u, off = x[:, 0:4:2], x[:, 4:8:2]
    np.testing.assert_allclose(u + off, 1)
    centred, sides = u - 0.5, np.where(labels, 1.0, -1.0)
    normal = np.linalg.lstsq(centred, sides, rcond=None)[0]
    assert np.mean((centred @ normal > 0) == labels) > 0.95
    assert abs(labels.mean() - 0.5) < 0.1


def test_another_seed_draws_another_line():
    (_, one), (_, other) = (Linear().task(seed)._sets[TRAINING] for seed in (1, 2))
    assert not np.array_equal(one, other)
