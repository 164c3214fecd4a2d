"""Eligibility traces of five neurons in plain numpy: the oracle for traces that are derived from equations.

Each neuron is written out by hand: one step of its state h (d, n), in milliseconds, and the derivatives of that step.
Nothing here imports snnplast. One step, in this order:

    not_refractory = t - t_last >= t_ref            h <- Phi(h)
    h_X <- h_X + sum_i w_ij q_i, gated where X is flagged (unless refractory)
    z = (threshold) and not_refractory              psi, g at this state
    h <- R(h) where z = 1

and beside it, per synapse, with P = dPhi/dh, R = dR/dh, k the jump of what the spike's own derivative acts through:

    eps <- P eps;  eps_X += gate q;  e = psi g.eps;  G += L F(e);  eps <- R eps (where z = 1);  eps <- eps + k e
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


class Neuron:
    """states: rows of h. flagged: those that stand still while refractory. refractory: steps. scale: of psi."""

    states: tuple[str, ...] = ()
    flagged: tuple[str, ...] = ()
    refractory = 0
    scale = 1.0
    dt = 1.0

    def start(self, n: int) -> np.ndarray:
        return np.zeros((len(self.states), n))

    def flow(self, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Phi(h) (d, n) and dPhi/dh (d, d, n) of a neuron that is not refractory."""
        raise NotImplementedError

    def distance(self, h: np.ndarray) -> np.ndarray:
        """What is compared with the threshold, in the variable v, whose derivative is 1."""
        raise NotImplementedError

    def fires(self, h: np.ndarray) -> np.ndarray:
        return self.distance(h) >= 0

    def reset(self, h: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """R(h) (d, n), its derivative (d, d), and k (d, n)."""
        raise NotImplementedError


@dataclass
class CUBA(Neuron):
    """Current-based synapses, solved exactly; soft reset.

    v' = a v + te/(te - tau) (be - a) ge - ti/(ti - tau) (bi - a) gi,   a = exp(-dt/tau), b = exp(-dt/t)
    """

    tau: float | np.ndarray = 20.0
    te: float = 5.0
    ti: float = 10.0
    states = ("v", "ge", "gi")

    def flow(self, h):
        a, be, bi = (np.exp(-self.dt / tau) for tau in (self.tau, self.te, self.ti))
        from_ge = self.te / (self.te - self.tau) * (be - a)
        from_gi = -self.ti / (self.ti - self.tau) * (bi - a)
        v, ge, gi = h
        p = jacobian(3, h, {(0, 0): a, (0, 1): from_ge, (0, 2): from_gi, (1, 1): be, (2, 2): bi})
        return np.array([a * v + from_ge * ge + from_gi * gi, be * ge, bi * gi]), p

    def distance(self, h):
        return h[0] - 1

    def reset(self, h):
        return np.array([h[0] - 1, h[1], h[2]]), np.eye(3), np.zeros_like(h)


@dataclass
class COBA(Neuron):
    """Conductance-based synapses by exponential Euler: exact while the conductances stand still; hard reset to 0.

    S = 1 + ge + gi,  w = (El + ge Ee + gi Ei)/S,  E = exp(-S dt/tau):   v' = w + (v - w) E
    dv'/dg = (1 - E) (E_g - w)/S - (v - w) E dt/tau
    """

    tau: float | np.ndarray = 20.0
    te: float = 5.0
    ti: float = 10.0
    El: float = 0.0
    Ee: float = 4.0
    Ei: float = -1.0
    refractory: int = 3
    states = ("v", "ge", "gi")
    flagged = ("v",)

    def flow(self, h):
        v, ge, gi = h
        be, bi = np.exp(-self.dt / self.te), np.exp(-self.dt / self.ti)
        total = 1 + ge + gi
        rest = (self.El + ge * self.Ee + gi * self.Ei) / total
        kept = np.exp(-total * self.dt / self.tau)
        by_ge, by_gi = (
            (1 - kept) * (reversal - rest) / total - (v - rest) * kept * self.dt / self.tau
            for reversal in (self.Ee, self.Ei)
        )
        p = jacobian(3, h, {(0, 0): kept, (0, 1): by_ge, (0, 2): by_gi, (1, 1): be, (2, 2): bi})
        return np.array([rest + (v - rest) * kept, be * ge, bi * gi]), p

    def distance(self, h):
        return h[0] - 1

    def reset(self, h):
        return np.array([0 * h[0], h[1], h[2]]), np.diag([0.0, 1.0, 1.0]), np.zeros_like(h)


@dataclass
class AdEx(Neuron):
    """Adaptive exponential integrate-and-fire by Euler; v <- Vr, w <- w + b at a spike (Brette & Gerstner 2005)."""

    gL: float = 1.0
    DT: float = 0.2
    VT: float = 1.0
    El: float = 0.0
    Cm: float | np.ndarray = 20.0
    a: float = 0.1
    tw: float = 100.0
    Vr: float = 0.05
    b: float = 0.3
    te: float = 5.0
    ti: float = 10.0
    refractory: int = 2
    states = ("v", "w", "ge", "gi")

    def flow(self, h):
        v, w, ge, gi = h
        dt, upstroke = self.dt, np.exp((v - self.VT) / self.DT)
        new = [
            v + dt / self.Cm * (self.gL * (self.El - v) + self.gL * self.DT * upstroke - w + ge - gi),
            w + dt / self.tw * (self.a * (v - self.El) - w),
            ge - dt / self.te * ge,
            gi - dt / self.ti * gi,
        ]
        entries = {
            (0, 0): 1 + dt / self.Cm * self.gL * (upstroke - 1),
            (0, 1): -dt / self.Cm,
            (0, 2): dt / self.Cm,
            (0, 3): -dt / self.Cm,
            (1, 0): dt / self.tw * self.a,
            (1, 1): 1 - dt / self.tw,
            (2, 2): 1 - dt / self.te,
            (3, 3): 1 - dt / self.ti,
        }
        return np.array(new), jacobian(4, h, entries)

    def distance(self, h):
        return h[0] - 1.3

    def reset(self, h):
        v, w, ge, gi = h
        k = np.array([0 * v, self.b + 0 * w, 0 * ge, 0 * gi])
        return np.array([self.Vr + 0 * v, w + self.b, ge, gi]), np.diag([0.0, 1.0, 1.0, 1.0]), k


@dataclass
class Izhikevich(Neuron):
    """Izhikevich (2003) by Euler at 0.5 ms; psi is centred at -50 mV, the onset of the spike, not at its cut of 30."""

    a: float | np.ndarray = 0.02
    b: float = 0.2
    c: float = -65.0
    d: float = 8.0
    te: float = 5.0
    ti: float = 10.0
    dt: float = 0.5
    scale: float = 10.0
    states = ("v", "u", "ge", "gi")

    def start(self, n):
        return np.outer([-65.0, -13.0, 0.0, 0.0], np.ones(n))

    def flow(self, h):
        v, u, ge, gi = h
        dt = self.dt
        new = [
            v + dt * (0.04 * v**2 + 5 * v + 140 - u + ge - gi),
            u + dt * self.a * (self.b * v - u),
            ge - dt / self.te * ge,
            gi - dt / self.ti * gi,
        ]
        entries = {
            (0, 0): 1 + dt * (0.08 * v + 5),
            (0, 1): -dt,
            (0, 2): dt,
            (0, 3): -dt,
            (1, 0): dt * self.a * self.b,
            (1, 1): 1 - dt * self.a,
            (2, 2): 1 - dt / self.te,
            (3, 3): 1 - dt / self.ti,
        }
        return np.array(new), jacobian(4, h, entries)

    def distance(self, h):
        return h[0] + 50

    def fires(self, h):
        return h[0] >= 30

    def reset(self, h):
        v, u, ge, gi = h
        k = np.array([0 * v, self.d + 0 * u, 0 * ge, 0 * gi])
        return np.array([self.c + 0 * v, u + self.d, ge, gi]), np.diag([0.0, 1.0, 1.0, 1.0]), k


@dataclass
class TwoCompartments(Neuron):
    """A soma v and a dendrite u that is coupled to it, with a plateau current that sets in with u; by Euler.

    dv/dt = (c (u - v) - v + A S(u))/tau,  du/dt = (c (v - u) - u + ge - gi)/td,  S(u) = 1/(1 + exp((onset - u)/slope))

    A spike resets the soma to 0 and propagates back: u <- u + back.
    """

    tau: float | np.ndarray = 20.0
    td: float = 12.0
    coupling: float = 0.5
    plateau: float = 1.5
    onset: float = 1.2
    slope: float = 0.25
    back: float = 0.2
    te: float = 5.0
    ti: float = 10.0
    refractory: int = 2
    states = ("v", "u", "ge", "gi")

    def flow(self, h):
        v, u, ge, gi = h
        dt, c = self.dt, self.coupling
        s = 1 / (1 + np.exp((self.onset - u) / self.slope))
        new = [
            v + dt / self.tau * (c * (u - v) - v + self.plateau * s),
            u + dt / self.td * (c * (v - u) - u + ge - gi),
            ge - dt / self.te * ge,
            gi - dt / self.ti * gi,
        ]
        entries = {
            (0, 0): 1 - dt / self.tau * (1 + c),
            (0, 1): dt / self.tau * (c + self.plateau * s * (1 - s) / self.slope),
            (1, 0): dt / self.td * c,
            (1, 1): 1 - dt / self.td * (1 + c),
            (1, 2): dt / self.td,
            (1, 3): -dt / self.td,
            (2, 2): 1 - dt / self.te,
            (3, 3): 1 - dt / self.ti,
        }
        return np.array(new), jacobian(4, h, entries)

    def distance(self, h):
        return h[0] - 1

    def reset(self, h):
        v, u, ge, gi = h
        k = np.array([0 * v, self.back + 0 * u, 0 * ge, 0 * gi])
        return np.array([0 * v, u + self.back, ge, gi]), np.diag([0.0, 1.0, 1.0, 1.0]), k


def jacobian(d: int, h: np.ndarray, entries: Mapping[tuple[int, int], float | np.ndarray]) -> np.ndarray:
    """(d, d, n), 0 but for some entries."""
    full = np.zeros((d, d, h.shape[1]), h.dtype)
    for pair, values in entries.items():
        full[pair] = values
    return full


@dataclass
class Synapses:
    """A projection. into: the variable it adds to. weights: (n_pre, n). spikes: (T, n_pre); None: the neurons' own.

    delay: steps, a number or (n_pre, n), beside the one step that the neurons' own spikes take.
    """

    into: str
    weights: np.ndarray
    spikes: np.ndarray | None = None
    delay: int | np.ndarray = 0


@dataclass
class Trial:
    """v: before the reset, (T, n). spikes: (T, n). gradients: projection -> (n_pre, n)."""

    v: np.ndarray
    spikes: np.ndarray
    gradients: dict[str, np.ndarray] = field(default_factory=dict)


def simulate(
    neuron: Neuron, projections: Mapping[str, Synapses], signal: np.ndarray, tau: float | None = None
) -> Trial:
    """A trial and the gradients of its projections: online, one trace per synapse and state.

    signal: L (T, n). tau: time constant of F in ms; None: e is not filtered.
    """
    steps, n = signal.shape
    h, last = neuron.start(n), np.full(n, -(10**9))
    z, v = np.zeros((steps, n), int), np.zeros((steps, n))
    eps = {name: np.zeros((len(neuron.states), *p.weights.shape)) for name, p in projections.items()}
    filtered = {name: np.zeros(p.weights.shape) for name, p in projections.items()}
    gradients = {name: np.zeros(p.weights.shape) for name, p in projections.items()}
    kappa = 0.0 if tau is None else np.exp(-neuron.dt / tau)
    for t in range(steps):
        free = t - last >= neuron.refractory
        moved, p = neuron.flow(h)
        for row, state in enumerate(neuron.states):
            if state in neuron.flagged:
                moved[row] = np.where(free, moved[row], h[row])
                p[row] = np.where(free, p[row], np.eye(len(h))[row][:, None])
        h = moved
        for name, projection in projections.items():
            row = neuron.states.index(projection.into)
            gate = free if projection.into in neuron.flagged else np.ones(n)
            q = arrivals(projection, z, t) * gate
            h[row] += np.sum(projection.weights * q, axis=0)
            eps[name] = np.einsum("xyj,yij->xij", p, eps[name])
            eps[name][row] += q
        d = neuron.distance(h)
        psi = 0.3 / neuron.scale * np.maximum(0, 1 - np.abs(d / neuron.scale)) * free
        z[t], v[t] = neuron.fires(h) & free, h[0]
        after, r, k = neuron.reset(h)
        for name in projections:
            e = psi * eps[name][0]
            filtered[name] = kappa * filtered[name] + (1 - kappa) * e
            gradients[name] += signal[t] * filtered[name]
            eps[name] = np.where(z[t], np.einsum("xy,yij->xij", r, eps[name]), eps[name]) + k[:, None] * e
        h, last = np.where(z[t], after, h), np.where(z[t], t, last)
    return Trial(v, z, gradients)


def arrivals(projection: Synapses, z: np.ndarray, t: int) -> np.ndarray:
    """How many spikes arrive in step t at each synapse, (n_pre, n)."""
    spikes, latency = (z, 1) if projection.spikes is None else (projection.spikes, 0)
    when = t - latency - np.broadcast_to(projection.delay, projection.weights.shape)
    seen = spikes[np.maximum(when, 0), np.arange(len(projection.weights))[:, None]]
    return np.where(when >= 0, seen, 0)
