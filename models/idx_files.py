"""Images and labels from four files in the format of MNIST (IDX), as they are or compressed with gzip."""

from __future__ import annotations

import gzip
import math
import zlib
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from snnplast.errors import UserError, nearest
from snnplast.files import DataPath
from snnplast.task import Model

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts its files."""

FileName = Annotated[str, Field(min_length=1)]


class Samples(NamedTuple):
    """pixels: (samples, rows * columns), 0 to 255; labels: (samples,), 0 to 255."""

    pixels: np.ndarray
    labels: np.ndarray


class IdxFiles(Model):
    """A model of images of MNIST's format.

    path: directory of the files; default Debian's Fashion-MNIST (Xiao et al. 2017).
    train_images, train_labels, test_images, test_labels: names of the files inside it, defaults those of MNIST; a
        file that is not there may be there with .gz added. A relative path starts at the config file that says so, or
        at the working directory.
    training, tests: how many samples are used, default all. They are taken at equal distances from the first of a file
    on, and do not depend on the seed.
    """

    images: ClassVar[str] = """@misc{xiao2017fashion,
  title = {Fashion-{MNIST}: a novel image dataset for benchmarking machine learning algorithms},
  author = {Xiao, Han and Rasul, Kashif and Vollgraf, Roland}, year = {2017}, doi = {10.48550/arXiv.1708.07747}
}"""

    path: Annotated[DataPath, Field(description="directory of the files, '' for Debian's Fashion-MNIST")] = ""
    train_images: Annotated[FileName, Field(description="images to learn from")] = "train-images-idx3-ubyte"
    train_labels: Annotated[FileName, Field(description="their labels")] = "train-labels-idx1-ubyte"
    test_images: Annotated[FileName, Field(description="images to test with")] = "t10k-images-idx3-ubyte"
    test_labels: Annotated[FileName, Field(description="their labels")] = "t10k-labels-idx1-ubyte"
    training: Annotated[int | None, Field(ge=1, description="training samples, default all")] = None
    tests: Annotated[int | None, Field(ge=1, description="test samples, default all")] = None

    def data(self) -> str:
        used = [f"{len(s.labels)} of {there}" for s, there in zip(self.samples, self._read_all[1], strict=True)]
        name = "Fashion-MNIST, " if self._fashion else ""
        return f"{name}{used[0]} training and {used[1]} test images of '{self._directory}'"

    @property
    def cited_images(self) -> str:
        """BibTeX entry of the images, where they are known."""
        return self.images if self._fashion else ""

    @property
    def classes(self) -> int:
        """Number of classes, 0 to the highest label."""
        return 1 + int(max(samples.labels.max() for samples in self.samples))

    @property
    def _directory(self) -> Path:
        return Path(self.path) if self.path else FASHION_MNIST

    @property
    def _fashion(self) -> bool:
        return self._directory == FASHION_MNIST

    @property
    def samples(self) -> tuple[Samples, Samples]:
        """The training and the test samples. Raises `UserError` for files that are not there or not what they say."""
        return self._read_all[0]

    @cached_property
    def _read_all(self) -> tuple[tuple[Samples, Samples], tuple[int, int]]:
        """The samples that are used, and how many there are."""
        training, tests = self._read("train_images", "train_labels"), self._read("test_images", "test_labels")
        if training.pixels.shape[1] != tests.pixels.shape[1]:
            raise UserError(
                f"model.test_images: images of {tests.pixels.shape[1]} pixels, but those to learn from have "
                f"{training.pixels.shape[1]}"
            )
        used = _some(training, self.training, "training"), _some(tests, self.tests, "tests")
        return used, (len(training.labels), len(tests.labels))

    def _read(self, images: str, labels: str) -> Samples:
        (image_file, pixels), (label_file, classes) = self._array(images, 3), self._array(labels, 1)
        if len(pixels) != len(classes):
            raise UserError(
                f"model.{labels}: {len(classes)} labels in '{label_file}', but {len(pixels)} images in '{image_file}'"
            )
        if not pixels.size:
            raise UserError(f"model.{images}: '{image_file}' holds no pixels: its sizes are {_sizes(pixels.shape)}")
        return Samples(pixels.reshape(len(pixels), -1), classes)

    def _array(self, field: str, dimensions: int) -> tuple[Path, np.ndarray]:
        file = self._file(field)
        try:
            return file, read_idx(file, dimensions)
        except UserError as error:
            raise UserError(f"model.{field}: {error}") from None

    def _file(self, field: str) -> Path:
        directory, name = self._directory, getattr(self, field)
        if not directory.is_dir():
            if self.path:
                raise UserError(f"model.path: there is no directory '{directory}'")
            raise UserError(
                "model.path: a directory of IDX files is needed, or Debian's Fashion-MNIST: apt install "
                "dataset-fashion-mnist"
            )
        found = [file for file in (directory / name, directory / f"{name}.gz") if file.is_file()]
        if not found:
            others = [other.name for other in directory.glob("*idx*")]
            raise UserError(
                f"model.{field}: there is no file '{directory / name}', nor one with .gz added; {nearest(name, others)}"
            )
        return found[0]


def read_idx(file: Path, dimensions: int) -> np.ndarray:
    """The unsigned bytes of an IDX file, plain or gzip, as an array of so many dimensions.

    The file: bytes 0, 0, 8 (unsigned byte) and the number of dimensions; each size, 32 bits, big-endian; the data.
    Raises `UserError` where it is none, or shorter or longer than it says.
    """
    content = _content(file)
    magic, wanted = content[:4], bytes((0, 0, 8, dimensions))
    if magic != wanted:
        raise UserError(
            f"'{file}' begins with the bytes {magic.hex(' ') or 'of nothing'}; an IDX file of unsigned bytes in "
            f"{dimensions} dimension{'s' * (dimensions > 1)} begins with {wanted.hex(' ')}"
        )
    start = 4 + 4 * dimensions
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    if len(content) != start + math.prod(shape):
        raise UserError(
            f"'{file}' holds {len(content)} bytes; by its header, {_sizes(shape)}, it has {start + math.prod(shape)}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _content(file: Path) -> bytes:
    try:
        content = file.read_bytes()
        return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"'{file}' cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _sizes(shape: tuple[int, ...] | list[int]) -> str:
    return " x ".join(map(str, shape))


def in_parts(pixels: np.ndarray) -> np.ndarray:
    """0 to 255 as 0 to 1, in single precision: 60000 images of 784 pixels take 188 MB."""
    return np.divide(pixels, 255, dtype=np.float32)


def _some(samples: Samples, count: int | None, field: str) -> Samples:
    """So many samples at equal distances."""
    there = len(samples.labels)
    if count is None:
        return samples
    if count > there:
        raise UserError(f"model.{field} = {count}: there are {there} samples in the files")
    chosen = np.arange(count) * there // count
    return Samples(samples.pixels[chosen], samples.labels[chosen])
