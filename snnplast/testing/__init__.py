"""The conformance kit: whether a rule or third factor of your own keeps its contract."""

from snnplast.testing.bench import small_network, small_task
from snnplast.testing.checks import check_rule, check_third_factor

__all__ = ["check_rule", "check_third_factor", "small_network", "small_task"]
