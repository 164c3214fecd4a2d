r"""Class memory: a running average of the layer's representation per class, the least that a working memory can hold.

    xi  = -(m_y - mean_c m_c)                     y: the class of this sample; m: what was remembered before it
    m_y <- memory m_y + (1 - memory) z            after it; the first z of a class is taken as it is

Descent on xi draws a sample towards what its class has looked like and away from the rest. The exact HSIC signal of a
window does little more where gamma is large: it correlates with -(class mean - mean) of the window's z by 0.91 for 2
classes and 0.80 for 10.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from snnplast.errors import UserError
from snnplast.learning import Context, State
from snnplast.rules.third_factors.layerwise import LayerwiseFactor, wanted
from snnplast.task import Record


class ClassMemory(LayerwiseFactor):
    """One average representation per class and layer; the mean over c is over the classes seen so far.

    Classes are one-hot targets. No signal for a sample whose class is new, nor before a second class has been seen.
    memory: share of an average that a new sample leaves, default 0.9, in [0, 1).

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.IBHebbian(third_factor=snn.ClassMemory(memory=0.5))
    >>> with snn.open(snn.Experiment(small_network(), small_task(), rule, iterations=5, engine="runtime")) as sim:
    ...     for _ in range(5):
    ...         before, _ = sim.snapshot()["input_to_first"], sim.update()
    ...         print(bool((sim.weights["input_to_first"] != before).any()), end=" ")
    False False False False True
    """

    name: ClassVar[str] = "class-memory"

    memory: Annotated[float, Field(ge=0, lt=1, description="share of an average that a new sample leaves")] = 0.9

    def init(self, context: Context) -> State:
        network, classes = context.network, context.read.size
        sizes = {name: network.populations[name].size for name in context.targets}
        averages = {f"{name}.average": np.zeros((classes, size)) for name, size in sizes.items()}
        return super().init(context) | averages | {"seen": np.zeros(classes, np.int64)}

    def raw(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray | None]:
        label, seen = self._label(record, context), state["seen"]
        ready = seen[label] > 0 and np.count_nonzero(seen) > 1
        signals: dict[str, np.ndarray | None] = {}
        for name in context.targets:
            average, z = state[f"{name}.average"], record.representation(name)
            signals[name] = average[seen > 0].mean(axis=0) - average[label] if ready else None
            average[label] = self.memory * average[label] + (1 - self.memory) * z if seen[label] else z
        seen[label] += 1
        return signals

    def _label(self, record: Record, context: Context) -> int:
        target = wanted(record, context)
        label = int(target.argmax())
        if not np.array_equal(target, np.arange(target.size) == label):
            raise UserError(
                f"third factor 'class-memory': the target of trial {record.index} is {target}, which is no class; "
                "a one-hot vector is needed"
            )
        return label
