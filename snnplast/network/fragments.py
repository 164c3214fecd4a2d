"""Pieces of Brian2 code as plain data: what a population or projection is made of, and what rules add to it.

A description's own code and the code a rule injects have the same form, so `build.py` merges them with one
mechanism. `slots` says what happens when within one step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from snnplast.errors import UserError, nearest
from snnplast.network import code as language

Value = float | np.ndarray

FLAGS = {"response": "responding", "work": "working", "explore": "exploring"}
"""Phase of a trial -> shared variable that is 1 while it runs, of populations whose code names it."""
LEARNING = "learning"
"""Shared variable that is 1 while what is learned may change, of synapses and populations whose code names it."""


def _parsed(place: str, lines: Sequence[str], parse: Callable[[str], object]) -> None:
    """Code is a tuple of texts in Brian2's language."""
    if isinstance(lines, str) or not all(isinstance(line, str) for line in lines):
        raise UserError(f"{place or 'equations'} = {lines!r}: lines of code, a tuple of texts, are needed")
    for line in lines:
        try:
            parse(line)
        except language.WrongCode as error:
            raise language.WrongCode(f"{place}: {error}" if place else str(error)) from None


@dataclass(frozen=True)
class Update:
    """Code run once per step in a scheduling slot; with `event`, only when that event of the population occurs.

    code: statements, one per line or parted by ';'. when: slot, default "after_groups".
    order: integer, default 0; lower ones run first in a slot.
    event: None (default), at every step, or "trial", once per trial.

    >>> from snnplast.network import slots
    >>> Update("error = y - target", *slots.ERRORS).order
    2
    >>> Update("n +")
    Traceback (most recent call last):
    snnplast.network.code.WrongCode: Update.code: 'n +' is no statement: 'name = expression', ... is needed
    """

    code: str
    when: str = "after_groups"
    order: int = 0
    event: str | None = None

    def __post_init__(self) -> None:
        _parsed("Update.code", (self.code,), language.statements)
        language.slot("Update.when", self.when)
        if isinstance(self.order, bool) or not isinstance(self.order, int):
            raise UserError(f"Update.order = {self.order!r}: an integer is needed")
        if self.event not in (None, "trial"):
            raise UserError(f"Update.event = {self.event!r}: None, at every step, or 'trial' is allowed")


@dataclass(frozen=True)
class Fragment:
    """Brian2 code of one owner (a population, or the synapses of a projection).

    equations: lines such as 'dzbar/dt = -zbar/tau_m : 1' or 'eligibility : 1'.
    constants: name -> value in SI units; a scalar becomes a shared constant, an array one constant per element.
    units: Brian2 unit of a constant, where it is not dimensionless.
    on_spike: statements: at a population's own spikes, or at each presynaptic spike of a projection.
    on_arrival: statements of a projection when a spike arrives at its target, after latency and delay.
    on_post: statements of a projection when its target neuron spikes, after arrivals of the step and before its reset.
    learned: those of its variables that are learned: declared as 'name : 1' and changed by statements, which hold
        while a training trial runs; they outlive trials, and checkpoints hold them.
    functions: name -> Brian2 function that the code calls, such as a `TimedArray`.

    >>> trace = Fragment(("dx/dt = -x/tau : 1",), {"tau": 0.02}, {"tau": "second"}, on_spike=("x += 1",))
    >>> print(trace.text())
    dx/dt = -x/tau : 1
    tau = 0.02 second  (constant)
    on spike: x += 1
    """

    equations: tuple[str, ...] = ()
    constants: Mapping[str, Value] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    updates: tuple[Update, ...] = ()
    on_spike: tuple[str, ...] = ()
    on_arrival: tuple[str, ...] = ()
    functions: Mapping[str, Any] = field(default_factory=dict)
    on_post: tuple[str, ...] = ()
    learned: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _parsed("", self.equations, language.equation)
        for place in ("on_spike", "on_arrival", "on_post"):
            _parsed(place, getattr(self, place), language.statements)
        plain = {e.name for e in map(language.equation, self.equations) if e.value is None}
        for name in self.learned:
            if name not in plain:
                raise UserError(
                    f"Fragment.learned: {name!r}: what is learned is declared as '{name} : 1' and changed by "
                    f"statements; {nearest(name, plain)}"
                )

    @property
    def blocks(self) -> tuple[str, ...]:
        """All its statements, whenever they run."""
        return *self.on_spike, *self.on_arrival, *self.on_post, *(update.code for update in self.updates)

    def exchanged(self, change: Callable[[str], str]) -> Fragment:
        """The same with all statements changed."""
        return replace(
            self,
            updates=tuple(replace(update, code=change(update.code)) for update in self.updates),
            on_spike=tuple(map(change, self.on_spike)),
            on_arrival=tuple(map(change, self.on_arrival)),
            on_post=tuple(map(change, self.on_post)),
        )

    def names(self) -> frozenset[str]:
        """The variables and constants it declares."""
        return frozenset(self.constants) | frozenset(_declared(line) for line in self.equations)

    def identifiers(self) -> frozenset[str]:
        """All names that its code contains."""
        return frozenset(word for line in _lines(self) for word in re.findall(r"[A-Za-z_]\w*", line))

    def variables(self) -> frozenset[str]:
        """Those that change and hold a value of their own: no constants, no subexpressions."""
        return frozenset(e.name for e in map(language.equation, self.equations) if not e.subexpression)

    def renamed(self, names: Mapping[str, str]) -> Fragment:
        """The same code with identifiers exchanged."""
        return replace(
            self.exchanged(lambda code: substitute(code, names)),
            equations=tuple(substitute(line, names) for line in self.equations),
            constants={names.get(name, name): value for name, value in self.constants.items()},
            units={names.get(name, name): unit for name, unit in self.units.items()},
            learned=tuple(names.get(name, name) for name in self.learned),
        )

    def text(self) -> str:
        """As a reader would write it down; printed by `snnplast rules show`."""
        lines = [*self.equations]
        lines += [
            " ".join([f"{name} = {_short(value)}", *_unit(self.units.get(name)), " (constant)"])
            for name, value in self.constants.items()
        ]
        lines += [f"{name} = {function_text(function)}" for name, function in self.functions.items()]
        lines += [f"on spike: {code}" for code in self.on_spike]
        lines += [f"on arrival: {code}" for code in self.on_arrival]
        lines += [f"on postsynaptic spike: {code}" for code in self.on_post]
        lines += [f"learned: {', '.join(self.learned)}"] if self.learned else []
        for update in self.updates:
            code = [f"    {line}" for line in update.code.splitlines()]
            lines += [f"each {update.event or 'step'}, slot '{update.when}':", *code]
        return "\n".join(lines)


