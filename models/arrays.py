"""Arrays: your own samples and labels from a NumPy file (.npz)."""

from __future__ import annotations

import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from snnplast.errors import UserError, nearest, unknown
from snnplast.files import DataPath
from snnplast.models.feed_forward import FeedForward
from snnplast.network import Network
from snnplast.random_streams import stream
from snnplast.task import Classification, Task

KNOWN = ("x", "y", "x_test", "y_test")


class Arrays(FeedForward):
    """Samples of a .npz file: each feature drives one Poisson neuron.

    path: a file written by `numpy.savez(path, x=x, y=y)`. It holds x (samples, features) with values in [0, 1] and y
    (samples,) with integers 0 to classes - 1, every one of them; and, if you like, x_test and y_test. Nothing in it is
    unpickled. A relative path starts where it is written: at the config file, or at the working directory.
    test_share: without x_test, the share of the samples that is kept for the test, in [0, 1); the seed draws which.
    """

    name: ClassVar[str] = "arrays"

    path: Annotated[DataPath, Field(description="the .npz file")] = ""
    test_share: Annotated[float, Field(ge=0, lt=1, description="share of samples to test with, without x_test")] = 0.2

    def network(self) -> Network:
        return self.layers(inputs=self.arrays["x"].shape[1], classes=1 + int(self.arrays["y"].max()))

    def task(self, seed: int) -> Task:
        arrays = self.arrays if "x_test" in self.arrays else self._split(seed)
        x, y, x_test, y_test = (arrays[name] for name in KNOWN)
        return Classification(x, y, x_test, y_test, steps=self.steps, seed=seed)

    def data(self) -> str:
        tests = "x_test, y_test" if "x_test" in self.arrays else f"a share of {self.test_share:g}"
        return f"{len(self.arrays['x'])} samples of '{self.path}', to test with: {tests}"

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """What the file holds, checked: x as floats, y as integers. Raises `UserError` naming file, array and fault."""
        if not self.path:
            raise UserError("model.path: a .npz file with x (samples, features) and y (samples,) is needed")
        try:
            return _checked(_read(Path(self.path)))
        except UserError as error:
            raise UserError(f"model.path = '{self.path}': {error}") from None

    def _split(self, seed: int) -> dict[str, np.ndarray]:
        """Training and test samples drawn by the seed."""
        x, y = self.arrays["x"], self.arrays["y"]
        count = round(self.test_share * len(x))
        if count == len(x) or (self.test_share and not count):
            raise UserError(f"model.test_share = {self.test_share:g}: that is {count} of {len(x)} samples")
        tests, training = np.split(stream(seed, "test samples", self.name).permutation(len(x)), [count])
        return {"x": x[training], "y": y[training], "x_test": x[tests], "y_test": y[tests]}


def _read(file: Path) -> dict[str, np.ndarray]:
    """All arrays of a .npz file."""
    if not file.is_file():
        siblings = [other.name for other in file.parent.glob("*.npz")] if file.parent.is_dir() else []
        raise UserError(f"there is no such file; {nearest(file.name, siblings)}")
    if not zipfile.is_zipfile(file):
        raise UserError("it is no .npz file; numpy.savez writes one")
    name = ""
    try:
        with np.load(file, allow_pickle=False) as archive:
            found = {}
            for name in archive.files:
                found[name] = np.asarray(archive[name])
    except (OSError, EOFError, ValueError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        reason = (str(error).splitlines() or [""])[0]
        if reason.startswith("Object arrays"):
            raise UserError(f"{name} holds Python objects; numbers are needed") from None
        raise UserError(f"{name or 'the file'} cannot be read: {reason}") from None
    return found


def _checked(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    for name in arrays:
        if name not in KNOWN:
            raise UserError(unknown("array", name, KNOWN))
    for x, y in (("x", "y"), ("x_test", "y_test")):
        if (x in arrays) != (y in arrays) or "x" not in arrays:
            there = ", ".join(arrays) or "nothing"
            raise UserError(f"it holds {there}; needed are x and y, and x_test and y_test both or neither")
        if x in arrays:
            _check_samples(x, arrays[x])
            _check_labels(y, arrays[y], len(arrays[x]))
    if "x_test" in arrays and arrays["x_test"].shape[1] != arrays["x"].shape[1]:
        raise UserError(f"x_test has {arrays['x_test'].shape[1]} features, x has {arrays['x'].shape[1]}")
    labels = np.unique(arrays["y"])
    if labels[-1] != len(labels) - 1:
        absent = np.flatnonzero(labels != np.arange(len(labels)))[0]
        raise UserError(f"y goes up to {labels[-1]}, but no label is {absent}; 0 to classes - 1 are needed")
    if "y_test" in arrays and arrays["y_test"].max() >= len(labels):
        raise UserError(f"y_test has the label {arrays['y_test'].max()}, which y has not")
    return {name: values.astype(float if name.startswith("x") else int) for name, values in arrays.items()}


def _check_samples(name: str, x: np.ndarray) -> None:
    if x.dtype.kind not in "biuf":
        raise UserError(f"{name} has the type {x.dtype}; numbers are needed")
    if x.ndim != 2 or not x.size:
        raise UserError(f"{name} has shape {x.shape}; (samples, features), at least one of each, is needed")
    wrong = np.argwhere(~np.isfinite(x))
    if wrong.size:
        raise UserError(f"{name}[{wrong[0][0]}, {wrong[0][1]}] is {x[tuple(wrong[0])]}; values in [0, 1] are needed")
    if x.min() < 0 or x.max() > 1:
        raise UserError(f"{name} spans {x.min():g} to {x.max():g}; values in [0, 1] are needed")


def _check_labels(name: str, y: np.ndarray, samples: int) -> None:
    if y.dtype.kind not in "biu":
        raise UserError(f"{name} has the type {y.dtype}; integers are needed")
    if y.shape != (samples,):
        raise UserError(f"{name} has shape {y.shape}; ({samples},), one label per sample, is needed")
    if y.min() < 0:
        raise UserError(f"{name} goes down to {y.min()}; labels 0 to classes - 1 are needed")
