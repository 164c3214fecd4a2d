r"""CartPole: a pole is balanced on a cart by pushes to the left and to the right (Gymnasium's CartPole-v1).

Every 20 ms of the cart's time its place, its speed, the pole's angle and its speed are observed, and shown for a few
steps as the regular spikes of neurons with Gaussian tuning curves. Each push brings a reward of 1; the episode ends
where the pole falls or the cart leaves, and is cut off after 500.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from snnplast.models.environments import made
from snnplast.network import LIF, LeakyReadout, Network, Normal, SpikeSource
from snnplast.rules.references import BELLEC_2020
from snnplast.task import ActorCritic, ClosedLoop, Model, PopulationCode, ReadoutChoice, Task

LOW, HIGH = (-2.4, -3.0, -0.21, -3.0), (2.4, 3.0, 0.21, 3.0)
"""What tuning curves span: place (m), its speed (m/s), angle (rad), its speed (rad/s)."""


class CartPole(Model):
    """A pole is balanced by pushes to the left and to the right: one layer of LIF neurons, policy and value.

    Needs gymnasium.

    hidden: neurons. tuned: source neurons per observed number; width: of their tuning curves, in distances between
    them. steps: of 1 ms per push. discount: gamma; reward_scale: of what is learned from, see `ClosedLoop`.
    episodes: between tests; tests: episodes of a test, in which the preferred action is taken.
    """

    name: ClassVar[str] = "cartpole"
    reference: ClassVar[str] = (
        BELLEC_2020
        + """
@article{barto1983neuronlike,
  title = {Neuronlike adaptive elements that can solve difficult learning control problems},
  author = {Barto, Andrew G. and Sutton, Richard S. and Anderson, Charles W.},
  journal = {IEEE Transactions on Systems, Man, and Cybernetics}, volume = {SMC-13}, number = {5}, pages = {834--846},
  year = {1983}, doi = {10.1109/TSMC.1983.6313077}
}
@article{towers2024gymnasium,
  title = {Gymnasium: A Standard Interface for Reinforcement Learning Environments},
  author = {Towers, Mark and others}, journal = {arXiv:2407.17032}, year = {2024}
}"""
    )

    hidden: Annotated[int, Field(ge=2, description="neurons")] = 128
    tuned: Annotated[int, Field(ge=2, description="source neurons per observed number")] = 10
    width: Annotated[float, Field(gt=0, description="of tuning curves, in distances between them")] = 0.8
    steps: Annotated[int, Field(ge=1, description="steps per push")] = 5
    discount: Annotated[float, Field(ge=0, le=1, description="gamma, per push")] = 0.99
    reward_scale: Annotated[float, Field(gt=0, description="of what is learned from")] = 0.05
    episodes: Annotated[int, Field(ge=1, description="training episodes between tests")] = 64
    tests: Annotated[int, Field(ge=0, description="test episodes")] = 20

    def network(self) -> Network:
        net = Network(dt="1 ms")
        net.add("input", SpikeSource(len(LOW) * self.tuned))
        net.add("hidden", LIF(self.hidden, tau_m="10 ms", v_threshold=0.6, reset="subtract-next", refractory="2 ms"))
        net.add("output", LeakyReadout(3, tau_m="5 ms"))
        net.connect("input", "hidden", weights=Normal(), plastic=True)
        net.connect("hidden", "output", weights=0.0, plastic=True)
        return net

    def task(self, seed: int) -> Task:
        encoding: Any = {"low": LOW, "high": HIGH, "neurons": self.tuned, "width": self.width, "coding": "regular"}
        return ClosedLoop(
            made(self.name, "CartPole-v1"),
            PopulationCode(**encoding),
            ReadoutChoice(actions=(0, 1)),
            steps=self.steps,
            longest=500,
            episodes=self.episodes,
            tests=self.tests,
            reward_scale=self.reward_scale,
            objective=ActorCritic(discount=self.discount),
            seed=seed,
        )