@dataclass(frozen=True)
class Injection:
    """What a rule adds for one projection, by location: its source neurons, its target neurons, its synapses.

    recorded: neurons' variables kept step by step, e.g. 'post.psi'. read: variables read after the trial, synaptic
    ones by their name, those of neurons as 'post.sum'.
    Where another rule means something else by a name, both code and record get another one; the rule asks the record
    by its own: `record.kept(projection, 'post.psi')`, `record.gathered(projection, 'gradient')`.
    backwards: those of `recorded` that the rule asks for in blocks of steps, from the last to the first
    (`record.backwards(projection, 'post.psi')`): where all would be too large, steps are taken again for them.
    beside: `pre` belongs beside the source neurons, where their spikes arrive when they do at the synapses, and not
    into them.

    >>> psi = Injection(post=Fragment(("psi = 1/(1 + v**2) : 1",)), recorded=("post.psi",))
    >>> psi.renamed("post", {"psi": "psi_2"}).recorded
    ('post.psi_2',)
    """

    pre: Fragment = Fragment()
    post: Fragment = Fragment()
    synapse: Fragment = Fragment()
    recorded: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    backwards: tuple[str, ...] = ()
    beside: bool = False

    def renamed(self, location: str, names: Mapping[str, str]) -> Injection:
        """Rename variables of one location everywhere, including 'name_pre' and 'name_post' in synaptic code."""
        suffixed = {f"{old}_{location}": f"{new}_{location}" for old, new in names.items()}
        changed = {location: getattr(self, location).renamed(names), "synapse": self.synapse.renamed(suffixed)}
        placed = {f"{location}.{old}": f"{location}.{new}" for old, new in names.items()}
        lists = {key: tuple(placed.get(name, name) for name in getattr(self, key)) for key in _LISTS}
        return replace(self, **lists, **changed)

    def joined(self, *others: Injection) -> Injection:
        """One out of several pieces, their code in this order; two meanings of one name raise `UserError`.

        >>> Injection(read=("a",)).joined(Injection(read=("b",), beside=True)).read
        ('a', 'b')
        """
        parts = (self, *others)
        places = {place: merge(place, [getattr(part, place) for part in parts]) for place in _PLACES}
        lists = {key: tuple(dict.fromkeys(name for part in parts for name in getattr(part, key))) for key in _LISTS}
        whole = {name for part in parts for name in set(part.recorded) - set(part.backwards)}
        lists["backwards"] = tuple(name for name in lists["backwards"] if name not in whole)
        return replace(self, **places, **lists, beside=any(part.beside for part in parts))


_PLACES = ("pre", "post", "synapse")
_LISTS = ("recorded", "read", "backwards")


