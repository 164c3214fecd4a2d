r"""Reward-based learning of a policy and a value: what an actor and its critic want of one readout.

The readout's first units are the preferences of the actions, the policy is their softmax pi; its last unit is the
value V. Decision t = 0..N-1 of a trial takes action a^t and brings reward r^t (Bellec et al. 2020, methods):

    delta^t = r^t + gamma V^{t+1} - V^t                        TD error
    A^t     = sum_{t' >= t} (gamma lambda)^{t'-t} delta^{t'}   advantage; lambda = 1: the return minus V^t
    loss    = mean_t [ - A^t log pi(a^t) + c_V / 2 (A^t)^2 - c_H H(pi^t) ],   H(pi) = - sum_k pi_k log pi_k

    E_k^t   = A^t (pi_k^t - 1{a^t = k}) + c_H pi_k^t (log pi_k^t + H(pi^t))
    E_V^t   = - c_V A^t

E is an error of the readout as any other: through feedback weights it is the learning signal of hidden neurons, and it
is what the readout's own weights learn from. With e-prop this is reward-based e-prop, sum_t delta^t F_gamma(L ebar)^t
with L_j^t = sum_k B_jk (pi_k^t - 1{a^t = k}) - c_V B_jV: the filter F_gamma of what TD errors multiply transposes into
the sum over later TD errors that A is, and after the trial all of it is known: no synapse needs a further trace.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from snnplast.errors import UserError
from snnplast.network.fragments import Fragment
from snnplast.task.objective import Judgement, Objective


class ActorCritic(Objective):
    """Policy gradient with a learned value as its baseline: see the equations of this module.

    Targets (T, actions + 1) of a step that counts: 1 for the action taken, 0 for the others, then the reward. A step
    without an action has a value only. The trial has ended with the last step that counts, where V^N = 0; where further
    steps follow it was cut off, and V^N is the value at its end.

    readout: default "output". discount: gamma, default 0.99, in [0, 1]. trace: lambda, default 1, in [0, 1].
    value: c_V, default 0.5, >= 0. entropy: c_H, default 0, >= 0. window: which steps count, as in `Objective`.

    >>> taken = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    >>> judged = ActorCritic(discount=0.5).judge(np.zeros((2, 3)), taken)
    >>> judged.error
    array([[-0.25,  0.25, -0.25],
           [ 0.5 , -0.5 , -0.5 ]])
    """

    discount: Annotated[float, Field(ge=0, le=1, description="gamma")] = 0.99
    trace: Annotated[float, Field(ge=0, le=1, description="lambda of the advantage")] = 1.0
    value: Annotated[float, Field(ge=0, description="c_V, weight of the value's error")] = 0.5
    entropy: Annotated[float, Field(ge=0, description="c_H, weight of the policy's entropy")] = 0.0

    def judge(self, y: np.ndarray, target: np.ndarray, in_window: np.ndarray | None = None) -> Judgement:
        rows = np.flatnonzero(self.in_window(len(y)) if in_window is None else in_window)
        after = y[-1, -1] if rows[-1] < len(y) - 1 else 0.0
        value, reward, taken = y[rows, -1], target[rows, -1], target[rows, :-1]
        advantage = self._advantage(reward + self.discount * np.append(value[1:], after) - value)
        shifted = y[rows, :-1] - y[rows, :-1].max(axis=1, keepdims=True)
        log_pi = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        pi, acted = np.exp(log_pi), taken.sum(axis=1, keepdims=True)
        entropy = -np.sum(pi * log_pi, axis=1, keepdims=True)
        error = np.zeros(y.shape)
        gain = advantage[:, None] * (acted * pi - taken)
        error[rows, :-1] = gain + self.entropy * acted * pi * (log_pi + entropy)
        error[rows, -1] = -self.value * advantage
        told = advantage * np.sum(taken * log_pi, axis=1) + self.entropy * (acted * entropy)[:, 0]
        return Judgement(error, float(np.mean(self.value / 2 * advantage**2 - told)))

    def _advantage(self, delta: np.ndarray) -> np.ndarray:
        """A, (N,), from the TD errors (N,)."""
        found, later, decay = np.empty(delta.size), 0.0, self.discount * self.trace
        for t in range(delta.size - 1, -1, -1):
            found[t] = later = float(delta[t]) + decay * later
        return found

    def fragment(self) -> Fragment:
        raise UserError(
            "objective ActorCritic: evaluation = 'online' would need a further trace per synapse, filtered by the "
            "discount, for what TD errors multiply; 'factored' is allowed"
        )
