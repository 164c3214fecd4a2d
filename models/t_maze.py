r"""T-maze: cues on the way tell where the reward will be, and nothing but memory carries them to the junction.

The animal walks along cells of a corridor. In each of the first it sees a cue on its left or right wall; a stretch
without cues follows, then the junction. There, turning to the side of more cues brings a reward of 1, to the other
side 0, and the episode ends. Turning in the corridor, or walking on at the junction, bumps into a wall: it stays where
it is, and that costs a little. An action is chosen once per cell and step of the maze, 100 ms by default.

After the virtual T-maze of Morcos & Harvey (2016); as a task of reinforcement learning with memory, Bakker (2002).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from snnplast.network import ALIF, LeakyReadout, Network, Normal, PoissonSource
from snnplast.rules.references import BELLEC_2020
from snnplast.task import ActorCritic, ClosedLoop, Model, RateCode, ReadoutChoice, Record, Task
from snnplast.time_steps import steps_of
from snnplast.units import PositiveRate, PositiveTime

DT = 1e-3
"""Time step, s."""
FORWARD, LEFT, RIGHT = range(3)
DIM = 0.2
"""How strongly the corridor is seen, beside what is in it."""
CHANNELS, COPIES = 4, 10
"""What is seen: a cue on the left, one on the right, corridor, junction; and neurons that show each."""


class TMaze(Model):
    """Cues tell which way to turn for a reward: LIF and ALIF neurons, recurrent, policy and value.

    hidden: neurons; adaptive: share of them whose threshold adapts, the last ones; tau_adapt, beta: how.
    cues: an odd number; corridor: cells without a cue. pause: time per decision. bump: what a bump costs.
    rate: of source neurons that show what is seen. discount, entropy: of `ActorCritic`.
    episodes: between tests; tests: episodes of a test, in which the preferred action is taken.

    `accuracy`: share of episodes that ended at the rewarded side.
    """

    name: ClassVar[str] = "t-maze"
    reference: ClassVar[str] = (
        BELLEC_2020
        + """
@inproceedings{bakker2002reinforcement,
  title = {Reinforcement Learning with Long Short-Term Memory}, author = {Bakker, Bram},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {14}, year = {2002}
}"""
    )

    hidden: Annotated[int, Field(ge=2, description="recurrent neurons")] = 100
    adaptive: Annotated[float, Field(ge=0, le=1, description="share of neurons with adaptive thresholds")] = 0.5
    tau_adapt: Annotated[PositiveTime, Field(description="time constant of the adaptation")] = "1200 ms"
    beta: Annotated[float, Field(ge=0, description="rise of an adaptive threshold per spike")] = 0.3
    cues: Annotated[int, Field(ge=1, description="cells with a cue")] = 3
    corridor: Annotated[int, Field(ge=0, description="cells without a cue")] = 5
    pause: Annotated[PositiveTime, Field(description="time per decision")] = "100 ms"
    bump: Annotated[float, Field(ge=0, description="what a bump into a wall costs")] = 0.1
    rate: Annotated[PositiveRate, Field(description="rate of active source neurons")] = "100 Hz"
    discount: Annotated[float, Field(ge=0, le=1, description="gamma, per decision")] = 0.98
    entropy: Annotated[float, Field(ge=0, description="weight of the policy's entropy")] = 0.05
    episodes: Annotated[int, Field(ge=1, description="training episodes between tests")] = 640
    tests: Annotated[int, Field(ge=0, description="test episodes")] = 100

    @field_validator("cues")
    @classmethod
    def _odd(cls, cues: int) -> Any:
        if cues % 2 == 0:
            raise ValueError("an odd number is needed, so that one side has more")
        return cues

    def network(self) -> Network:
        n = self.hidden
        beta = np.where(np.arange(n) < round(n * (1 - self.adaptive)), 0.0, self.beta)
        net = Network(dt="1 ms")
        net.add("input", PoissonSource(CHANNELS * COPIES, peak_rate=f"{self.rate!r} Hz"))
        adapting = {"beta": beta, "tau_adapt": f"{self.tau_adapt!r} second"}
        net.add("hidden", ALIF(n, v_threshold=0.6, reset="subtract-next", refractory="5 ms", **adapting))
        net.add("output", LeakyReadout(4, tau_m="50 ms"))
        net.connect("input", "hidden", weights=Normal(), plastic=True)
        net.connect("hidden", "hidden", weights=Normal(), plastic=True, self_connections=False)
        net.connect("hidden", "output", weights=0.0, plastic=True)
        return net

    def task(self, seed: int) -> Task:
        return _Run(
            lambda: Maze(self.cues, self.corridor, self.bump),
            RateCode(low=(0.0,) * CHANNELS, high=(1.0,) * CHANNELS, copies=COPIES),
            ReadoutChoice(actions=(FORWARD, LEFT, RIGHT)),
            steps=steps_of("model.pause", self.pause, DT),
            longest=4 * (self.cues + self.corridor + 1),
            episodes=self.episodes,
            tests=self.tests,
            objective=ActorCritic(discount=self.discount, entropy=self.entropy),
            seed=seed,
        )


class _Run(ClosedLoop):
    """Episodes in the maze."""

    measured: ClassVar[tuple[str, ...]] = (*ClosedLoop.measured, "accuracy")

    def metrics(self, record: Record) -> dict[str, float]:
        return {**super().metrics(record), "accuracy": float(record.series["reward"][-1] == 1)}


class Maze:
    """The maze: an environment as those of Gymnasium. cues, corridor: cells; bump: what one costs."""

    def __init__(self, cues: int, corridor: int, bump: float) -> None:
        self.cues, self.junction, self.bump = cues, cues + corridor, bump

    def reset(self, *, seed: int | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        self._sides = np.random.default_rng(seed).integers(2, size=self.cues)
        self._rewarded = (LEFT, RIGHT)[int(2 * self._sides.sum() > self.cues)]
        self._place = 0
        return self._seen(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        at_junction = self._place == self.junction
        if at_junction and action != FORWARD:
            return self._seen(), float(action == self._rewarded), True, False, {}
        bumps = at_junction or action != FORWARD
        self._place += not bumps
        return self._seen(), -self.bump * bumps, False, False, {}

    def _seen(self) -> np.ndarray:
        if self._place < self.cues:
            side = self._sides[self._place]
            return np.array([1 - side, side, DIM, 0])
        return np.array([0, 0, 0, 1]) if self._place == self.junction else np.array([0, 0, DIM, 0])

    def close(self) -> None:
        """Nothing is held."""
