r"""Whose signal a reservoir can supply, and what its readout is asked for before the run.

hsic    the exact signal of the last `window` samples, over its root mean square in the stream, from the first full
        window on; one number per neuron, that all features add up to
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, BeforeValidator, SerializeAsAny

from snnplast.errors import UserError, short
from snnplast.learning import Context, State, ThirdFactor
from snnplast.named import Named
from snnplast.rules.third_factors.hsic import HSIC
from snnplast.rules.third_factors.layerwise import LayerwiseFactor


@dataclass(frozen=True)
class Windowed:
    """What a reservoir is asked for when HSIC teaches it."""

    teacher: HSIC

    @property
    def first(self) -> int:
        """Samples of a stream that something is first known of."""
        return self.teacher.window

    @property
    def key(self) -> str:
        """All of the teacher that decides what is asked for."""
        return f"{self.teacher.name} {self.teacher.model_dump_json(exclude={'transforms'})}"

    def asked(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Of every sample of a stream (length, D), nan where nothing; x (length, 10), y (length, C), z (length, D)."""
        teacher, n = self.teacher, self.teacher.window
        state = {"x": np.zeros((n, x.shape[1])), "y": np.zeros((n, y.shape[1])), "z": np.zeros((n, z.shape[1]))}
        state |= {"kernel": np.zeros((n, n)), "seen": np.zeros((), np.int64)}
        xi = np.full(z.shape, np.nan)
        for k in range(len(z)):
            row = teacher.remember(x[k], y[k], state)
            state["z"][row] = z[k]
            if k >= n - 1:
                xi[k] = teacher.gradient(state["kernel"], state["z"], row)
        return xi / np.sqrt(np.nanmean(xi**2))


Lesson = Windowed
_LESSONS = {HSIC: Windowed}
TEACHERS: dict[str, type[ThirdFactor]] = {kind.name: kind for kind in _LESSONS}


def lesson_of(teacher: LayerwiseFactor) -> Lesson:
    """What a reservoir is asked for when it is taught by this one."""
    return next(lesson for kind, lesson in _LESSONS.items() if isinstance(teacher, kind))(teacher)


def _suppliable(teacher: ThirdFactor) -> ThirdFactor:
    """One whose signal a reservoir can supply, all of it."""
    if not isinstance(teacher, tuple(_LESSONS)):
        raise UserError(f"{short(teacher)}: a reservoir can supply the signal of {' or '.join(map(repr, TEACHERS))}")
    if _shown(teacher.transforms) != _shown(type(teacher).model_fields["transforms"].default):
        raise UserError("its transforms are those of the reservoir; transforms of the reservoir's own are allowed")
    return teacher


def _shown(transforms: tuple) -> list[str]:
    return [repr(transform) for transform in transforms]


AnyTeacher = Annotated[
    SerializeAsAny[ThirdFactor], BeforeValidator(Named("teacher", TEACHERS)), AfterValidator(_suppliable)
]
"""A field that takes one of them, its name, or its table."""

_PREFIX = "teacher."


def remembered(teacher: LayerwiseFactor, context: Context) -> State:
    """What the teacher itself remembers, as state of the reservoir."""
    unused = LayerwiseFactor.init(teacher, context)
    return {_PREFIX + key: values for key, values in teacher.init(context).items() if key not in unused}


def own_memory(state: State) -> State:
    """The same, as the teacher knows it."""
    return {key.removeprefix(_PREFIX): values for key, values in state.items() if key.startswith(_PREFIX)}
