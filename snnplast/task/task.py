"""What a network is asked to do: trials made of segments, each a pure function of (seed, index)."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Self

import numpy as np

from snnplast.described import as_array, count, integers, reals
from snnplast.errors import UserError, nearest
from snnplast.network.network import Network
from snnplast.network.population import PoissonSource
from snnplast.random_streams import ORDER, TEST, TRAINING, stream
from snnplast.task.objective import CrossEntropy, Objective
from snnplast.task.stack import OneSegment, Stack
from snnplast.task.trial import Record, Segment

Trial = Generator[Segment, Record, Any]
"""Yields segments, receives the record so far after each, and may return series that are known only at the end."""


class Task(ABC):
    """Trials for training and, where there are any, for testing.

    seed: trial k of phase p depends on (seed, p, k) only.
    objective: what the readout should do; None where nothing is wanted of any.
    epoch: number of training trials in an epoch; None for an endless stream.
    tests: number of test trials. batch: trials per update; only published draws depend on it.
    continuous: whether its training trials are pieces of one run, in which nothing begins anew. Test trials begin anew.
    classes: what the readout's units stand for, in their order; None where they are just numbered.

    >>> from snnplast import MeanSquaredError
    >>> class Follow(Task):
    ...     objective, epoch = MeanSquaredError(), 2
    ...
    ...     def trial(self, index):
    ...         yield Segment(100, {"input": [index % 2]}, {"output.target": [index % 2]})
    >>> next(Follow().trial(3)).inputs
    {'input': array([1.])}
    """

    objective: Objective | None = None
    seed: int = 0
    epoch: int | None = None
    tests: int = 0
    batch: int = 1
    continuous: bool = False
    classes: Sequence[str | int] | None = None

    @abstractmethod
    def trial(self, index: int) -> Trial:
        """Training trial `index` = 0, 1, ...: yields segments, receives the record so far after each.

        It may return a dictionary of series that are known only at the end, such as {"output.target": ...}; those of
        the trial itself, of any shape, have names without a population, such as {"reward": ...}.
        """

    def test(self, index: int) -> Trial:
        """Test trial `index` in 0..tests-1."""
        raise UserError("this task has no test trials")

    def on(self, network: Network, batch: int = 1) -> Self:
        """This task as it is set to a network, `batch` trials per update: a copy, checked against the network.

        Raises
        ------
        UserError
            What the task says of itself cannot be meant, or does not fit the network.
        """
        _check(self)
        own = copy.copy(self)
        own.batch = batch
        return own


def _check(task: Task) -> None:
    """What every task says of itself."""
    objective = task.objective
    if objective is not None and not isinstance(objective, Objective):
        raise UserError(f"task.objective = {objective!r}: an Objective, such as CrossEntropy(), or None is needed")
    count("task.seed", task.seed, low=0)
    count("task.tests", task.tests, low=0)
    if task.epoch is not None:
        count("task.epoch", task.epoch)


class ShowsSamples(ABC):
    """Of a task that can show samples of which nothing is known: the capability behind `predict`."""

    @abstractmethod
    def showing(self, x: Any) -> Task:
        """The same task, set to its network, with these samples as its test trials. Raises `UserError`.

        What is wanted of the readout may be anything, such as 0; the learning window says which steps it answers in.
        """


class Measures(ABC):
    """Of a task that tells numbers of a trial, which become metrics of training and of tests.

    measured: their names.
    """

    measured: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def metrics(self, record: Record) -> dict[str, float]:
        """Name -> number, of a trial that has ended."""


def zeros_and_ones(x: Any, **sizes: int | None) -> np.ndarray:
    """What `showing` was given, as integers (samples, *sizes), each 0 or 1; a size that is None may be any, from 1 on.

    >>> zeros_and_ones([[0, 1, 1]], cues=7)
    Traceback (most recent call last):
    snnplast.errors.UserError: predict: x has shape (1, 3); (samples, cues = 7) is needed
    """
    values = integers("predict: x", x, 0, 1)
    fits = values.ndim == 1 + len(sizes) and all(
        size in (None, length) for size, length in zip(sizes.values(), values.shape[1:], strict=True)
    )
    if not (fits and values.size):
        wanted = ", ".join(name if size is None else f"{name} = {size}" for name, size in sizes.items())
        raise UserError(f"predict: x has shape {values.shape}; (samples, {wanted}) is needed")
    return values


class Samples(OneSegment, Task):
    r"""Samples of which nothing is wanted, each shown for a fixed time to a Poisson source, in a new order every epoch.

    x, x_test: as in `Classification`; x_test may be left out. steps, seed, source: likewise.
    For rules that learn without an error, such as STDP: there is no objective.

    >>> task = Samples([[0, 1], [1, 0]], steps=50)
    >>> task.epoch, task.tests, next(task.trial(0)).steps
    (2, 0, 50)
    """

    def __init__(self, x: Any, x_test: Any = (), *, steps: int, seed: int = 0, source: str = "input") -> None:
        self.steps, self.seed, self.source = count("task.steps", steps), seed, source
        samples, tests = _samples("x", x, self.steps), _samples("x_test", x_test, self.steps)
        if not len(samples):
            raise UserError("task: there are no training samples")
        self.epoch, self.tests = len(samples), len(tests)
        self._sets = {TRAINING: samples, TEST: tests}
        _check(self)

    def on(self, network: Network, batch: int = 1) -> Self:
        own = super().on(network, batch)
        _check_source(network, self.source, dict(zip(("x", "x_test"), self._sets.values(), strict=True)))
        return own

    @lru_cache(maxsize=4)  # noqa: B019  a task lives as long as its run
    def order(self, epoch: int) -> np.ndarray:
        """The order of the training samples in an epoch."""
        return stream(self.seed, ORDER, epoch).permutation(len(self._sets[TRAINING]))

    def trial(self, index: int) -> Trial:
        epoch, place = divmod(index, len(self._sets[TRAINING]))
        yield Segment(self.steps, {self.source: self._sets[TRAINING][int(self.order(epoch)[place])]})

    def test(self, index: int) -> Trial:
        yield Segment(self.steps, {self.source: self._sets[TEST][index]})


def _check_source(network: Network, name: str, samples: dict[str, np.ndarray]) -> PoissonSource:
    """The source that samples are shown to, which they fit."""
    source = network.populations.get(name)
    if not isinstance(source, PoissonSource):
        known = [name for name, p in network.populations.items() if isinstance(p, PoissonSource)]
        raise UserError(f"task: {name!r} is no PoissonSource of the network; {nearest(name, known)}")
    for called, x in samples.items():
        if len(x) and x.shape[-1] != source.size:
            raise UserError(
                f"task.{called} has {x.shape[-1]} values per sample, but {name!r} has {source.size} neurons"
            )
    return source


class Classification(OneSegment, Task, ShowsSamples):
    r"""Samples with class labels, each shown for a fixed time to a Poisson source, in a new order every epoch.

    x, x_test: real values in [0, 1], (samples, n_input), or (samples, steps, n_input) where they change over a sample;
        a memory-mapped array stays on its disk.
    labels, labels_test: one class per sample, (samples,): integers from 0, the number of the readout's unit; with
        `classes`, members of that list.
    steps: duration of a sample in steps, >= 1. seed: of the order of samples; an experiment sets its own.
    classes: what the readout's units stand for, in their order, e.g. ("cat", "dog") or (3, 8). The readout may have
        more units than there are classes.
    source, objective.readout: the populations that take part.

    >>> task = Classification([[0, 1], [1, 0]], ["b", "a"], [[0, 1]], ["b"], steps=50, classes=("a", "b"))
    >>> task.epoch, task.tests, next(task.test(0)).series
    (2, 1, {'output.target': array([0., 1.])})
    >>> Classification([[0, 255]], [0], [[0, 1]], [1], steps=50)
    Traceback (most recent call last):
    snnplast.errors.UserError: task.x: values must lie in [0, 1], these span 0 to 255
    """

    objective: Objective

    def __init__(
        self,
        x: Any,
        labels: Any,
        x_test: Any,
        labels_test: Any,
        steps: int,
        seed: int = 0,
        source: str = "input",
        objective: Objective | None = None,
        classes: Sequence[Any] | None = None,
    ) -> None:
        self.steps = count("task.steps", steps)
        samples = {"x": _samples("x", x, self.steps), "x_test": _samples("x_test", x_test, self.steps)}
        named = None if classes is None else _classes(classes)
        found = {
            name: _labels(name, given, named) for name, given in (("labels", labels), ("labels_test", labels_test))
        }
        for name, other in (("x", "labels"), ("x_test", "labels_test")):
            if len(samples[name]) != len(found[other]):
                raise UserError(f"task: {len(samples[name])} samples in {name}, but {len(found[other])} in {other}")
        if not len(samples["x"]):
            raise UserError("task: there are no training samples")
        self.objective = CrossEntropy() if objective is None else objective
        self.seed, self.source = seed, source
        self.epoch, self.tests = len(samples["x"]), len(samples["x_test"])
        self._sets: dict[int, tuple[np.ndarray, np.ndarray | None]] = {
            TRAINING: (samples["x"], found["labels"]),
            TEST: (samples["x_test"], found["labels_test"]),
        }
        highest = max(int(values.max()) for values in found.values() if values.size)
        self.classes = named
        self._units = len(named) if named else highest + 1
        self._inputs = samples["x"].shape[-1]
        _check(self)

    def on(self, network: Network, batch: int = 1) -> Self:
        own = super().on(network, batch)
        samples = {name: x for name, (x, _) in zip(("x", "x_test"), self._sets.values(), strict=True)}
        source = _check_source(network, self.source, samples)
        readout = self.objective.readout
        size = network.population(readout).size
        if self._units > size:
            spanned = np.concatenate([labels for _, labels in self._sets.values() if labels is not None])
            raise UserError(
                f"task: labels span {spanned.min()} to {spanned.max()} of {self._units} classes, but the readout "
                f"{readout!r} has {size} units, 0 to {size - 1}; classes=(...) says which unit a label stands for"
            )
        own._units, own._inputs = size, source.size
        vars(own).pop("_wanted", None)
        return own

    def showing(self, x: Any) -> Task:
        samples = _samples("x", x, self.steps, place="predict")
        if not samples.size or samples.shape[-1] != self._inputs:
            raise UserError(
                f"predict: x has shape {samples.shape}; (samples, {self._inputs}), or (samples, {self.steps}, "
                f"{self._inputs}) over steps, is needed"
            )
        own = copy.copy(self)
        own._sets = {**self._sets, TEST: (samples, None)}
        own.tests = len(samples)
        return own

    @lru_cache(maxsize=4)  # noqa: B019  a task lives as long as its run
    def order(self, epoch: int) -> np.ndarray:
        """The order of the training samples in an epoch."""
        return stream(self.seed, ORDER, epoch).permutation(len(self._sets[TRAINING][0]))

    def trial(self, index: int) -> Trial:
        epoch, place = divmod(index, len(self._sets[TRAINING][0]))
        return self._show(TRAINING, int(self.order(epoch)[place]))

    def test(self, index: int) -> Trial:
        return self._show(TEST, index)

    def stack(self, phase: int, indices: Sequence[int]) -> Stack | None:
        own = type(self)
        if (own._show, own.order) != (Classification._show, Classification.order):
            return None
        x, labels = self._sets[phase]
        samples: Sequence[int] = indices
        if phase == TRAINING:
            places = [divmod(index, len(x)) for index in indices]
            samples = [int(self.order(epoch)[place]) for epoch, place in places]
        shown = [np.ascontiguousarray(x[sample], dtype=float) for sample in samples]
        wanted = [self._wanted[-1 if labels is None else labels[sample]] for sample in samples]
        return Stack(self.steps, {self.source: shown}, wanted)

    @cached_property
    def _wanted(self) -> np.ndarray:
        """Targets of the readout for each class, and for none of them."""
        return np.eye(self._units + 1, self._units)

    def _show(self, phase: int, sample: int) -> Trial:
        x, labels = self._sets[phase]
        target = np.zeros(self._units)
        if labels is not None:
            target[labels[sample]] = 1
        yield Segment(self.steps, {self.source: x[sample]}, {f"{self.objective.readout}.target": target})


def _samples(name: str, given: Any, steps: int, place: str = "") -> np.ndarray:
    place = f"{place}: {name}" if place else f"task.{name}"
    x = reals(place, given, 0, 1)
    if x.size and (x.ndim not in (2, 3) or (x.ndim == 3 and x.shape[1] != steps)):
        raise UserError(
            f"{place} has shape {x.shape}; (samples, inputs), or (samples, {steps}, inputs) over steps, is needed"
        )
    return x


def _labels(name: str, given: Any, classes: list[Any] | None) -> np.ndarray:
    """The number of the readout's unit of every sample, (samples,)."""
    place = f"task.{name}"
    shape = np.shape(as_array(place, given, text=True))
    if len(shape) != 1:
        hint = "; .argmax(axis=1) makes labels of one-hot rows" if len(shape) == 2 and shape[1] > 1 else ""
        raise UserError(f"{place} has shape {shape}; one label per sample, (samples,), is needed{hint}")
    if classes is None:
        return integers(place, given, low=0)
    values = np.asarray(given).tolist()
    unit = {(type(label), label): k for k, label in enumerate(classes)}
    for value in values:
        if (type(value), value) not in unit:
            raise UserError(f"{place}: {value!r} is none of classes; {nearest(str(value), map(str, classes))}")
    return np.array([unit[type(value), value] for value in values], dtype=np.int64)


def _classes(given: Sequence[Any]) -> list[Any]:
    classes = np.asarray(given).tolist()
    if isinstance(given, str) or not isinstance(classes, list) or not classes:
        raise UserError(f"task.classes = {given!r}: a list of labels in the order of the readout's units is needed")
    for label in classes:
        if isinstance(label, bool) or not isinstance(label, str | int):
            raise UserError(f"task.classes: {label!r} is no label; text or integers, all of one kind, are needed")
        if classes.count(label) > 1:
            raise UserError(f"task.classes: {label!r} is given twice")
    return classes
