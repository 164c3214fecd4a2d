"""Models: a network and its task under a name, with parameters of their own."""

from __future__ import annotations

from typing import ClassVar

from snnplast.description import Description
from snnplast.network.network import Network
from snnplast.task.task import Task


class Model(Description):
    """One experiment's network and task. Fields are what a config's [model] table may set.

    The defaults for every rule that makes sense on it stand in a .toml file beside its module.

    >>> from snnplast import LIF
    >>> class Column(Model):
    ...     cells: int = 20
    ...
    ...     def network(self):
    ...         net = Network()
    ...         net.add("cells", LIF(self.cells))
    ...         return net
    >>> Column(cells=50).network()
    Network, dt = 1 ms
      cells  LIF of 50
    >>> Column(cell=50)
    Traceback (most recent call last):
    snnplast.description.WrongValue: Column.cell: unknown key; did you mean 'cells'? Known: cells
    """

    name: ClassVar[str] = ""
    reference: ClassVar[str] = ""

    def network(self) -> Network:
        """The network's description."""
        raise NotImplementedError

    def task(self, seed: int) -> Task:
        """The task; trial k must depend on (seed, k) only."""
        raise NotImplementedError

    def data(self) -> str:
        """In words, what data are used, where they come from, and how much of them; "" where trials are made up."""
        return ""

    def citation(self) -> str:
        """The BibTeX entries of what these settings really use."""
        return self.reference
