"""The conformance kit: whether a rule, third factor, model or neuron of your own keeps its contract.

    def test_my_rule_keeps_the_contract():
        check_rule(MyRule, optimizer={"name": "sgd", "learning_rate": 1e-3})

    def test_my_source_keeps_the_contract():
        check_third_factor(MySource, window=3)

    def test_my_model_keeps_the_contract():
        check_model(MyModel, hidden=20)

Each raises `AssertionError` with a sentence that says which promise is broken.
"""

from snnplast.testing.bench import small_network, small_samples, small_task
from snnplast.testing.models import check_model
from snnplast.testing.neurons import check_neuron
from snnplast.testing.rules import check_rule
from snnplast.testing.third_factors import check_third_factor

__all__ = [
    "check_model",
    "check_neuron",
    "check_rule",
    "check_third_factor",
    "small_network",
    "small_samples",
    "small_task",
]
