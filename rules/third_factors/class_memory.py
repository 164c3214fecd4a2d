r"""Class memory: what a working memory holds of every class, weighted by how far that class was expected in vain.

    xi = sum_c (p_c - y_c) M_c          y: one-hot class of this sample, M: what was remembered before it

z (D,): a layer's representation, whose memory holds one vector M_c (D,) per class and has evidence a_c(z) for each:

    averages     m_y <- memory m_y + (1 - memory) z, the first as it is;   M_c = m_c - mean m
                 a_c = b (M_c . (z - mean m) - |M_c|^2 / 2)                            memory 0.98, b = sharpness 0.1
    residuals    of the last N samples n with errors e_n = y_n - p_n, as they were when shown:
                 M = rate sum_n e_n z_n^T,   a = M z + rate sum_n e_n                         window N 256, rate 0.02
    delta        M <- M + rate e z^T,  k <- k + rate e;   a = M z + k                                       rate 0.02
    whitened     M_c = (S + ridge I)^-1 (m_c - mean m),   a_c = b (M_c . (z - mean m) - M_c . (m_c - mean m) / 2)
                 S: covariance within classes, a running average     memory 0.98, spread_memory 0.996, ridge 0.5, b 0.3
    neighbours   of the last N samples, k_n = exp(-b |z - z_n|^2 / 2):
                 M_c = sum_{n in c} k_n z_n / sum_{n in c} k_n,   a_c = log sum_{n in c} k_n         window N 256, b 0.3

mean m: over the classes known so far; a class of which nothing is remembered has M_c = 0. The class expected, p, is of

    readout    what the network's own readout says: p - y is its error, the mean over the learning window
    layer      softmax of the evidence, over the known classes: labels and the layer's activity alone
    uniform    1 / (number of known classes): every sample is drawn to its class and away from all others alike

Descent on xi draws a sample towards what its class has looked like and away from the classes it is taken for. With p of
the layer, xi is the gradient by z of a softmax loss -log p_y that is local to the layer, over b where there is one; of
residuals, it is -rate sum_n (e . e_n) z_n: a linear HSIC over the window whose label kernel is that of the errors. With
p of the readout, it is a broadcast of the readout's error through class averages instead of random or symmetric
feedback. Averages and the delta rule keep C x D numbers; residuals and neighbours keep a window of samples, whitened
inverts a D x D matrix: no circuit is known for these.

The exact HSIC signal of a window is near to averages with uniform p where gamma is large: it correlates with
-(class mean - mean) of the window's z by 0.91 for 2 classes and 0.80 for 10. In wide layers that is too much of the
same: samples that are well told apart are drawn together as strongly as others, the variance within classes vanishes
and with it what a readout could still have used. Weighted by p - y, it stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.errors import UserError
from snnplast.learning import Compiled, CompiledSignal, Context, State, Trials
from snnplast.network import Wiring
from snnplast.rules.third_factors.class_memory_compiled import compiled_signal, has_form
from snnplast.rules.third_factors.class_memory_compiled import signals as signals_of
from snnplast.rules.third_factors.layerwise import LayerwiseFactor, wanted
from snnplast.rules.third_factors.memories import AnyMemory, Averages
from snnplast.task import Record


class ClassMemory(Compiled, LayerwiseFactor):
    """One remembered vector per class and layer, weighted by the error p - y.

    Classes are one-hot targets. No signal for a sample of whose class nothing is remembered, nor before something is of
    a second class.
    remembers: "averages" (default), "residuals", "delta", "whitened" or "neighbours", or one with settings.
    expectation: p, from the "readout" (default), the "layer", or "uniform".

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.IBHebbian(third_factor=snn.ClassMemory(remembers={"name": "averages", "memory": 0.5}))
    >>> with snn.open(snn.Experiment(small_network(), small_task(), rule, iterations=5, engine="runtime")) as sim:
    ...     for _ in range(5):
    ...         before, _ = sim.snapshot()["input_to_first"], sim.update()
    ...         print(bool((sim.weights["input_to_first"] != before).any()), end=" ")
    False False False False True
    """

    name: ClassVar[str] = "class-memory"

    remembers: Annotated[AnyMemory, Field(description="what is remembered of every class")] = Averages()
    expectation: Annotated[Literal["readout", "layer", "uniform"], Field(description="p, the class expected")] = (
        "readout"
    )

    def init(self, context: Context) -> State:
        network, classes = context.network, context.read.size
        kept = {
            f"{name}.{key}": values
            for name in context.targets
            for key, values in self.remembers.init(classes, network.populations[name].size).items()
        }
        return super().init(context) | kept | {"seen": np.zeros(classes, np.int64)}

    def raw(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray | None]:
        label, seen = self._label(record, context), state["seen"]
        if record.compiled and has_form(self.remembers):
            z = {name: record.representation(name) for name in context.targets}
            wrong = self._readout_error(record, context) if self.expectation == "readout" else np.zeros((0, seen.size))
            return signals_of(self, wanted(record, context), wrong, z, state) or dict.fromkeys(z)
        signals: dict[str, np.ndarray | None] = {}
        for name in context.targets:
            z, own = record.representation(name), self._kept(name, state)
            known = self.remembers.known(seen, own)
            vectors, evidence = self.remembers.recall(z, known, own)
            error = self._error(record, context, known, evidence, label)
            signals[name] = error @ vectors if known[label] and np.count_nonzero(known) > 1 else None
            self.remembers.store(z, label, -error, seen, own)
        seen[label] += 1
        return signals

    def _kept(self, layer: str, state: State) -> State:
        """What the memory keeps of one layer."""
        return {key: state[f"{layer}.{key}"] for key in self.remembers.init(1, 1)}

    def _error(
        self, record: Record, context: Context, known: np.ndarray, evidence: np.ndarray, label: int
    ) -> np.ndarray:
        """p - y (C,)."""
        if self.expectation == "readout":
            return self._readout_error(record, context).mean(axis=0)
        error = np.zeros(known.size)
        if known.any():
            weight = np.ones(known.size) if self.expectation == "uniform" else np.exp(evidence - evidence[known].max())
            error[known] = weight[known] / weight[known].sum()
        error[label] -= 1
        return error

    def _readout_error(self, record: Record, context: Context) -> np.ndarray:
        """The readout's error at the steps of its learning window (steps, C)."""
        return record.series[f"{context.readout}.error"][record.in_window(context.readout) > 0]

    def compiled_signal(
        self,
        trials: Trials,
        context: Context,
        state: State,
        values: Mapping[str, np.ndarray],
        wiring: Mapping[str, Wiring],
    ) -> CompiledSignal | None:
        own = type(self).raw is ClassMemory.raw
        return compiled_signal(self, trials, context, state) if own else None

    def signal(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray | None]:
        return super().signal(record, context, state)

    def _label(self, record: Record, context: Context) -> int:
        target = wanted(record, context)
        label = int(target.argmax())
        if not np.array_equal(target, np.arange(target.size) == label):
            raise UserError(
                f"third factor 'class-memory': the target of trial {record.index} is {target}, which is no class; "
                "a one-hot vector is needed"
            )
        return label
