"""What a readout should do: the loss of a trial, and the error of each readout unit at each step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from snnplast.description import Description
from snnplast.native.stage import stands
from snnplast.network import slots
from snnplast.network.fragments import Fragment, Update
from snnplast.task.judging import judged


@dataclass(frozen=True)
class Judgement:
    """What an objective says of one trial.

    error: (T, n), derivative by y of the loss summed over readouts and steps, 0 outside the window. loss: a number, the
        mean over readouts (squared error) or over the steps of the window (cross-entropy).
    wanted, answered: where the task is a classification, the readout's unit that should have been the answer, and the
        one that was, in each stretch of steps that the window holds, (stretches,); None elsewhere.

    >>> Judgement(np.zeros((4, 2)), 0.0, wanted=np.array([0, 1]), answered=np.array([0, 0])).correct
    0.5
    """

    error: np.ndarray
    loss: float
    wanted: np.ndarray | None = None
    answered: np.ndarray | None = None

    @property
    def correct(self) -> float | None:
        """The share of answers that are right, 1 or 0 where there is one; None where the task is no classification."""
        return None if self.answered is None else float(np.mean(self.answered == self.wanted))


_Judge = Callable[[np.ndarray, np.ndarray, np.ndarray], Judgement]


class Objective(Description):
    """Loss on a readout's activity y within a learning window: the steps of a trial that count.

    readout: name of the readout population, default "output".
    window: number of last steps of a trial that count; None (default) counts all. A task whose trials count other
        steps leaves it at None and gives them itself, as the series '<readout>.in_window' of its segments.

    Arrays of one trial: y and target have shape (T, n); a readout that acts once per trial has T = 1.
    optional: whether nothing may be wanted of a trial, no step of which counts then; its error and loss are 0.

    >>> MeanSquaredError(window=2).in_window(5)
    array([0., 0., 0., 1., 1.])
    >>> MeanSquaredError(window=0)
    Traceback (most recent call last):
    snnplast.description.WrongValue: MeanSquaredError.window = 0: input should be greater than or equal to 1
    """

    optional: ClassVar[bool] = False
    compiled_form: ClassVar[str] = ""
    """Name of the same in judge.h, of the class itself that defines `_judge`; its sums have one order."""

    readout: str = "output"
    window: Annotated[int | None, Field(ge=1, description="learning window: last steps of a trial")] = None

    def in_window(self, steps: int) -> np.ndarray:
        """The learning window of a trial of `steps` steps: (steps,), 1 where a step counts, 0 elsewhere."""
        first = 0 if self.window is None else steps - self.window
        return (np.arange(steps) >= first).astype(float)

    def judge(self, y: np.ndarray, target: np.ndarray, in_window: np.ndarray | None = None) -> Judgement:
        """Error, loss and correctness of one trial.

        in_window: (T,), 0 or 1, with at least one 1 unless `optional`; by default the last `window` steps.
        """
        return self._within(y, target, in_window, self._judge)

    def judge_compiled(self, y: np.ndarray, target: np.ndarray, in_window: np.ndarray | None = None) -> Judgement:
        """The same by C++ code, where there is such a form: they agree up to rounding."""
        return self._within(y, target, in_window, self._judge_compiled if self.compiled else self._judge)

    def _within(self, y: np.ndarray, target: np.ndarray, in_window: np.ndarray | None, judge: _Judge) -> Judgement:
        rows = np.flatnonzero(self.in_window(len(y)) if in_window is None else in_window)
        if not rows.size and self.optional:
            return Judgement(np.zeros(y.shape), 0.0)
        if rows.size == len(y):
            return judge(y, target, np.zeros(1, np.int64))
        inside = judge(y[rows], target[rows], stretches(rows))
        error = np.zeros(y.shape)
        error[rows] = inside.error
        return replace(inside, error=error)

    @cached_property
    def compiled(self) -> str:
        """Name of its compiled form, "" where it has none."""
        own = type(self).judge is Objective.judge and stands(type(self), "_judge", "compiled_form")
        return self.compiled_form if own else ""

    @property
    def classifies(self) -> bool:
        """Whether there are right answers; for compiled forms."""
        return False

    def _judge_compiled(self, y: np.ndarray, target: np.ndarray, stretches: np.ndarray) -> Judgement:
        error, loss, wanted, answered = judged(self.compiled, y, target, stretches)
        return Judgement(error, loss, wanted, answered) if self.classifies else Judgement(error, loss)

    def _judge(self, y: np.ndarray, target: np.ndarray, stretches: np.ndarray) -> Judgement:
        """The same for the steps inside the window; stretches: the rows at which a new stretch begins."""
        raise NotImplementedError

    def fragment(self) -> Fragment:
        """The same error as Brian2 code on the readout: variable `error`, from `target` and `in_window`.

        In a fragment that declares them, `inverse_softmax` is set to sum_j exp(y_j - y_k), j over the readout, and
        `target_sum` to the sum of `target` over it.
        """
        raise NotImplementedError


def stretches(rows: np.ndarray) -> np.ndarray:
    """Where in ascending rows a new stretch without a gap begins.

    >>> stretches(np.array([2, 3, 4, 8, 9]))
    array([0, 3])
    """
    return np.flatnonzero(np.diff(rows, prepend=-2) > 1)


class MeanSquaredError(Objective):
    r"""E = y - y*;  loss = 1/2 mean_k sum_t (y_k - y*_k)^2.

    >>> judged = MeanSquaredError().judge(y=np.array([[0.5, 1.0]]), target=np.array([[1.0, 1.0]]))
    >>> judged.error, judged.loss
    (array([[-0.5,  0. ]]), 0.0625)
    """

    compiled_form: ClassVar[str] = "squared_error"

    def _judge(self, y: np.ndarray, target: np.ndarray, stretches: np.ndarray) -> Judgement:
        error = y - target
        return Judgement(error, 0.5 * float(np.sum(error**2)) / error.shape[1])

    def fragment(self) -> Fragment:
        code = Update("error = in_window*(y - target)", *slots.ERRORS)
        return Fragment(("target : 1", "in_window : 1 (shared)", "error : 1"), updates=(code,))


class CrossEntropy(Objective):
    r"""E_k = (sum_j y*_j) softmax_k(y) - y*_k;  loss = - mean_t sum_k y*_k log softmax_k(y), over the learning window.

    Targets that sum to 1 are probabilities; a weight of a class or step scales its row. The answer in a stretch of the
    window is the class whose softmax, summed over the stretch, is largest.

    >>> judged = CrossEntropy().judge(y=np.array([[0.0, 0.0]]), target=np.array([[1.0, 0.0]]))
    >>> judged.error, round(judged.loss, 3), judged.correct
    (array([[-0.5,  0.5]]), 0.693, 1.0)
    """

    compiled_form: ClassVar[str] = "cross_entropy"

    @property
    def classifies(self) -> bool:
        return True

    def _judge(self, y: np.ndarray, target: np.ndarray, stretches: np.ndarray) -> Judgement:
        shifted = y - y.max(axis=1, keepdims=True)
        exponential = np.exp(shifted)
        total = exponential.sum(axis=1, keepdims=True)
        softmax = exponential / total
        loss = float(np.sum(target.sum(axis=1) * np.log(total[:, 0])) - np.vdot(target, shifted)) / len(y)
        answered, wanted = (np.add.reduceat(p, stretches, axis=0).argmax(axis=1) for p in (softmax, target))
        weight = target.sum(axis=1, keepdims=True)
        return Judgement(weight * softmax - target, loss, wanted, answered)

    def fragment(self) -> Fragment:
        # 1/softmax overflows to infinity where softmax is 0 to all its digits, and exp(y) would before.
        code = Update("error = in_window*(target_sum/inverse_softmax - target)", *slots.ERRORS)
        sums = ("inverse_softmax : 1", "target_sum : 1")
        return Fragment(("target : 1", "in_window : 1 (shared)", "error : 1", *sums), updates=(code,))
