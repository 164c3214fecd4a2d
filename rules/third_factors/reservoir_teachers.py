r"""Whose signal a reservoir can supply, and what its readout is asked for before the run.

hsic            asked for the exact signal of the last `window` samples, over its root mean square in the stream,
                from the first full window on; all features add up to one answer
class-memory    with averages: the pool of a sample's class is asked for the average m of the class as it was before
                the sample, m_y <- memory m_y + (1 - memory) z, from 0 where a stream begins; in the loop all pools
                answer at once, weighted by the errors e_c = p_c - y_c of their classes (`reservoir_answers`):
                xi = sum_c e_c m_c, where errors sum to 0 the same as sum_c e_c (m_c - mean m)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import AfterValidator, BeforeValidator, SerializeAsAny

from snnplast.errors import UserError, short
from snnplast.learning import Context, State, ThirdFactor
from snnplast.named import Named
from snnplast.rules.third_factors.class_memory import ClassMemory
from snnplast.rules.third_factors.hsic import HSIC
from snnplast.rules.third_factors.layerwise import LayerwiseFactor
from snnplast.rules.third_factors.memories import Averages


@dataclass(frozen=True)
class Windowed:
    """What a reservoir is asked for when HSIC teaches it."""

    teacher: HSIC

    weighted: ClassVar[bool] = False
    """Whether each pool answers for itself, weighted by the error of its class."""

    def fitting(self, sample_time: float) -> dict[str, float]:
        """Settings of a reservoir that fit this teacher, in SI units. sample_time: of one sample (s)."""
        return {"leak": 0.3, "tau_trace": 0.25, "bias": 1.1, "radius": 0.5, "ridge": 1e-2, "learning_rate": 1e-2}

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


@dataclass(frozen=True)
class Averaged:
    """What a reservoir is asked for when a class memory teaches it: the average of each class, from its own pool."""

    teacher: ClassMemory

    weighted: ClassVar[bool] = True
    first: ClassVar[int] = 1

    @property
    def averages(self) -> Averages:
        """What the teacher remembers."""
        assert isinstance(self.teacher.remembers, Averages)
        return self.teacher.remembers

    @property
    def memory(self) -> float:
        """Share of an average that a new sample leaves."""
        return self.averages.memory

    @property
    def expectation(self) -> str:
        """Whose error weights the pools."""
        return self.teacher.expectation

    def fitting(self, sample_time: float) -> dict[str, float]:
        """Settings of a reservoir that fit this teacher, in SI units. sample_time: of one sample (s)."""
        trace = float(sample_time / -np.log(self.memory)) if self.memory > 0 else 0.0
        kept = {"leak": 1 - self.memory, "tau_trace": trace, "bias": 2.0}
        return kept | {"radius": 0.1, "ridge": 1e-4, "learning_rate": 0.1}

    @property
    def key(self) -> str:
        """All of the teacher that decides what is asked for: not what weights it."""
        return f"{self.teacher.name} {self.memory}"

    def asked(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Of every sample of a stream (length, D); y (length, C), z (length, D)."""
        average, found = np.zeros((y.shape[1], z.shape[1])), np.empty(z.shape)
        for k, label in enumerate(y.argmax(axis=1)):
            found[k] = average[label]
            average[label] = self.memory * average[label] + (1 - self.memory) * z[k]
        return found

    def uniform(self, label: np.ndarray, state: State) -> np.ndarray:
        """1 / (number of classes known so far) - y (C,). state: the teacher's own; label: y (C,)."""
        known = state["seen"] > 0
        return known / max(np.count_nonzero(known), 1) - label


Lesson = Windowed | Averaged
_LESSONS: dict[type[LayerwiseFactor], type[Lesson]] = {HSIC: Windowed, ClassMemory: Averaged}
TEACHERS: dict[str, type[ThirdFactor]] = {kind.name: kind for kind in _LESSONS}


def lesson_of(teacher: LayerwiseFactor) -> Lesson:
    """What a reservoir is asked for when it is taught by this one."""
    return next(lesson for kind, lesson in _LESSONS.items() if isinstance(teacher, kind))(teacher)  # type: ignore[arg-type]


def _suppliable(teacher: ThirdFactor) -> ThirdFactor:
    """One whose signal a reservoir can supply, all of it."""
    if not isinstance(teacher, tuple(_LESSONS)):
        names = " or ".join(map(repr, TEACHERS))
        raise UserError(f"{short(teacher)}: the signal of {names} is what a reservoir can supply")
    if [*map(repr, teacher.transforms)] != [*map(repr, type(teacher).model_fields["transforms"].default)]:
        raise UserError("its transforms are those of the reservoir; transforms of the reservoir's own are allowed")
    if isinstance(teacher, ClassMemory) and not isinstance(teacher.remembers, Averages):
        raise UserError(f"remembers = {teacher.remembers.name!r}: a reservoir holds averages; 'averages' is allowed")
    return teacher


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
