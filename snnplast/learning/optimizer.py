"""From gradients to parameters: small pieces whose state is explicit and named; a step changes both in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

import numpy as np
from pydantic import BeforeValidator, Field, SerializeAsAny

from snnplast.description import Description
from snnplast.named import Named
from snnplast.native.stage import stands

State = dict[str, np.ndarray]
Limit = float | np.ndarray | None


class Schedule(Description):
    r"""Learning rate over the run: constant, or linear from eta down to final * eta.

    name: "constant" (default) or "linear". final: fraction left at the end, default 0.1, in [0, 1].

    >>> Schedule(name="linear", final=0.2)(progress=0.5)
    0.6
    >>> Schedule(name="cosine")
    Traceback (most recent call last):
    snnplast.description.WrongValue: Schedule.name = 'cosine': input should be 'constant' or 'linear'
    """

    name: Annotated[Literal["constant", "linear"], Field(description="how the rate changes")] = "constant"
    final: Annotated[float, Field(ge=0, le=1, description="fraction of the rate left at the end")] = 0.1

    def __call__(self, progress: float) -> float:
        """Factor on the learning rate; progress: part of the run that is done, in [0, 1)."""
        return 1.0 if self.name == "constant" else 1 - (1 - self.final) * progress


def as_schedule(value: Any) -> Any:
    """A schedule from itself, its name, or its table."""
    return Schedule(name=cast(Any, value)) if isinstance(value, str) else value


if TYPE_CHECKING:
    AnySchedule = Any
else:
    AnySchedule = Annotated[Schedule, BeforeValidator(as_schedule)]


class Optimizer(Description):
    r"""What all optimisers share: g <- clip(g) + weight_decay * w, one step of the optimiser, then the bounds.

    learning_rate: eta, default 1e-3, > 0. schedule: how eta changes over the run, default constant.
    clip: largest |g|, > 0, default none.
    weight_decay: default 0, >= 0.
    """

    learning_rate: Annotated[float, Field(gt=0, description="eta")] = 1e-3
    schedule: Annotated[AnySchedule, Field(description="learning rate over the run")] = Schedule()
    clip: Annotated[float | None, Field(gt=0, description="largest absolute gradient entry")] = None
    weight_decay: Annotated[float, Field(ge=0, description="added to the gradient: weight_decay * w")] = 0.0

    compiled_form: ClassVar[str] = ""
    """Name of the same in optimizer.h, of the class itself that defines `step`."""

    @property
    def compiled(self) -> str:
        """Name of its compiled form, "" where it has none."""
        own = type(self).update is Optimizer.update and stands(type(self), "step", "compiled_form")
        return self.compiled_form if own else ""

    def init(self, parameter: np.ndarray) -> State:
        """State before the first update, for a parameter of any shape."""
        return {}

    def step(self, gradient: np.ndarray, state: State, eta: float) -> np.ndarray:
        """What to subtract from the parameter; updates `state` in place."""
        raise NotImplementedError

    def update(
        self,
        parameter: np.ndarray,
        gradient: np.ndarray,
        state: State,
        progress: float = 0.0,
        bounds: tuple[Limit, Limit] = (None, None),
        scale: np.ndarray | None = None,
    ) -> None:
        """Change `parameter` in place by one step. All arrays have the parameter's shape.

        bounds: lowest and highest value, a number or an array; None: no limit.
        scale: what is learned is parameter / scale: clip, weight_decay and eta are those of that; None: 1.

        >>> tau = np.array([0.02, 0.04])
        >>> SGD(learning_rate=0.01).update(tau, gradient=np.array([50.0, 25.0]), state={}, scale=tau.copy()); tau
        array([0.0198, 0.0396])
        """
        if scale is not None:
            gradient = gradient * scale
        if self.clip is not None:
            gradient = np.clip(gradient, -self.clip, self.clip)
        if self.weight_decay:
            gradient = gradient + self.weight_decay * (parameter if scale is None else parameter / scale)
        change = self.step(gradient, state, self.learning_rate * self.schedule(progress))
        parameter -= change if scale is None else scale * change
        if bounds[0] is not None or bounds[1] is not None:
            np.clip(parameter, *bounds, out=parameter)


class SGD(Optimizer):
    """w <- w - eta g.

    >>> w = np.array([1.0, -1.0])
    >>> SGD(learning_rate=0.1, clip=1.0).update(w, gradient=np.array([5.0, 0.5]), state={}); w
    array([ 0.9 , -1.05])
    >>> SGD(learning_rate=0)
    Traceback (most recent call last):
    snnplast.description.WrongValue: SGD.learning_rate = 0: input should be greater than 0
    """

    name: ClassVar[str] = "sgd"
    compiled_form: ClassVar[str] = "sgd"

    def step(self, gradient: np.ndarray, state: State, eta: float) -> np.ndarray:
        return eta * gradient


class Adam(Optimizer):
    r"""Adam in the form of TensorFlow 1 and NEST (epsilon outside, uncorrected second moment).

        n <- n + 1;  m <- b1 m + (1-b1) g;  u <- b2 u + (1-b2) g^2
        w <- w - eta sqrt(1 - b2^n) / (1 - b1^n) * m / (sqrt(u) + epsilon)

    beta_1: default 0.9. beta_2: default 0.999, both in [0, 1). epsilon: default 1e-8, > 0. Kingma & Ba (2015).

    >>> adam, w = Adam(learning_rate=0.01), np.array([1.0, -1.0])
    >>> adam.update(w, gradient=np.array([5.0, -0.5]), state=adam.init(w)); w.round(3)
    array([ 0.99, -0.99])
    >>> Adam(beta_1=1)
    Traceback (most recent call last):
    snnplast.description.WrongValue: Adam.beta_1 = 1: input should be less than 1
    """

    name: ClassVar[str] = "adam"
    compiled_form: ClassVar[str] = "adam"
    beta_1: Annotated[float, Field(ge=0, lt=1, description="memory of the mean gradient")] = 0.9
    beta_2: Annotated[float, Field(ge=0, lt=1, description="memory of the mean squared gradient")] = 0.999
    epsilon: Annotated[float, Field(gt=0, description="added to its root")] = 1e-8

    def init(self, parameter: np.ndarray) -> State:
        return {"n": np.zeros(()), "m": np.zeros_like(parameter), "u": np.zeros_like(parameter)}

    def step(self, gradient: np.ndarray, state: State, eta: float) -> np.ndarray:
        state["n"] += 1
        n, m, u = float(state["n"]), state["m"], state["u"]
        m *= self.beta_1
        m += (1 - self.beta_1) * gradient
        u *= self.beta_2
        u += (1 - self.beta_2) * gradient**2
        return eta * np.sqrt(1 - self.beta_2**n) / (1 - self.beta_1**n) * m / (np.sqrt(u) + self.epsilon)


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam}


if TYPE_CHECKING:
    AnyOptimizer = Any
else:
    AnyOptimizer = Annotated[SerializeAsAny[Optimizer], BeforeValidator(Named("optimizer", OPTIMIZERS))]
"""A field that takes an optimiser, its name, or its table."""