def substitute(code: str, names: Mapping[str, str]) -> str:
    """Exchange whole identifiers; 'dx/dt' counts as the identifier x.

    >>> substitute("dz/dt = -z/tau : 1", {"z": "trace"})
    'dtrace/dt = -trace/tau : 1'
    """
    for old, new in names.items():
        code = re.sub(rf"\b(d?){re.escape(old)}\b(?=/dt)", rf"\g<1>{new}", code)
        code = re.sub(rf"\b{re.escape(old)}\b", new, code)
    return code


def constant_equations(fragment: Fragment) -> list[str]:
    """Brian2 equations that declare its constants."""
    return [
        f"{name} : {fragment.units.get(name, '1')} (constant{'' if np.ndim(value) else ', shared'})"
        for name, value in fragment.constants.items()
    ]


def _declared(line: str) -> str:
    return language.equation(line).name


def _unit(unit: str | None) -> list[str]:
    return [] if unit in (None, "1") else [str(unit)]


def _short(value: Value) -> str:
    array = np.asarray(value)
    return f"{float(array):.6g}" if array.ndim == 0 else f"array of {array.size}"


def function_text(function: Any) -> str:
    """A function that code calls, as a reader would write it down."""
    if hasattr(function, "values"):
        steps, *columns = function.values.shape
        wide = f" of {columns[0]} columns" if columns else ""
        return f"{steps} values{wide}, {1e3 * function.dt:.6g} ms each  (time array)"
    return f"{getattr(function.pyfunc, '__name__', 'function')}  (function)"


def merge(owner: str, fragments: Iterable[Fragment]) -> Fragment:
    """One fragment out of several: identical pieces count once, two meanings of one name raise `UserError`."""
    equations: dict[str, str] = {}
    constants: dict[str, Value] = {}
    units: dict[str, str] = {}
    updates: dict[Update, None] = {}
    on_spike: dict[str, None] = {}
    on_arrival: dict[str, None] = {}
    on_post: dict[str, None] = {}
    learned: dict[str, None] = {}
    functions: dict[str, Any] = {}
    for fragment in fragments:
        for line in fragment.equations:
            name = _declared(line)
            if equations.setdefault(name, line) != line or name in constants:
                raise UserError(f"{owner}: {name!r} is defined twice: {equations[name]!r} and {line!r}")
        for name, value in fragment.constants.items():
            if name in equations or not np.array_equal(constants.setdefault(name, value), value):
                raise UserError(f"{owner}: the constant {name!r} has two meanings")
        for name, function in fragment.functions.items():
            if functions.setdefault(name, function) is not function:
                raise UserError(f"{owner}: the function {name!r} has two meanings")
        units.update(fragment.units)
        updates.update(dict.fromkeys(fragment.updates))
        on_spike.update(dict.fromkeys(fragment.on_spike))
        on_arrival.update(dict.fromkeys(fragment.on_arrival))
        on_post.update(dict.fromkeys(fragment.on_post))
        learned.update(dict.fromkeys(fragment.learned))
    code = tuple(equations.values()), constants, units, tuple(updates), tuple(on_spike), tuple(on_arrival)
    return Fragment(*code, functions, tuple(on_post), tuple(learned))


def clashes(present: Fragment, added: Fragment) -> frozenset[str]:
    """Names both declare, but not with the same meaning: another definition, other code, or made of such names."""
    shared = present.names() & added.names()
    clashing = {name for name in shared if _meaning(present, name) != _meaning(added, name)}
    lines = [set(re.findall(r"\w+", line.replace("/dt", ""))) for line in _lines(added)]
    lines += [{word.removeprefix("d") for word in words} | words for words in lines]
    while True:
        drawn_in = {name for words in lines if words & clashing for name in words & shared}
        if drawn_in <= clashing:
            return frozenset(clashing)
        clashing |= drawn_in


def _lines(fragment: Fragment) -> list[str]:
    return [*fragment.equations, *(line for block in fragment.blocks for line in block.splitlines())]


def _meaning(fragment: Fragment, name: str) -> tuple[object, ...]:
    """What decides what a name stands for: its equation or constant, and the code that assigns to it."""
    constant = np.asarray(fragment.constants[name]).tolist() if name in fragment.constants else None
    equation = [line for line in fragment.equations if _declared(line) == name]
    assigns = re.compile(rf"^\s*{re.escape(name)}\s*[-+*/]?=(?!=)", re.MULTILINE)
    at_spikes = [code for code in fragment.on_spike if assigns.search(code)]
    updates = [update for update in fragment.updates if assigns.search(update.code)]
    return constant, equation, at_spikes, updates, name in fragment.learned
