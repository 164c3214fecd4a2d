"""What a readout should do: the loss of a trial, and the error of each readout unit at each step."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from snnplast.description import Description
from snnplast.fragments import Fragment, Update


class Objective(Description):
    """Loss on a readout's activity y within a learning window.

    readout: name of the readout population, default "output".
    window: number of last steps of a trial that count; None (default) counts all.

    Arrays of one trial: y and target have shape (T, n); a readout that acts once per trial has T = 1.
    """

    readout: str = "output"
    window: Annotated[int | None, Field(ge=1, description="learning window: last steps of a trial")] = None

    def first(self, steps: int) -> int:
        """First step of the learning window in a trial of `steps` steps."""
        return 0 if self.window is None else max(steps - self.window, 0)

    def error(self, y: np.ndarray, target: np.ndarray) -> np.ndarray:
        """E (T, n): derivative of the loss by y, 0 before the window."""
        start = self.first(len(y))
        error = np.zeros_like(y)
        error[start:] = self._error(y[start:], target[start:])
        return error

    def loss(self, y: np.ndarray, target: np.ndarray) -> float:
        """Loss of one trial."""
        raise NotImplementedError

    def correct(self, y: np.ndarray, target: np.ndarray) -> float | None:
        """1 or 0 where the task is a classification, None elsewhere."""
        return None

    def _error(self, y: np.ndarray, target: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def fragment(self) -> Fragment:
        """The same error as Brian2 code on the readout: variable `error`, from `target` and `in_window`.

        A fragment that declares `exp_y` and `exp_sum` gets the sum of the first over the readout in the second.
        """
        raise NotImplementedError


class MeanSquaredError(Objective):
    r"""E = y - y*;  loss = 1/2 mean_k sum_t (y_k - y*_k)^2."""

    def _error(self, y: np.ndarray, target: np.ndarray) -> np.ndarray:
        return y - target

    def loss(self, y: np.ndarray, target: np.ndarray) -> float:
        start = self.first(len(y))
        return 0.5 * float(np.mean(np.sum((y[start:] - target[start:]) ** 2, axis=0)))

    def fragment(self) -> Fragment:
        code = Update("error = in_window*(y - target)", "after_synapses", 2)
        return Fragment(("target : 1", "in_window : 1 (shared)", "error : 1"), updates=(code,))


class CrossEntropy(Objective):
    r"""E = softmax(y) - y*;  loss = - mean_t sum_k y*_k log softmax_k(y), over the learning window.

    The prediction is the class whose softmax, summed over the window, is largest.
    """

    def _error(self, y: np.ndarray, target: np.ndarray) -> np.ndarray:
        return _softmax(y) - target

    def loss(self, y: np.ndarray, target: np.ndarray) -> float:
        start = self.first(len(y))
        shifted = y[start:] - y[start:].max(axis=1, keepdims=True)
        log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return -float(np.mean(np.sum(target[start:] * log_softmax, axis=1)))

    def correct(self, y: np.ndarray, target: np.ndarray) -> float:
        start = self.first(len(y))
        return float(_softmax(y[start:]).sum(axis=0).argmax() == target[start:].sum(axis=0).argmax())

    def fragment(self) -> Fragment:
        code = Update("error = in_window*(exp(y)/exp_sum - target)", "after_synapses", 2)
        exponential = Update("exp_y = exp(y)", "after_synapses", 0)
        declared = ("target : 1", "in_window : 1 (shared)", "error : 1", "exp_y : 1", "exp_sum : 1")
        return Fragment(declared, updates=(exponential, code))


def _softmax(y: np.ndarray) -> np.ndarray:
    e = np.exp(y - y.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
