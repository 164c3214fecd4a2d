"""Any Brian2 network, compiled once and run in this process."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Any

import numpy as np

from snnplast.brian import Quantity, brian2, get_dimensions
from snnplast.engine.compiled import CompiledEngine, draw_up
from snnplast.engine.inputs import known
from snnplast.engine.making import Layout, Making, MakingDevice, named, one_line, raised_by_brian2
from snnplast.engine.supported import function_without_code
from snnplast.errors import UserError, short, unknown
from snnplast.time_steps import whole_steps

SECONDS: Any = get_dimensions(brian2.second)
LARGEST_SEED = 2**32 - 1


def compile(
    make_network: Callable[[], Any], *, seed: int | None = None, namespace: Mapping[str, Any] | None = None
) -> CompiledNetwork:
    """Compile the Brian2 network that `make_network` makes and returns, and open it in this process.

    The function makes every object itself, the network included, and may be any callable without arguments. It is
    called once, under Brian2's C++ code generation: values that are assigned there, connections and delays are taken
    as they are, and names in equations are those seen where the network is made: variables of that function and of
    its module. Brian2 outside is left as it was, and the `defaultclock.dt` that is set there holds. A network that is
    new takes some seconds to compile; afterwards the compiled code is found in the cache, and only Brian2's own work of
    making the objects remains.

    Values are plain numpy numbers in SI base units (volts, seconds, siemens), as Brian2's `v_`.

    Parameters
    ----------
    make_network : returns a `brian2.Network`.
    seed : where the random numbers of the network begin, 0 to 4294967295, as Brian2's `seed(number)` in the first line
        of make_network would set it. The same seed gives the same bits; without one, each call of `compile` draws one,
        which is `seed` of what it returns. numpy's random numbers are those of whoever draws them.
    namespace : further names for equations, before those seen where the network is made.

    Raises
    ------
    UserError : what cannot be compiled, named: Python code in the network (network operations, functions without a C++
        implementation), objects made outside make_network, values asked for that only the running network has.
    CompilerError : there is no C++ compiler, or it refuses C++ code of the user's.

    Examples
    --------
    >>> import brian2 as b2, snnplast
    >>> def make():
    ...     tau = 10 * b2.ms
    ...     cells = b2.NeuronGroup(
    ...         3, "dv/dt = (I - v)/tau : 1\\nI : 1 (constant)", threshold="v > 1", reset="v = 0", method="exact",
    ...         name="cells",
    ...     )
    ...     cells.I = [0.5, 1.5, 3.0]
    ...     return b2.Network(cells, b2.SpikeMonitor(cells, name="output"))
    >>> with snnplast.compile(make) as net:
    ...     net.run(20 * b2.ms)
    ...     times, indices = net.spikes("cells")
    ...     net["cells.I"][:] = 1.2
    ...     net.run(20 * b2.ms)
    ...     len(net.spikes("cells")[1]), indices.tolist()
    (8, [2, 2, 1, 2, 2])
    """
    seed = secrets.randbelow(LARGEST_SEED + 1) if seed is None else _checked_seed("compile", seed)
    if not callable(make_network):
        raise UserError(f"compile: make_network must be a function that makes a network, not {short(make_network)}")
    device = MakingDevice()
    making = Making(device, make_network, seed, namespace or {})
    try:
        plan = draw_up(making, device)
    except Exception as error:
        if not device.made or not raised_by_brian2(error):  # in make_network, it tells more as it is
            raise
        if function := function_without_code(error):
            raise UserError(
                f"compile: {named(error)} calls the Python function {function!r}, which has no C++ implementation; "
                "@implementation('cpp', ...) gives it one, and a TimedArray is allowed for a function of time"
            ) from error
        raise UserError(f"compile: Brian2 refuses {named(error)}: {one_line(error)}") from error
    engine = CompiledEngine(plan)
    _check_watched(engine, making.layout)
    return CompiledNetwork(engine, making.layout)


def _check_watched(engine: CompiledEngine, layout: Layout) -> None:
    """How many synapses a rule has made is known only now."""
    for monitor, (recorded, all_there_are) in layout.watched.items():
        count, indices = len(engine[all_there_are]), engine[recorded]
        if indices.size and not 0 <= indices.min() <= indices.max() < count:
            raise UserError(
                f"compile: {monitor!r} records synapse {indices.max()} of {layout.monitors[monitor]!r}, "
                f"which has {count} of them"
            )


class CompiledNetwork:
    """A running network: what `compile` returns. Not thread-safe; `clone` gives an independent one.

    `net["object.variable"]` is a live view of a variable's whole array: reading sees, writing changes the simulation.
    What Brian2 holds read-only cannot be written to. Written delays hold from the next `reset(keep=...)` that keeps
    them.
    `net["monitor.variable"]` is a copy of what a monitor has recorded since the last reset, in Brian2's shape.
    """

    def __init__(self, engine: CompiledEngine, layout: Layout) -> None:
        self._engine, self._plan, self._layout = engine, engine.plan, layout

    @property
    def seed(self) -> int:
        """Where random numbers began when the network was made."""
        return self._plan.seed or 0

    @property
    def dt(self) -> float:
        """The time step in seconds: of the fastest clock, if there are several."""
        return self._plan.dt

    @property
    def t(self) -> float:
        """Seconds since the last reset."""
        return self._engine.t * self._plan.dt

    @property
    def names(self) -> tuple[str, ...]:
        """All that can be asked for: 'object.variable'."""
        every = {*self._plan.variables, *self._plan.growing, *self._layout.ends}
        return tuple(sorted(name for name in every if "._" not in name))

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self._plan.growing:
            recorded = self._engine.grown(name)
            return recorded.T if recorded.ndim == 2 else recorded
        if name in self._layout.ends:
            array, first = self._layout.ends[name]
            return self._engine[array] - first if first else self._engine[array]
        known("variable", name, self.names)
        return self._engine[name]

    def run(self, duration: Quantity) -> None:
        """Go on for a duration such as 100*ms: a whole number of time steps. Slower clocks tick at their own times."""
        if not isinstance(duration, Quantity) or duration.dim is not SECONDS or duration.ndim:
            raise UserError(f"run: the duration must be a time such as 100*ms, not {short(duration)}")
        seconds = float(duration)
        if not 0 <= seconds < np.inf:
            raise UserError(f"run: the duration must be a finite time of at least 0 s, not {short(duration)}")
        n = round(seconds / self._plan.dt)
        if abs(seconds / self._plan.dt - n) > 1e-6:
            whole_steps("run: the duration", seconds, self._plan.dt)
        self._engine.steps(n)

    def spikes(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Times in seconds and indices of the spikes since the last reset, in order. They are copies.

        name: of a SpikeMonitor or EventMonitor; or of a group, if one SpikeMonitor records it.
        """
        monitor = name
        if name not in self._layout.event_monitors:
            watching = self._layout.whole.get(name, [])
            if len(watching) != 1:
                raise UserError(self._no_monitor(name, watching))
            (monitor,) = watching
        for needed in ("t", "i"):
            if f"{monitor}.{needed}" not in self._plan.growing:
                raise UserError(f"spikes: {monitor!r} does not record {needed!r}")
        return self._engine.grown(f"{monitor}.t"), self._engine.grown(f"{monitor}.i")

    def _no_monitor(self, name: str, watching: list[str]) -> str:
        if watching:
            return f"spikes: {name!r} is recorded by {', '.join(watching)}; the name of one of them is needed"
        names = [*self._layout.event_monitors, *(group for group, own in self._layout.whole.items() if len(own) == 1)]
        return f"spikes: {unknown('spike monitor', name, names)}; a SpikeMonitor made in make_network records a group"

    def set_spikes(self, generator: str, times: Quantity, indices: Any) -> None:
        """Spikes that a SpikeGeneratorGroup is to emit: times since the last reset, not before now, and neuron indices.

        The first call after a reset takes the place of the spikes, and the period, the group was made with; further
        ones add to it. A spike comes in the time step its time lies in, as in Brian2.
        """
        known("spike generator", generator, self._layout.dt)
        if not isinstance(times, Quantity) or times.dim is not SECONDS:
            raise UserError(
                f"set_spikes('{generator}'): times must be Brian2 times such as [1, 2]*ms, not {short(times)}"
            )
        seconds = np.asarray(times)
        if not np.isfinite(seconds).all():
            raise UserError(f"set_spikes('{generator}'): times must be finite, not {seconds[~np.isfinite(seconds)][0]}")
        dt = self._layout.dt[generator]
        steps = np.floor((seconds + 1e-3 * dt) / dt)  # Brian2's tolerance
        if np.any(np.abs(steps) > 2**62):
            raise UserError(f"set_spikes('{generator}'): a time of {np.abs(seconds).max():g} s is too large")
        self._engine.set_spikes(generator, steps.astype(np.int64), indices)

    def reset(self, *, keep: str | Collection[str] = (), seed: int | None = None) -> None:
        """Back to time 0 and to every value as it was after `compile`; monitors are emptied.

        keep: variables that stay as they are, such as weights that were learnt or delays that were written.
        seed: where random numbers begin anew; without it they go on.
        """
        names = (keep,) if isinstance(keep, str) else tuple(keep)
        for name in names:
            known("variable", name, self.names)
            if name not in self._plan.variables or name in self._plan.read_only:
                raise UserError(f"reset: {name!r} cannot be kept, because it is not written to from outside")
        self._engine.reset(names, None if seed is None else _checked_seed("reset", seed))

    def stop(self) -> None:
        """Ask a running `run`, from another thread, to return: it raises `snnplast.engine.Interrupted`."""
        self._engine.stop()

    def clone(self) -> CompiledNetwork:
        """An independent network of the same code at time 0, with the present values of all variables.

        Its random numbers begin where those of this one began; `reset(seed=...)` gives it others.
        """
        return CompiledNetwork(self._engine.clone(), self._layout)

    def close(self) -> None:
        """Give up the network. Views taken earlier stay readable."""
        self._engine.close()

    def __enter__(self) -> CompiledNetwork:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _checked_seed(place: str, seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"{place}: seed = {short(seed)} must be an integer of 0 to {LARGEST_SEED}")
    return int(seed)
