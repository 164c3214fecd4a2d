"""Optimisers are their formulas, written out; clipping, decay and bounds come in their stated order."""

from __future__ import annotations

import numpy as np
import pytest
from reference import e_prop as oracle

from snnplast.engine import compiler_available
from snnplast.errors import UserError
from snnplast.learning.optimizer import SGD, Adam, Schedule
from snnplast.learning.optimizing import Updates
from snnplast.rules.e_prop import EProp

needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")


def gradients(n=6, size=4):
    return np.random.default_rng(0).standard_normal((n, size))


def test_sgd_subtracts_eta_times_the_gradient():
    w, g = np.arange(4.0), gradients()[0]
    SGD(learning_rate=0.1).update(w, g, {})
    np.testing.assert_allclose(w, np.arange(4.0) - 0.1 * g, rtol=1e-15)


def test_adam_is_the_form_of_tensorflow_1():
    adam = Adam(learning_rate=5e-3, beta_1=0.8, beta_2=0.99, epsilon=1e-3)
    w, expected, theirs = np.ones(4), {"w": np.ones(4)}, None
    state = adam.init(w)
    for g in gradients():
        adam.update(w, g, state)
        expected, theirs = oracle.adam(expected, {"w": g}, theirs, rate=5e-3, b1=0.8, b2=0.99, eps=1e-3)
        np.testing.assert_allclose(w, expected["w"], rtol=1e-13)
    assert set(state) == {"n", "m", "u"} and state["n"] == 6


def test_adam_goes_on_from_a_copy_of_its_state():
    adam, w = Adam(), np.ones(4)
    state = adam.init(w)
    for g in gradients(3):
        adam.update(w, g, state)
    kept, stored = w.copy(), {name: values.copy() for name, values in state.items()}
    adam.update(w, gradients()[3], state)
    adam.update(kept, gradients()[3], stored)
    assert np.array_equal(w, kept)


def test_updates_are_made_in_place_and_leave_the_gradient_alone():
    w, g = np.zeros(4), gradients()[0]
    view, before = w[:2], g.copy()
    for optimizer in (SGD(clip=0.1, weight_decay=0.1), Adam(clip=0.1)):
        optimizer.update(w, g, optimizer.init(w))
        assert np.array_equal(g, before)
    assert np.any(view)


def test_a_gradient_is_clipped_then_decay_is_added():
    w = np.array([2.0, -1.0, 0.0])
    SGD(learning_rate=0.5, clip=1.0, weight_decay=0.1).update(w, np.array([3.0, -0.5, -9.0]), {})
    np.testing.assert_allclose(w, [2 - 0.5 * (1 + 0.2), -1 - 0.5 * (-0.5 - 0.1), 0.5])


@pytest.mark.parametrize("bounds, expected", [((None, None), [-1, 1]), ((0.0, None), [0, 1]), ((None, 0.5), [-1, 0.5])])
def test_bounds_hold_after_the_step(bounds, expected):
    w = np.zeros(2)
    SGD(learning_rate=1.0).update(w, np.array([1.0, -1.0]), {}, bounds=bounds)
    assert w.tolist() == expected


def test_a_linear_schedule_falls_to_its_final_share():
    steps = []
    for progress in (0.0, 0.5, 1.0):
        w = np.zeros(1)
        SGD(learning_rate=2.0, schedule=Schedule(name="linear", final=0.2)).update(w, np.ones(1), {}, progress)
        steps.append(-w[0])
    np.testing.assert_allclose(steps, [2.0, 1.2, 0.4])
    assert Schedule()(0.7) == 1.0


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: SGD(learning_rate=0), "SGD.learning_rate = 0: input should be greater than 0"),
        (lambda: Adam(beta_1=1.0), "Adam.beta_1 = 1.0: input should be less than 1"),
        (lambda: Adam(epsilon=0), "Adam.epsilon = 0: input should be greater than 0"),
        (lambda: SGD(clip=-1), "SGD.clip = -1: input should be greater than 0"),
        (lambda: SGD(momentum=0.9), "SGD.momentum: unknown key"),
        (
            lambda: EProp(optimizer={"name": "adams", "learning_rate": 1e-3}),
            "unknown optimizer 'adams': did you mean 'adam'? Known: adam, sgd",
        ),
        (lambda: EProp(optimizer={"name": "sgd", "learnin_rate": 1e-3}), "did you mean 'learning_rate'?"),
        (lambda: EProp(optimizer=5), "a name or a table {name = "),
    ],
)
def test_a_wrong_setting_is_named(make, sentence):
    with pytest.raises(UserError) as caught:
        make()
    assert sentence in str(caught.value)


@needs_compiler
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("bounds", [(None, None), (0.0, None), (-0.5, "each"), ("each", 0.4)])
@pytest.mark.parametrize("kind", [SGD, Adam])
@pytest.mark.parametrize("settings", [{}, {"clip": 0.3, "weight_decay": 0.1, "schedule": "linear"}])
def test_compiled_steps_have_the_bits_of_numpy(kind, settings, bounds, scaled):
    rng, optimizer = np.random.default_rng(0), kind(learning_rate=0.3, **settings)
    sides = tuple(
        sign * rng.uniform(0.2, 1, 600) if side == "each" else side for sign, side in zip((-1, 1), bounds, strict=True)
    )
    scale, begin = rng.uniform(0.5, 2, 600) if scaled else None, rng.uniform(-0.2, 0.2, 600)
    found = []
    for compiled in (False, True):
        w = begin.copy()
        update = Updates(optimizer, w, optimizer.init(w), sides, scale, compiled)
        assert (update.settings is not None) == compiled
        for k, gradient in enumerate(gradients(9, 600)):
            gradient[::7] = 0.0
            update(gradient, k / 9)
        found.append([w, *update.state.values()])
    for one, other in zip(*found, strict=True):
        assert one.tobytes() == other.tobytes()
    assert np.any(found[0][0] != begin)


def test_an_optimiser_that_changes_another_has_no_compiled_form_of_its_own():
    class Halved(SGD):
        def step(self, gradient, state, eta):
            return super().step(gradient / 2, state, eta)

    assert SGD().compiled == "sgd" and Adam().compiled == "adam" and Halved().compiled == ""
    w = np.zeros(3)
    Updates(Halved(learning_rate=1.0), w, {}, compiled=True)(np.ones(3), 0.0)
    assert w.tolist() == [-0.5] * 3


@needs_compiler
def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"a gradient of shape \(2,\): \(3,\) is needed"):
        Updates(SGD(), np.zeros(3), {}, compiled=True)(np.ones(2), 0.0)
