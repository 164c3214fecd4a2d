"""Memories of classes: what is kept of a layer, and what it says of a new sample; equations in class_memory.py."""

from __future__ import annotations

from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from pydantic import BeforeValidator, Field, SerializeAsAny

from snnplast.description import Description
from snnplast.learning import State
from snnplast.named import Named

Share = Annotated[float, Field(ge=0, lt=1, description="share of an average that a new sample leaves")]
Sharpness = Annotated[float, Field(gt=0, description="b, how sharply evidence decides what the layer expects")]
Window = Annotated[int, Field(ge=1, description="N, samples remembered")]


class Recalled(NamedTuple):
    """What a memory says of a sample. vectors: M (C, D). evidence: a (C,), of use where the class is known."""

    vectors: np.ndarray
    evidence: np.ndarray


class Memory(Description):
    """What is kept of a layer's samples, class by class; what it says of a sample comes from those before."""

    name: ClassVar[str]
    compiled_form: ClassVar[str] = ""
    """Name of the same in class_memory.h, of the class itself that defines `recall` and `store`."""

    def init(self, classes: int, size: int) -> State:
        """What is kept before the first sample of a layer of `size` neurons."""
        raise NotImplementedError

    def known(self, seen: np.ndarray, state: State) -> np.ndarray:
        """Of which classes something is remembered (C,). seen: samples so far, by class."""
        return seen > 0

    def recall(self, z: np.ndarray, known: np.ndarray, state: State) -> Recalled:
        """What is remembered, in the light of a sample."""
        raise NotImplementedError

    def store(self, z: np.ndarray, label: int, error: np.ndarray, seen: np.ndarray, state: State) -> None:
        """Take up a sample. error: y - p (C,). seen: samples before it, by class."""
        raise NotImplementedError


class Averages(Memory):
    """Running averages of each class.

    memory: share of an average that a new sample leaves, default 0.98, in [0, 1). sharpness: b, default 0.1, > 0; of
    use where the layer's own expectation counts.

    >>> averages = Averages(memory=0.5)
    >>> state, seen = averages.init(classes=2, size=3), np.zeros(2, int)
    >>> for z, label in (([1.0, 0.0, 0.0], 0), ([0.0, 2.0, 0.0], 1), ([3.0, 0.0, 0.0], 0)):
    ...     averages.store(np.array(z), label, np.zeros(2), seen, state)
    ...     seen[label] += 1
    >>> averages.recall(np.zeros(3), averages.known(seen, state), state).vectors
    array([[ 1., -1.,  0.],
           [-1.,  1.,  0.]])
    """

    name: ClassVar[str] = "averages"
    compiled_form: ClassVar[str] = "averages"

    memory: Share = 0.98
    sharpness: Sharpness = 0.1

    def init(self, classes: int, size: int) -> State:
        return {"average": np.zeros((classes, size))}

    def recall(self, z: np.ndarray, known: np.ndarray, state: State) -> Recalled:
        centred, centre = _centred(state["average"], known)
        evidence = self.sharpness * (centred @ (z - centre) - (centred**2).sum(axis=1) / 2)
        return Recalled(centred, evidence)

    def store(self, z: np.ndarray, label: int, error: np.ndarray, seen: np.ndarray, state: State) -> None:
        average = state["average"]
        average[label] = self.memory * average[label] + (1 - self.memory) * z if seen[label] else z


class Residuals(Memory):
    """The last samples, each weighted by what was not expected of it.

    With the layer's own expectation, xi = -rate sum_n (e . e_n) z_n is the signal of a linear HSIC over the window
    whose label kernel is that of the errors e. window: N, default 256, >= 1. rate: default 0.02, > 0.

    >>> residuals = Residuals(window=2, rate=0.5)
    >>> state = residuals.init(classes=2, size=2)
    >>> residuals.store(np.array([1.0, 3.0]), 0, np.array([0.5, -0.5]), np.zeros(2, int), state)
    >>> residuals.recall(np.array([1.0, 0.0]), np.ones(2, bool), state)
    Recalled(vectors=array([[ 0.25,  0.75],
           [-0.25, -0.75]]), evidence=array([ 0.5, -0.5]))
    """

    name: ClassVar[str] = "residuals"
    compiled_form: ClassVar[str] = "residuals"

    window: Window = 256
    rate: Annotated[float, Field(gt=0, description="of the sum over the window")] = 0.02

    def init(self, classes: int, size: int) -> State:
        return {"z": np.zeros((self.window, size)), "error": np.zeros((self.window, classes))}

    def recall(self, z: np.ndarray, known: np.ndarray, state: State) -> Recalled:
        vectors = self.rate * (state["error"].T @ state["z"])
        return Recalled(vectors, vectors @ z + self.rate * state["error"].sum(axis=0))

    def store(self, z: np.ndarray, label: int, error: np.ndarray, seen: np.ndarray, state: State) -> None:
        row = int(seen.sum()) % self.window
        state["z"][row], state["error"][row] = z, error


