"""A network that acts: each trial is an episode in an environment, a segment of it one step there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np

from snnplast.described import count, reals, shaped
from snnplast.errors import UserError, nearest
from snnplast.network.network import Network
from snnplast.network.population import PoissonSource, SpikeSource
from snnplast.random_streams import TEST, TRAINING, stream
from snnplast.task.action import Choice, How
from snnplast.task.actor_critic import ActorCritic
from snnplast.task.environment import Environment, Episode
from snnplast.task.observation import Encoding
from snnplast.task.task import Measures, Task, Trial
from snnplast.task.trial import Record, Segment


class ClosedLoop(Task, Measures):
    """Episodes in an environment: what is observed is shown for some steps, then an action is chosen, and so on.

    Episode k of a phase is a pure function of (seed, phase, k) and of the weights: the environment's seed and the
    choices have random streams of its own. Each episode is in an environment of its own, which is closed at its end, so
    that any number of them run side by side. Metrics: `return`, the sum of rewards; `decisions`, how many there were.
    The trial's own series `reward` and `action` (decisions,) are in the record.

    environment: makes one; anything with reset, step and close as Gymnasium's, such as
        `lambda: gymnasium.make("CartPole-v1")`. encoding: of observations, for the source. choice: of actions.
    steps: of a segment, >= 1. longest: decisions after which an episode is cut off, default 1000, >= 1.
    episodes: training episodes between tests; None: an endless stream. tests: number of test episodes.
    reward_scale: what is learned from is reward times this, default 1; the metrics are about the reward itself.
    objective: `ActorCritic` on a readout with one unit per action and one more, which `choice` reads; None where
        something else learns.

    An episode that is cut off, by the environment or by `longest`, ends with a segment that shows what would have
    followed, from which `ActorCritic` takes the value of it.

    >>> class Coin:
    ...     def reset(self, *, seed=None):
    ...         self.side = np.random.default_rng(seed).integers(2)
    ...         return np.array([self.side]), {}
    ...
    ...     def step(self, action):
    ...         return np.array([self.side]), float(action == self.side), True, False, {}
    ...
    ...     def close(self): ...
    >>> from snnplast import RateCode, ReadoutChoice
    >>> task = ClosedLoop(Coin, RateCode(low=(0,), high=(1,)), ReadoutChoice(actions=(0, 1)), steps=5)
    >>> next(task.trial(0)).inputs
    {'input': array([0.])}
    """

    objective: ActorCritic | None
    measured: ClassVar[tuple[str, ...]] = ("return", "decisions")

    def __init__(
        self,
        environment: Callable[[], Environment],
        encoding: Encoding,
        choice: Choice,
        steps: int,
        *,
        longest: int = 1000,
        episodes: int | None = None,
        tests: int = 0,
        reward_scale: float = 1.0,
        source: str = "input",
        objective: ActorCritic | None = None,
        seed: int = 0,
    ) -> None:
        if not callable(environment):
            raise UserError(f"task.environment = {environment!r}: a function that makes an environment is needed")
        if objective is not None and not isinstance(objective, ActorCritic):
            raise UserError(f"task.objective = {objective!r}: an ActorCritic, or None, is needed")
        self.environment, self.encoding, self.choice, self.source = environment, encoding, choice, source
        self.steps, self.longest = count("task.steps", steps), count("task.longest", longest)
        self.epoch, self.tests, self.seed = episodes, tests, seed
        self.reward_scale = float(shaped("task.reward_scale", reals("task.reward_scale", reward_scale), ()))
        self.objective = objective

    def on(self, network: Network, batch: int = 1) -> Self:
        own = super().on(network, batch)
        population = network.populations.get(self.source)
        if not isinstance(population, SpikeSource):
            known = [name for name, p in network.populations.items() if isinstance(p, SpikeSource)]
            raise UserError(f"task: {self.source!r} is no source of the network; {nearest(self.source, known)}")
        if population.size != self.encoding.size:
            raise UserError(
                f"task.encoding makes {self.encoding.size} values, but {self.source!r} has {population.size} neurons"
            )
        if self.encoding.coding == "poisson" and not isinstance(population, PoissonSource):
            raise UserError(f"task.encoding.coding = 'poisson': {self.source!r} is no PoissonSource")
        self.choice.check(network)
        if self.objective is not None:
            units, wanted = network.population(self.objective.readout).size, len(self.choice.actions) + 1
            if units != wanted:
                raise UserError(
                    f"task.objective: {self.objective.readout!r} has {units} units; {wanted} are needed, one for each "
                    "action and one for the value"
                )
        return own

    def trial(self, index: int) -> Trial:
        return self._episode(TRAINING, index, self.choice.training)

    def test(self, index: int) -> Trial:
        return self._episode(TEST, index, self.choice.test)

    def metrics(self, record: Record) -> dict[str, float]:
        reward = record.series["reward"]
        return {"return": float(reward.sum()), "decisions": float(reward.size)}

    def _episode(self, phase: int, index: int, how: How) -> Trial:
        choosing = stream(self.seed, "choices", phase, index)
        seed = int(stream(self.seed, "environment", phase, index).integers(2**31))
        rewards: list[float] = []
        chosen: list[int] = []
        before = None
        with Episode(self.environment, seed, self.encoding.shape, self.choice.actions) as episode:
            while not (episode.terminated or episode.truncated or len(rewards) == self.longest):
                record = yield self._segment(episode.observation, before)
                before = episode.observation
                chosen.append(self.choice(record, record.steps - self.steps, how, choosing))
                rewards.append(episode.step(self.choice.actions[chosen[-1]]))
            if not episode.terminated:
                yield self._segment(episode.observation, before)
        taken = {"reward": np.array(rewards), "action": np.array(self.choice.actions)[chosen]}
        return taken | self._wanted(chosen, rewards, cut_off=not episode.terminated)

    def _segment(self, observation: np.ndarray, before: np.ndarray | None) -> Segment:
        return Segment(self.steps, {self.source: self.encoding.shown(observation, before, self.steps)})

    def _wanted(self, chosen: list[int], rewards: list[float], cut_off: bool) -> dict[str, Any]:
        """The series that the objective is about: each decision counts at the last step of its segment."""
        if self.objective is None:
            return {}
        decisions = len(chosen)
        rows = self.steps * np.arange(1, decisions + 1) - 1
        steps, actions = self.steps * (decisions + cut_off), len(self.choice.actions)
        target, in_window = np.zeros((steps, actions + 1)), np.zeros((steps, 1))
        target[rows, chosen], target[rows, actions] = 1.0, self.reward_scale * np.array(rewards)
        in_window[rows] = 1.0
        readout = self.objective.readout
        return {f"{readout}.target": target, f"{readout}.in_window": in_window}
