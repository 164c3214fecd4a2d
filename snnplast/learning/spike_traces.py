"""Traces of spikes at both ends of a synapse, as rules that learn within a trial read them.

    x(t + dt) = x(t) exp(-dt / tau),    x <- x + 1 ("all") or x <- 1 ("nearest") at a spike

A presynaptic trace takes up a spike when it arrives at the synapse, after latency and delay, and after `on_arrival`
code of that step; a postsynaptic one at the end of the step in which the neuron spikes, after `on_post` code. So code
at a spike sees its own trace without that spike, and the other end's with all that came before.
"""

from __future__ import annotations

from typing import Literal

from snnplast.network import slots
from snnplast.network.fragments import Fragment, Injection, Update
from snnplast.network.projection import Projection

Pairing = Literal["all", "nearest"]


def presynaptic_trace(projection: Projection, name: str, tau: float, pairing: Pairing = "all") -> tuple[Injection, str]:
    """What keeps a trace of the spikes that arrive at a projection's synapses, and the name they read it by.

    name: of the trace; tau: its time constant, s. There is one trace per source neuron; one per synapse, brought up to
    date when it is needed, where the delays of synapses may differ.
    """
    constants, units = {f"tau_{name}": tau}, {f"tau_{name}": "second"}
    if not projection.unequal_delays:
        return Injection(pre=_trace(name, tau, pairing), beside=True), f"{name}_pre"
    equation = f"d{name}/dt = -{name}/tau_{name} : 1 (event-driven)"
    return Injection(synapse=Fragment((equation,), constants, units, on_arrival=(_taken_up(name, pairing),))), name


def postsynaptic_trace(name: str, tau: float, pairing: Pairing = "all") -> tuple[Injection, str]:
    """What keeps a trace of the target neurons' spikes, and the name that synapses read it by.

    >>> injection, read = postsynaptic_trace("y", 0.02)
    >>> read, injection.post.on_spike
    ('y_post', ('y += 1',))
    """
    return Injection(post=_trace(name, tau, pairing)), f"{name}_post"


def _trace(name: str, tau: float, pairing: Pairing) -> Fragment:
    decay = Update(f"{name} = {name}*exp(-dt/tau_{name})", *slots.FLOW)
    constants, units = {f"tau_{name}": tau}, {f"tau_{name}": "second"}
    return Fragment((f"{name} : 1",), constants, units, (decay,), on_spike=(_taken_up(name, pairing),))


def _taken_up(name: str, pairing: Pairing) -> str:
    return f"{name} += 1" if pairing == "all" else f"{name} = 1"
