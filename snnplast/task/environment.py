"""What a network acts on: an environment as Gymnasium has them, and one episode in it, checked step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from snnplast.described import reals
from snnplast.errors import UserError, short


class Environment(Protocol):
    """The part of Gymnasium's `Env` that a closed loop needs; an environment of Gymnasium is one as it is.

    >>> class Coin:
    ...     def reset(self, *, seed=None):
    ...         self.side = np.random.default_rng(seed).integers(2)
    ...         return np.array([self.side]), {}
    ...
    ...     def step(self, action):
    ...         return np.array([self.side]), float(action == self.side), True, False, {}
    ...
    ...     def close(self): ...
    >>> with Episode(Coin, seed=1, shape=(1,), actions=(0, 1)) as episode:
    ...     episode.step(int(episode.observation[0])), episode.terminated
    (1.0, True)
    """

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; with a seed, it is a pure function of that and of the actions. Observation and info."""
        ...

    def step(self, action: Any, /) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Observation, reward, whether the episode has ended, whether it was cut off, and info."""
        ...

    def close(self) -> Any:
        """Give it up."""
        ...


class Episode:
    """One episode in an environment of its own. Use it in a `with` block, which closes the environment.

    make: makes the environment. seed: of the episode. shape: of its observations. actions: those it may be given.

    Raises `UserError` for what is no environment, and for an observation, reward or end that is none.
    """

    def __init__(self, make: Callable[[], Environment], seed: int, shape: tuple[int, ...], actions: Sequence[int]):
        self._environment, self._shape = make(), shape
        for method in ("reset", "step", "close"):
            if not callable(getattr(self._environment, method, None)):
                raise UserError(
                    f"task.environment makes {short(self._environment)}, which has no {method}(); reset, step and "
                    "close as in Gymnasium are needed"
                )
        self.terminated = self.truncated = False
        try:
            self._check_actions(actions)
            self._observe(self._tuple("reset", self._environment.reset(seed=seed), 2)[0])
        except BaseException:
            self._environment.close()
            raise

    def _check_actions(self, actions: Sequence[int]) -> None:
        space = getattr(self._environment, "action_space", None)
        if space is None:
            return
        for action in actions:
            if not space.contains(action):
                raise UserError(f"task.actions: {action} is no action of the environment, which takes {space}")

    def _tuple(self, method: str, given: Any, size: int) -> Any:
        if not isinstance(given, tuple) or len(given) != size:
            raise UserError(f"task.environment: {method}() gives {short(given)}; a tuple of {size}, as in Gymnasium")
        return given

    def _observe(self, given: Any) -> None:
        self.observation = reals("task.environment: observation", given)
        if self.observation.shape != self._shape:
            raise UserError(
                f"task.environment: the observation has shape {self.observation.shape}, but task.encoding takes "
                f"{self._shape}"
            )

    def step(self, action: int) -> float:
        """Take an action: its reward. `observation`, `terminated` and `truncated` are those that follow."""
        given = self._tuple("step", self._environment.step(action), 5)
        reward = reals("task.environment: reward", given[1])
        if reward.ndim:
            raise UserError(f"task.environment: the reward has shape {reward.shape}; one number is needed")
        for name, ended in (("terminated", given[2]), ("truncated", given[3])):
            if not isinstance(ended, bool | np.bool_):
                raise UserError(f"task.environment: {name} is {short(ended)}; True or False is needed")
        self._observe(given[0])
        self.terminated, self.truncated = bool(given[2]), bool(given[3])
        return float(reward)

    def __enter__(self) -> Episode:
        return self

    def __exit__(self, *_: object) -> None:
        self._environment.close()
