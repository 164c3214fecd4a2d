"""What a user's function makes: any Brian2 network, described for the compiled engine."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from snnplast.brian import (
    ArrayVariable,
    BrianNetwork,
    DynamicArrayVariable,
    EventMonitor,
    Function,
    Group,
    PopulationRateMonitor,
    SpikeGeneratorGroup,
    StateMonitor,
    Synapses,
    brian2,
)
from snnplast.engine import internals
from snnplast.engine.base import BrianModel
from snnplast.engine.internals_cpp import EngineDevice
from snnplast.engine.supported import check_function, check_network, check_result
from snnplast.errors import UserError

HOME = os.path.dirname(brian2.__file__)
MONITORS = (EventMonitor, StateMonitor, PopulationRateMonitor)


class MakingDevice(EngineDevice):
    """The device under which a user's function makes its objects: it does not run them, and knows who makes them."""

    way_in = "net['object.variable']"

    def __init__(self) -> None:
        super().__init__()
        self._making = False
        self.made = False

    def make(self, make_network: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
        """What the function returns, and the names seen where the network is made, local ones as they end up."""
        self._making = True
        try:
            with internals.networks_made() as networks:
                made = make_network()
        except NotImplementedError as error:
            raise _told(error) from error
        finally:
            self._making = False
        self.made = True
        frames = [frame for network, frame in networks if network is made]
        return made, {**frames[0].f_globals, **frames[0].f_locals} if frames else {}

    def code_object(self, owner, name, abstract_code, variables, template_name, *args, **kwds):
        for called, function in variables.items():
            if isinstance(function, Function):
                check_function(owner.name, called, function, self.code_object_class())
        return super().code_object(owner, name, abstract_code, variables, template_name, *args, **kwds)

    def network_run(self, net: BrianNetwork, *args: Any, level: int = 0, **kwds: Any) -> None:
        if self._making:
            raise UserError(
                f"compile: make_network runs {net.name!r} itself; it is to make the network only, and what compile "
                "returns runs it"
            )
        super().network_run(net, *args, level=level + 1, **kwds)

    def seed(self, seed: int | None = None) -> None:
        if seed is None:
            raise UserError(
                "compile: make_network calls seed() without a number, and so asks for numbers that cannot be drawn "
                "again; seed(number), or compile(make_network, seed=number), is allowed"
            )
        super().seed(seed)


def _told(error: NotImplementedError) -> Exception:
    """The sentence for what Brian2 knows only after a run; what the function itself raises is left as it is."""
    place = ""
    for filename, line in _trace(error):
        if not filename.startswith(HOME):
            place = f"{os.path.basename(filename)}:{line}"
    if not raised_by_brian2(error):
        return error
    return UserError(
        f"compile: make_network asks at {place} for what exists only in the running network ({one_line(error)}); "
        "numbers drawn with numpy, pairs connected as arrays i and j, and strings that Brian2 evaluates are allowed"
    )


def _trace(error: BaseException) -> list[tuple[str, int]]:
    """File and line of every frame an error came through, the outermost first."""
    return [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]


def raised_by_brian2(error: BaseException) -> bool:
    """Whether it is Brian2 that complains."""
    return _trace(error)[-1][0].startswith(HOME)


@dataclass
class Layout:
    """What a compiled network offers, by the names of its Brian2 objects."""

    monitors: dict[str, str] = field(default_factory=dict)
    """Monitor -> name of what it watches."""
    event_monitors: tuple[str, ...] = ()
    whole: dict[str, list[str]] = field(default_factory=dict)
    """Group -> monitors that record the spikes of all of its neurons."""
    dt: dict[str, float] = field(default_factory=dict)
    """Spike generator -> its time step (s)."""
    watched: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Monitor of synapses -> arrays of the synapses it records, and of all there are."""
    ends: dict[str, tuple[str, int]] = field(default_factory=dict)
    """'synapses.i' and 'synapses.j' -> the array of neuron numbers, and what the subgroup's first has there."""


class Making:
    """Calls a user's function and describes what it makes: `construct` of an engine, to be called once.

    layout: afterwards, what there is by which name.
    """

    def __init__(
        self, device: MakingDevice, make_network: Callable[[], Any], seed: int, namespace: Mapping[str, Any]
    ) -> None:
        self._device, self._make, self._seed, self._namespace = device, make_network, seed, namespace
        self._dt = float(brian2.defaultclock.dt_)
        self._restored: dict[int, ArrayVariable] = {}
        self.layout = Layout()

    def __call__(self) -> BrianModel:
        if self._dt != float(brian2.defaultclock.dt_):
            brian2.defaultclock.dt = self._dt * brian2.second
        network, names = self._device.make(self._make)
        check_result(network, self._device)
        check_network(network, self._device)
        model = BrianModel(network, {}, own_spikes=True, namespace={**names, **self._namespace}, seed=self._seed)
        for owner in network.sorted_objects:
            if isinstance(owner, MONITORS):
                self._monitor(owner, model)
            if not isinstance(getattr(owner, "variables", None), Mapping):
                continue
            for name, variable in _own_arrays(owner):
                if name in ("i", "j") or f"{owner.name}.{name}" in model.growing:
                    continue
                if _changes(owner, variable):
                    self._restored.setdefault(id(variable), variable)
                shown = isinstance(owner, (Group, *MONITORS)) and not isinstance(owner, SpikeGeneratorGroup)
                if shown and not name.startswith("_"):
                    model.variables[f"{owner.name}.{name}"] = variable
            if isinstance(owner, SpikeGeneratorGroup):
                model.sources[owner.name] = owner
                self.layout.dt[owner.name] = float(owner.clock.dt_)
            if isinstance(owner, Synapses):
                self._synapses(owner, model)
        model.restored = tuple(self._restored.values())
        return model

    def _monitor(self, monitor: Any, model: BrianModel) -> None:
        kept = {name: v for name, v in _own_arrays(monitor) if isinstance(v, DynamicArrayVariable)}
        model.growing |= {f"{monitor.name}.{name}": variable for name, variable in kept.items()}
        self.layout.monitors[monitor.name] = monitor.source.name
        if isinstance(monitor, StateMonitor) and isinstance(monitor.source, Synapses):
            watched = (f"{monitor.name}._indices", f"{self.layout.monitors[monitor.name]}._pre")
            model.variables[watched[0]] = monitor.variables["_indices"]
            self.layout.watched[monitor.name] = watched
        if isinstance(monitor, EventMonitor):
            self.layout.event_monitors += (monitor.name,)
            if monitor.event == "spike" and {"i", "t"} <= kept.keys():
                self.layout.whole.setdefault(self.layout.monitors[monitor.name], []).append(monitor.name)

    def _synapses(self, synapses: Any, model: BrianModel) -> None:
        """Neuron numbers at both ends, and delays, under the names they have in Brian2."""
        for letter, side in (("i", "pre"), ("j", "post")):
            name, end = f"{synapses.name}.{letter}", synapses.source if letter == "i" else synapses.target
            model.variables[f"{synapses.name}._{side}"] = synapses.variables[f"_synaptic_{side}"]
            self.layout.ends[name] = (f"{synapses.name}._{side}", int(getattr(end, "start", 0)))
        for path in synapses._pathways:
            own = "delay" if path is getattr(synapses, "pre", None) else f"{path.objname}.delay"
            model.variables[f"{synapses.name}.{own}"] = delay = path.variables["delay"]
            self._restored.setdefault(id(delay), delay)


def _own_arrays(owner: Any) -> Iterator[tuple[str, ArrayVariable]]:
    for name, variable in owner.variables.items():
        if isinstance(variable, ArrayVariable) and getattr(variable.owner, "name", None) == owner.name:
            yield name, variable


def _changes(owner: Any, variable: ArrayVariable) -> bool:
    """Whether steps or users may change it: what no user may write to is constant, if steps do not write it either."""
    if internals.is_event_space(variable):
        return False
    if isinstance(owner, MONITORS) and isinstance(variable, DynamicArrayVariable):
        return False
    return not (variable.constant and variable.read_only)


def named(error: BaseException) -> str:
    """The Brian2 object that an error of Brian2's is about, if it says so."""
    texts = [str(error)]
    while error.__cause__ is not None:
        error = error.__cause__
        texts.append(str(error))
    match = re.search(r"object named '(\w+)'", " ".join(texts))
    return repr(match[1]) if match else "the network"


def one_line(error: BaseException) -> str:
    """The text of an error, or of what caused it, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    hint = "; it can be given in namespace={...}" if "could not be resolved" in text else ""
    return " ".join(text.split()).rstrip(".") + hint