class Delta(Memory):
    """What the delta rule learns of the classes, without forgetting. rate: default 0.02, > 0.

    >>> delta = Delta(rate=0.5)
    >>> state = delta.init(classes=2, size=2)
    >>> delta.store(np.array([1.0, 3.0]), 0, np.array([0.5, -0.5]), np.zeros(2, int), state)
    >>> delta.recall(np.array([1.0, 0.0]), np.ones(2, bool), state)
    Recalled(vectors=array([[ 0.25,  0.75],
           [-0.25, -0.75]]), evidence=array([ 0.5, -0.5]))
    """

    name: ClassVar[str] = "delta"
    compiled_form: ClassVar[str] = "delta"

    rate: Annotated[float, Field(gt=0, description="of the delta rule")] = 0.02

    def init(self, classes: int, size: int) -> State:
        return {"vector": np.zeros((classes, size)), "offset": np.zeros(classes)}

    def recall(self, z: np.ndarray, known: np.ndarray, state: State) -> Recalled:
        return Recalled(state["vector"].copy(), state["vector"] @ z + state["offset"])

    def store(self, z: np.ndarray, label: int, error: np.ndarray, seen: np.ndarray, state: State) -> None:
        state["vector"] += self.rate * np.outer(error, z)
        state["offset"] += self.rate * error


class Whitened(Memory):
    """Class averages seen through the inverse covariance within classes, as in a linear discriminant: not local.

    memory, sharpness: as of averages, defaults 0.98 and 0.3. spread_memory: the same of the covariance S, default
    0.996; it begins with the identity. ridge: added to S, default 0.5, > 0.

    >>> whitened = Whitened(memory=0.5, ridge=1.0)
    >>> state, seen = whitened.init(classes=2, size=2), np.zeros(2, int)
    >>> for z, label in (([2.0, 0.0], 0), ([0.0, 2.0], 1)):
    ...     whitened.store(np.array(z), label, np.zeros(2), seen, state)
    ...     seen[label] += 1
    >>> whitened.recall(np.zeros(2), whitened.known(seen, state), state).vectors
    array([[ 0.5, -0.5],
           [-0.5,  0.5]])
    """

    name: ClassVar[str] = "whitened"

    memory: Share = 0.98
    spread_memory: Annotated[float, Field(ge=0, lt=1, description="the same of the covariance within classes")] = 0.996
    ridge: Annotated[float, Field(gt=0, description="added to that covariance")] = 0.5
    sharpness: Sharpness = 0.3

    def init(self, classes: int, size: int) -> State:
        return {"average": np.zeros((classes, size)), "spread": np.eye(size)}

    def recall(self, z: np.ndarray, known: np.ndarray, state: State) -> Recalled:
        centred, centre = _centred(state["average"], known)
        vectors = np.linalg.solve(state["spread"] + self.ridge * np.eye(z.size), centred.T).T
        evidence = self.sharpness * (vectors @ (z - centre) - (vectors * centred).sum(axis=1) / 2)
        return Recalled(vectors, evidence)

    def store(self, z: np.ndarray, label: int, error: np.ndarray, seen: np.ndarray, state: State) -> None:
        average, spread = state["average"], state["spread"]
        if seen[label]:
            apart = z - average[label]
            spread += (1 - self.spread_memory) * (np.outer(apart, apart) - spread)
        average[label] = self.memory * average[label] + (1 - self.memory) * z if seen[label] else z


class Neighbours(Memory):
    """The last samples, of which those near the new one count most: soft nearest neighbours.

    window: N, default 256, >= 1. sharpness: b, default 0.3, > 0.

    >>> neighbours = Neighbours(window=4)
    >>> state = neighbours.init(classes=2, size=1)
    >>> for z, label in ((1.0, 0), (3.0, 1)):
    ...     neighbours.store(np.array([z]), label, np.zeros(2), np.array([label, 0]), state)
    >>> neighbours.recall(np.array([1.0]), np.ones(2, bool), state)
    Recalled(vectors=array([[1.],
           [3.]]), evidence=array([ 0. , -0.6]))
    """

    name: ClassVar[str] = "neighbours"

    window: Window = 256
    sharpness: Sharpness = 0.3

    def init(self, classes: int, size: int) -> State:
        return {"z": np.zeros((self.window, size)), "of_class": np.zeros((self.window, classes))}

    def known(self, seen: np.ndarray, state: State) -> np.ndarray:
        return state["of_class"].any(axis=0)

    def recall(self, z: np.ndarray, known: np.ndarray, state: State) -> Recalled:
        nearness = -self.sharpness * ((state["z"] - z) ** 2).sum(axis=1) / 2
        of_class = state["of_class"] > 0
        vectors, evidence = np.zeros((known.size, z.size)), np.zeros(known.size)
        for c in np.flatnonzero(known):
            own = nearness[of_class[:, c]]
            share = np.exp(own - own.max())
            vectors[c] = share @ state["z"][of_class[:, c]] / share.sum()
            evidence[c] = own.max() + np.log(share.sum())
        return Recalled(vectors, evidence)

    def store(self, z: np.ndarray, label: int, error: np.ndarray, seen: np.ndarray, state: State) -> None:
        row = int(seen.sum()) % self.window
        state["z"][row], state["of_class"][row] = z, np.arange(seen.size) == label


def _centred(averages: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """m_c - mean m (C, D), 0 for unknown classes, and mean m (D,)."""
    centre = averages[known].mean(axis=0) if known.any() else np.zeros(averages.shape[1])
    return np.where(known[:, None], averages - centre, 0.0), centre


MEMORIES: dict[str, type[Memory]] = {m.name: m for m in (Averages, Residuals, Delta, Whitened, Neighbours)}
AnyMemory = Annotated[SerializeAsAny[Memory], BeforeValidator(Named("memory", MEMORIES))]
"""A field that takes a memory, its name, or its table."""
