r"""Backprop: the gradient of the loss through the readout's own weights, an upper control for layer-wise sources.

    xi = V (p - y) = dE/dz        V (D, C): weights of the readout, p - y: its error on this sample

No neuron could know V; with a symmetric `readout-error` this is the same signal, but before the transforms that every
layer-wise source goes through (the Jacobian of the layer normalisation, gain control, clipping).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from snnplast.errors import UserError
from snnplast.learning import Context, SignalKind, State
from snnplast.rules.third_factors.layerwise import LayerwiseFactor
from snnplast.task import Record


class Backprop(LayerwiseFactor):
    """Gradient of the loss with respect to the representation of a layer that a `RateReadout` reads.

    It goes one step back: a layer whose spikes reach the readout only through other layers is refused.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> net = small_network("rate")
    >>> net.connect("first", "output", plastic=True, kind="analog", variable="z", every="trial")
    >>> rule = snn.IBHebbian(third_factor=snn.Backprop(), homeostasis=None)
    >>> with snn.open(snn.Experiment(net, small_task(), rule, iterations=1, engine="runtime")) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     [name for name in before if (sim.weights[name] != before[name]).any()]
    ['input_to_first', 'first_to_first', 'first_to_second', 'second_to_output', 'first_to_output', 'output.bias']
    """

    name: ClassVar[str] = "backprop"

    def kind(self, context: Context, population: str) -> SignalKind:
        kind, readout = super().kind(context, population), context.readout
        if context.read.clock != "trial":
            raise UserError(f"third factor 'backprop': {readout!r} acts step by step; a RateReadout is needed")
        if len(context.network.between(population, readout)) != 1:
            raise UserError(f"third factor 'backprop': {population!r} needs one projection to {readout!r}")
        return kind

    def raw(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray | None]:
        error, network = record.series[f"{context.readout}.error"][0], record.network
        names = {target: network.between(target, context.readout)[0].name for target in context.targets}
        return {target: record.wiring[name].matrix(record.values[name]) @ error for target, name in names.items()}
