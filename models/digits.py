"""Digits: real scans of handwritten digits, 8 x 8 pixels, ten classes (scikit-learn's `load_digits`)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from snnplast.errors import UserError
from snnplast.models.feed_forward import FeedForward
from snnplast.network import Network
from snnplast.task import Classification, Task


class Digits(FeedForward):
    """1437 training and 360 test digits, split by the seed with the same share of every class.

    Each pixel drives one Poisson neuron for the duration of a sample; needs scikit-learn, which ships the data.
    """

    name: ClassVar[str] = "digits"
    reference: ClassVar[str] = """@misc{alpaydin1998optical,
  title = {Optical Recognition of Handwritten Digits}, author = {Alpaydin, E. and Kaynak, C.},
  howpublished = {UCI Machine Learning Repository}, year = {1998}, doi = {10.24432/C50P49}
}"""

    def network(self) -> Network:
        return self.layers(inputs=64, classes=10)

    def task(self, seed: int) -> Task:
        try:
            from sklearn.datasets import load_digits
            from sklearn.model_selection import train_test_split
        except ImportError:
            raise UserError("model 'digits' needs scikit-learn: pip install 'snnplast[data]'") from None
        pixels, labels = map(np.asarray, load_digits(return_X_y=True))
        split = train_test_split(pixels / 16.0, labels, test_size=360, stratify=labels, random_state=seed)
        x, x_test, y, y_test = map(np.asarray, split)
        return Classification(x, y, x_test, y_test, steps=self.steps, seed=seed)

    def data(self) -> str:
        return "1437 training and 360 test digits of scikit-learn"
