"""What a network needs at the very least, and what the machine has: what cannot fit is refused before it is tried."""

from __future__ import annotations

import contextlib
import functools
import os
import resource
from pathlib import Path

from snnplast.errors import UserError
from snnplast.network.connectivity import ExplicitPairs, Probability
from snnplast.network.network import Network
from snnplast.network.projection import Projection

PER_NEURON = 16
"""Bytes: state and input."""
PER_SYNAPSE = 16
"""Bytes: both ends and the weight; where it is plastic 8 more, for what is learned."""
MOST_NEURONS = 2**31 - 1
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@functools.cache
def there_is() -> int:
    """Bytes of memory that this process may have: of the machine, of its control group, by its own limit."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in LIMITS:
        with contextlib.suppress(OSError, ValueError):  # "max"
            found.append(int(Path(path).read_text()))
    own, _ = resource.getrlimit(resource.RLIMIT_AS)
    return min(found if own == resource.RLIM_INFINITY else [*found, own])


def refuse_too_large(network: Network) -> None:
    """Raise `UserError` for a network that cannot be in this machine's memory."""
    for name, population in network.populations.items():
        if population.size > MOST_NEURONS:
            raise UserError(f"network.{name}: {population.size} neurons; at most {MOST_NEURONS} are allowed")
    needs = {f"{n!r}, {p.size} neurons": PER_NEURON * p.size for n, p in network.populations.items()}
    for name, projection in network.projections.items():
        count = _synapses(network, projection)
        needs[f"{name!r}, {count} synapses"] = count * (PER_SYNAPSE + 8 * projection.plastic)
    if needs:
        largest = max(needs, key=lambda name: needs[name])
        refuse("network", sum(needs.values()), f", most of it for {largest}")


def refuse(place: str, needed: int, why: str = "") -> None:
    """Raise `UserError` where so many bytes are more than there are."""
    if needed > there_is():
        raise UserError(f"{place}: at least {_size(needed)} of memory are needed{why}; there are {_size(there_is())}")


def _synapses(network: Network, projection: Projection) -> int:
    """Their number, for random ones what is expected."""
    n_pre, n_post = (network.populations[name].size for name in (projection.source, projection.target))
    pairs = projection.connectivity
    if isinstance(pairs, ExplicitPairs):
        return int(pairs.pre.size)
    if isinstance(pairs, Probability):
        return int(pairs.p * n_pre * n_post)
    return pairs.count(n_pre, n_post, not projection.self_connections) or 0


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
