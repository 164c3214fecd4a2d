"""Between a layer-wise signal and the synapses: the modulation of the oracle, step by step."""

from __future__ import annotations

import numpy as np
import pytest
from reference import ib_hebbian as ib

from snnplast.errors import UserError
from snnplast.network.population import LayerNorm
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.rules.third_factors.layerwise import LayerwiseFactor
from snnplast.rules.third_factors.transforms import Chain, Clip, GainControl, LayerNormJacobian
from snnplast.task.trial import Record


class Counted(Record):
    """As much of a record as transforms read."""

    def __init__(self, z):
        self.z = z

    def representation(self, population):
        return self.z


def test_the_default_chain_is_the_modulation_of_the_oracle():
    rng, chain = np.random.default_rng(0), Chain((LayerNormJacobian(), GainControl(), Clip()))
    state, layer = chain.init("hidden", 9), ib.Layer(np.zeros((9, 1)), np.zeros(9))
    clipped = 0
    for k in range(12):
        z, xi = rng.standard_normal(9), rng.standard_normal(9) * (30 if k == 7 else 1)
        found = chain(xi, Counted(z), "hidden", state)
        np.testing.assert_allclose(found, ib.modulate(ib.Model(), layer, xi, z), rtol=1e-12)
        clipped += np.sum(np.abs(found) == 5)
    assert clipped


def test_a_transform_that_stands_in_a_chain_twice_has_a_state_for_each_place():
    chain, once = Chain((GainControl(memory=0.5), Clip(limit=1.0), GainControl(memory=0.0))), GainControl(memory=0.5)
    state, own = chain.init("hidden", 4), once.init(4)
    assert set(state) == {"hidden.1-gain-control.mean_square", "hidden.3-gain-control.mean_square"}
    for signal in np.random.default_rng(0).standard_normal((5, 4)):
        found = chain(signal, Counted(None), "hidden", state)
        clipped = np.clip(once(signal, Counted(None), "hidden", own), -1, 1)
        np.testing.assert_allclose(found, clipped / np.sqrt(np.mean(clipped**2)), rtol=1e-12)


@pytest.mark.parametrize("source", ["hsic", "class-memory", "random"])
def test_the_chain_of_a_source_is_a_list_of_names_or_tables(source):
    gain = {"name": "gain-control", "memory": 0.5}
    factor = IBHebbian(third_factor={"name": source, "transforms": [gain, "layer-norm-jacobian"]}).third_factor
    assert isinstance(factor, LayerwiseFactor)
    first, second = factor.transforms
    assert isinstance(first, GainControl) and first.memory == 0.5 and isinstance(second, LayerNormJacobian)
    with pytest.raises(UserError, match=r"unknown transform 'gain-controll': did you mean 'gain-control'"):
        IBHebbian(third_factor={"name": source, "transforms": ["gain-controll"]})


def test_the_layer_norm_jacobian_is_the_derivative_of_the_layer_norm_but_for_its_scale():
    rng, norm = np.random.default_rng(0), LayerNorm(offset=2.0)
    rates, xi = rng.uniform(0, 5, 6), rng.standard_normal(6)
    slopes = [(norm(rates + h) - norm(rates - h)) @ xi / 2e-5 for h in 1e-5 * np.eye(6)]
    found = LayerNormJacobian()(xi, Counted(norm(rates)), "hidden", {})
    np.testing.assert_allclose(found / np.sqrt(rates.var() + 2.0), slopes, rtol=1e-8)


def test_gain_control_leaves_a_signal_of_zero_at_zero():
    gain = GainControl()
    state = gain.init(4)
    for _ in range(3):
        assert not np.any(gain(np.zeros(4), Counted(None), "hidden", state))
    assert np.all(np.isfinite(gain(np.ones(4), Counted(None), "hidden", state)))
