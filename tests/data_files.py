"""Small files for the models that read their data from files."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np


def write_idx(file: Path, values: np.ndarray, compressed: bool = False) -> Path:
    """Unsigned bytes in the format of MNIST."""
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    content = bytes((0, 0, 8, values.ndim)) + sizes + values.astype(np.uint8).tobytes()
    file.write_bytes(gzip.compress(content) if compressed else content)
    return file


def write_images(directory: Path, training: int = 12, tests: int = 6, classes: int = 3) -> Path:
    """The four files of MNIST: images of 4 x 5 random pixels, labels 0, 1, 2, 0, ...; those to test with compressed."""
    rng = np.random.default_rng(0)
    for name, count, compressed in (("train", training, False), ("t10k", tests, True)):
        images, labels = rng.integers(256, size=(count, 4, 5)), np.arange(count) % classes
        end = ".gz" * compressed
        write_idx(directory / f"{name}-images-idx3-ubyte{end}", images, compressed)
        write_idx(directory / f"{name}-labels-idx1-ubyte{end}", labels, compressed)
    return directory


def write_arrays(file: Path, **changed: Any) -> Path:
    """Twelve samples of five features and three classes; `changed`: other arrays, None for none."""
    x = np.random.default_rng(0).random((12, 5))
    arrays = {"x": x, "y": np.arange(12) % 3, **changed}
    np.savez(file, **{name: values for name, values in arrays.items() if values is not None})
    return file


def settings(model: str, directory: Path) -> dict[str, Any]:
    """What a model must be told to find data; writes them."""
    if model in ("idx", "diehl-cook"):
        return {"path": str(write_images(directory)), "training": None, "tests": None}
    if model == "arrays":
        return {"path": str(write_arrays(directory / "data.npz"))}
    return {}
