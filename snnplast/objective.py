"""What a readout should do: the loss of a trial, and the error of each readout unit at each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from snnplast.description import Description
from snnplast.fragments import Fragment, Update


@dataclass(frozen=True)
class Judgement:
    """What an objective says of one trial.

    error: (T, n), derivative by y of the loss summed over readouts and steps, 0 outside the window. loss: a number, the
        mean over readouts (squared error) or over the steps of the window (cross-entropy).
    correct: where the task is a classification, the share of answers that are right, one answer for each stretch of
        steps that the window holds (1 or 0 where it holds one); None elsewhere.
    """

    error: np.ndarray
    loss: float
    correct: float | None = None


class Objective(Description):
    """Loss on a readout's activity y within a learning window: the steps of a trial that count.

    readout: name of the readout population, default "output".
    window: number of last steps of a trial that count; None (default) counts all. A task whose trials count other
        steps leaves it at None and gives them itself, as the series '<readout>.in_window' of its segments.

    Arrays of one trial: y and target have shape (T, n); a readout that acts once per trial has T = 1.
    """

    readout: str = "output"
    window: Annotated[int | None, Field(ge=1, description="learning window: last steps of a trial")] = None

    def in_window(self, steps: int) -> np.ndarray:
        """The learning window of a trial of `steps` steps: (steps,), 1 where a step counts, 0 elsewhere."""
        first = 0 if self.window is None else steps - self.window
        return (np.arange(steps) >= first).astype(float)

    def judge(self, y: np.ndarray, target: np.ndarray, in_window: np.ndarray | None = None) -> Judgement:
        """Error, loss and correctness of one trial.

        in_window: (T,), 0 or 1, with at least one 1; by default the last `window` steps.
        """
        rows = np.flatnonzero(self.in_window(len(y)) if in_window is None else in_window)
        stretches = np.flatnonzero(np.diff(rows, prepend=-2) > 1)
        inside = self._judge(y[rows], target[rows], stretches)
        error = np.zeros(y.shape)
        error[rows] = inside.error
        return Judgement(error, inside.loss, inside.correct)

    def _judge(self, y: np.ndarray, target: np.ndarray, stretches: np.ndarray) -> Judgement:
        """The same for the steps inside the window; stretches: the rows at which a new stretch begins."""
        raise NotImplementedError

    def fragment(self) -> Fragment:
        """The same error as Brian2 code on the readout: variable `error`, from `target` and `in_window`.

        A fragment that declares `exp_y` and `exp_sum` gets the sum of the first over the readout in the second.
        """
        raise NotImplementedError


class MeanSquaredError(Objective):
    r"""E = y - y*;  loss = 1/2 mean_k sum_t (y_k - y*_k)^2."""

    def _judge(self, y: np.ndarray, target: np.ndarray, stretches: np.ndarray) -> Judgement:
        error = y - target
        return Judgement(error, 0.5 * float(np.sum(error**2)) / error.shape[1])

    def fragment(self) -> Fragment:
        code = Update("error = in_window*(y - target)", "after_synapses", 2)
        return Fragment(("target : 1", "in_window : 1 (shared)", "error : 1"), updates=(code,))


class CrossEntropy(Objective):
    r"""E = softmax(y) - y*;  loss = - mean_t sum_k y*_k log softmax_k(y), over the learning window.

    The answer in a stretch of the window is the class whose softmax, summed over the stretch, is largest.
    """

    def _judge(self, y: np.ndarray, target: np.ndarray, stretches: np.ndarray) -> Judgement:
        shifted = y - y.max(axis=1, keepdims=True)
        exponential = np.exp(shifted)
        total = exponential.sum(axis=1, keepdims=True)
        softmax = exponential / total
        loss = float(np.sum(target.sum(axis=1) * np.log(total[:, 0])) - np.vdot(target, shifted)) / len(y)
        answers, classes = (np.add.reduceat(p, stretches, axis=0).argmax(axis=1) for p in (softmax, target))
        return Judgement(softmax - target, loss, float(np.mean(answers == classes)))

    def fragment(self) -> Fragment:
        code = Update("error = in_window*(exp(y)/exp_sum - target)", "after_synapses", 2)
        exponential = Update("exp_y = exp(y)", "after_synapses", 0)
        declared = ("target : 1", "in_window : 1 (shared)", "error : 1", "exp_y : 1", "exp_sum : 1")
        return Fragment(declared, updates=(exponential, code))
