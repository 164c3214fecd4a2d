"""Idx: images of MNIST's format, learned by feed-forward layers."""

from __future__ import annotations

from typing import ClassVar

from snnplast.models.feed_forward import FeedForward
from snnplast.models.idx_files import IdxFiles, in_parts
from snnplast.network import Network
from snnplast.task import Classification, Task


class Idx(IdxFiles, FeedForward):
    """Images of MNIST's format: each pixel drives one Poisson neuron, 0 to 255 as 0 to 1.

    path: directory of the files; default Debian's Fashion-MNIST (Xiao et al. 2017).
    train_images, train_labels, test_images, test_labels: names of the files inside it, defaults those of MNIST; a
        file that is not there may be there with .gz added. A relative path starts at the config file that says so, or
        at the working directory.
    training, tests: how many samples are used, default all. They are taken at equal distances from the first of a file
    on, and do not depend on the seed, which decides their order, the weights and the spikes. Classes are 0 to the
    highest label among them.
    """

    name: ClassVar[str] = "idx"
    reference: ClassVar[str] = IdxFiles.images

    def network(self) -> Network:
        return self.layers(inputs=self.samples[0].pixels.shape[1], classes=self.classes)

    def task(self, seed: int) -> Task:
        (x, y), (x_test, y_test) = ((in_parts(s.pixels), s.labels.astype(int)) for s in self.samples)
        return Classification(x, y, x_test, y_test, steps=self.steps, seed=seed)

    def citation(self) -> str:
        return self.cited_images
