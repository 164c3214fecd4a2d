"""Running a described network without a rule or a task: for tests of its dynamics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from snnplast.engine import NUMPY, Engine, open_engine
from snnplast.network.network import Network
from snnplast.simulation.build import construct
from snnplast.simulation.plan import plan


@contextmanager
def running(
    network: Network, recorded: Sequence[str] = (), seed: int = 0, injections: Mapping | None = None
) -> Iterator[Engine]:
    """The network on the runtime engine, its parameters drawn from the seed."""
    drawn = plan(network.freeze(), injections or {}, recorded, seed)
    with open_engine(construct(drawn), NUMPY) as engine:
        yield engine


def raster(spikes: tuple[np.ndarray, np.ndarray], steps: int, n: int) -> np.ndarray:
    """Spikes (steps, n) in {0, 1}."""
    result = np.zeros((steps, n))
    result[spikes] = 1
    return result
