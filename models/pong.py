r"""Pong from pixels, on the Arcade Learning Environment (ale-py has the ROM; Gymnasium makes the environment).

Of every fourth frame the field is cut out and its grey averaged over blocks; what is brighter than the field, ball and
paddles, is shown by regular spikes of one source neuron per block. The membranes' memory of the frames before is all
that tells where the ball flies. Actions are up and down, a point brings 1 or -1, an episode is a game to 21.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from snnplast.models.environments import made
from snnplast.network import LIF, LeakyReadout, Network, Normal, SpikeSource
from snnplast.rules.references import BELLEC_2020
from snnplast.task import ActorCritic, ClosedLoop, Model, PixelCode, ReadoutChoice, Task

UP, DOWN = 2, 3
"""Actions of the Arcade Learning Environment."""
FIELD, WHITE = 87.0, 147.0
"""Grey of the field, and of the paddles."""


class Pong(Model):
    """Pong from pixels: one layer of LIF neurons, policy and value.

    Needs gymnasium and ale-py.

    hidden: neurons. block: pixels of a block's side, which divides the 160 of the field's. steps: of 1 ms per action.
    frames: of the game per action. sticky: probability that the action before is repeated instead. longest: actions
    after which a game is cut off. discount, trace, entropy: of `ActorCritic`.
    episodes: between tests; tests: games of a test, in which the preferred action is taken.
    """

    name: ClassVar[str] = "pong"
    reference: ClassVar[str] = (
        BELLEC_2020
        + """
@article{bellemare2013arcade,
  title = {The Arcade Learning Environment: An Evaluation Platform for General Agents},
  author = {Bellemare, Marc G. and Naddaf, Yavar and Veness, Joel and Bowling, Michael},
  journal = {Journal of Artificial Intelligence Research}, volume = {47}, pages = {253--279}, year = {2013},
  doi = {10.1613/jair.3912}
}"""
    )

    hidden: Annotated[int, Field(ge=2, description="neurons")] = 100
    block: Annotated[int, Field(ge=1, description="pixels of a block's side")] = 16
    steps: Annotated[int, Field(ge=1, description="steps per action")] = 5
    frames: Annotated[int, Field(ge=1, description="frames of the game per action")] = 4
    sticky: Annotated[float, Field(ge=0, le=1, description="probability of the action before")] = 0.25
    longest: Annotated[int, Field(ge=1, description="actions after which a game is cut off")] = 3000
    discount: Annotated[float, Field(ge=0, le=1, description="gamma, per action")] = 0.99
    trace: Annotated[float, Field(ge=0, le=1, description="lambda of the advantage")] = 0.97
    entropy: Annotated[float, Field(ge=0, description="weight of the policy's entropy")] = 0.05
    episodes: Annotated[int, Field(ge=1, description="training games between tests")] = 40
    tests: Annotated[int, Field(ge=0, description="games of a test")] = 4

    def code(self) -> PixelCode:
        """How a frame is shown."""
        return PixelCode(
            frame=(210, 160),
            rows=(34, 194),
            block=self.block,
            darkest=FIELD,
            brightest=WHITE,
            gain=8.0,
            changes=False,
            coding="regular",
        )

    def network(self) -> Network:
        net = Network(dt="1 ms")
        net.add("input", SpikeSource(self.code().size))
        net.add("hidden", LIF(self.hidden, tau_m="10 ms", v_threshold=0.6, reset="subtract-next", refractory="2 ms"))
        net.add("output", LeakyReadout(3, tau_m="5 ms"))
        net.connect("input", "hidden", weights=Normal(gain=1.5), plastic=True)
        net.connect("hidden", "output", weights=0.0, plastic=True)
        return net

    def task(self, seed: int) -> Task:
        game = {"obs_type": "grayscale", "frameskip": self.frames, "repeat_action_probability": self.sticky}
        return ClosedLoop(
            made(self.name, "ALE/Pong-v5", "ale_py", **game),
            self.code(),
            ReadoutChoice(actions=(UP, DOWN)),
            steps=self.steps,
            longest=self.longest,
            episodes=self.episodes,
            tests=self.tests,
            objective=ActorCritic(discount=self.discount, trace=self.trace, entropy=self.entropy),
            seed=seed,
        )
