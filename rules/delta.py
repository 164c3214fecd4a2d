r"""Delta rule: a readout follows a target by gradient descent on its squared error (Widrow & Hoff 1960).

    dw_kj = -eta (y_k - y*_k) u_j

u_j: what the synapse carries, once per trial the presynaptic variable (a rate representation, the state of a
reservoir unit), step by step the spikes of neuron j filtered like the readout. With another objective the error is that
objective's derivative by y_k. Hidden layers stay as drawn.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from snnplast.learning import SGD, AnyOptimizer, Schedule, ThreeFactorRule
from snnplast.rules.references import WIDROW_1960


class Delta(ThreeFactorRule):
    """Delta rule of readouts (Widrow & Hoff 1960).

    optimizer: default SGD with a learning rate of 1e-2 that falls linearly to a tenth.
    third_factor, regularisers: none. surrogate: it has no part here.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.Delta()
    >>> with snn.open(snn.Experiment(small_network(), small_task(), rule, iterations=1, engine="runtime")) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     [name for name in before if (sim.weights[name] != before[name]).any()]
    ['second_to_output']
    """

    name: ClassVar[str] = "delta"
    reference: ClassVar[str] = WIDROW_1960

    learns: ClassVar[Literal["all", "hidden", "readouts"]] = "readouts"

    third_factor: Annotated[None, Field(description="none is used")] = None
    regularisers: Annotated[tuple[()], Field(description="none is used")] = ()
    optimizer: Annotated[AnyOptimizer, Field(description="how errors change weights")] = SGD(
        learning_rate=1e-2, schedule=Schedule(name="linear")
    )
