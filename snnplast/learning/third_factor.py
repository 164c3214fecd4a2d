"""Third factors: sources of the signal that tells a population in which direction its synapses should change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator, SerializeAsAny

from snnplast.description import Description
from snnplast.errors import UserError
from snnplast.learning.signals import Broadcast, SignalKind
from snnplast.named import Named
from snnplast.network.network import Network
from snnplast.network.population import Population
from snnplast.task.objective import Objective
from snnplast.task.trial import Record

State = dict[str, np.ndarray]


@dataclass(frozen=True)
class Context:
    """What a source may rely on: the network so far, the populations it serves, the objective, face and seed.

    >>> from snnplast import CrossEntropy
    >>> Context(Network(), targets=("hidden",), objective=CrossEntropy(readout="choice"), online=False).readout
    'choice'
    """

    network: Network
    targets: tuple[str, ...]
    objective: Objective | None
    online: bool
    seed: int = 0

    @property
    def readout(self) -> str:
        """Name of the readout that the objective is about; raises `UserError` where there is none."""
        if self.objective is None:
            raise UserError("task.objective = None: this third factor needs a readout that something is wanted of")
        return self.objective.readout

    @property
    def read(self) -> Population:
        """That readout."""
        return self.network.population(self.readout)


class ThirdFactor(Description):
    """The global part of a learning rule: one signal per target population, zero only where it means zero.

    What only some sources do is a capability, a class of `snnplast.learning.capabilities` to derive from as well.

    reference: BibTeX entry of where it comes from.
    batch_mode: "sequential" where the signal depends on earlier trials: then those of a batch run in their order.

    >>> class Constant(ThirdFactor):
    ...     name = "constant"
    ...
    ...     def kind(self, context, population):
    ...         return SignalKind("constant", "trial")
    ...
    ...     def signal(self, record, context, state):
    ...         return {name: np.ones(context.network.population(name).size) for name in context.targets}
    >>> from snnplast import LIF
    >>> net = Network(); net.add("hidden", LIF(3))
    >>> Constant().signal(record=None, context=Context(net, ("hidden",), None, online=False), state={})
    {'hidden': array([1., 1., 1.])}
    """

    name: ClassVar[str]
    reference: ClassVar[str] = ""
    batch_mode: ClassVar[Literal["independent", "sequential"]] = "independent"

    def kind(self, context: Context, population: str) -> SignalKind:
        """Timing and filter of the signal for one target population."""
        raise NotImplementedError

    def extend(self, context: Context) -> Network:
        """The network with what the source needs added as ordinary descriptions."""
        return context.network

    def init(self, context: Context) -> State:
        """State that outlives trials, before the first one."""
        return {}

    def signal(self, record: Record, context: Context, state: State) -> Mapping[str, np.ndarray | Broadcast | None]:
        """Target population -> (T, n) or a `Broadcast` for a step signal, (n,) for a trial signal, None: not ready."""
        raise NotImplementedError


if TYPE_CHECKING:
    AnyThirdFactor = Any
else:
    AnyThirdFactor = Annotated[SerializeAsAny[ThirdFactor], BeforeValidator(Named("third-factor"))]
"""A field that takes a third factor, its name, or its table."""
