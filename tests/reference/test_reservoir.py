"""The class-gated reservoir learns xi a priori, and then stands in for it."""

import numpy as np
import pytest

from . import ib_hebbian as ib
from . import reservoir as rs


def test_closed_pools_hold_their_state():
    rng = np.random.default_rng(0)
    res = rs.random_reservoir(rng, units=20, classes=4, dim=5, leak=0.3)
    r = rng.normal(size=20)
    after = rs.update(res, r, np.eye(4)[2], rng.normal(size=5))
    assert np.array_equal(after != r, res.pool == 2)


def test_features_separate_the_open_pool_from_the_closed_ones():
    rng = np.random.default_rng(0)
    res = rs.random_reservoir(rng, units=20, classes=4, dim=5, leak=0.3)
    r, z = rng.normal(size=20), rng.normal(size=5)
    opened, closed, current = np.split(rs.features(res, r, np.eye(4)[1], z), [20, 40])
    assert np.array_equal(opened + closed, r) and np.array_equal(opened != 0, res.pool == 1)
    assert np.array_equal(current, z)


@pytest.mark.parametrize("N, leak, at_least", [(4, 0.5, 0.65), (16, 0.2, 0.78), (32, 0.2, 0.8)])
def test_a_small_reservoir_learns_xi_from_random_streams(N, leak, at_least):
    rng, o = np.random.default_rng(0), ib.Objective(window=N)
    res = rs.random_reservoir(rng, units=100, classes=2, dim=10, leak=leak)
    X, Y, Z = rs.synthetic_streams(rng, streams=90, length=100, classes=2, dim=10)
    res = rs.trained(res, o, X[:60], Y[:60], Z[:60])
    assert rs.correlation(res, o, X[60:], Y[60:], Z[60:]) > at_least


def test_the_factor_in_the_loop_is_the_run_over_a_stream():
    rng, o = np.random.default_rng(0), ib.Objective(window=8)
    X, Y, Z = rs.synthetic_streams(rng, streams=40, length=30, classes=3, dim=6)
    res = rs.trained(rs.random_reservoir(rng, 30, 3, 6, leak=0.5), o, X, Y, Z)
    factor = rs.Factor(res)
    np.testing.assert_allclose(
        [factor(*sample) for sample in zip(X[0], Y[0], Z[0], strict=True)], run_of_first(res, Y, Z), atol=1e-12
    )


def run_of_first(res, Y, Z):
    return rs.run(res, Y[:1], Z[:1])[0] @ res.readout
