"""The one error a user's mistake ends in, and the hint that goes with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class UserError(ValueError):
    """A mistake in what the user wrote: one sentence naming the place, the value and what is allowed.

    The command line prints it without a traceback and exits with status 2.

    >>> from snnplast import LIF
    >>> try:
    ...     LIF(100, tau_m=20)
    ... except UserError as error:
    ...     print(error)
    LIF.tau_m: 20 has no unit: a time is needed, write '20 ms' if ms is meant
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as it is: what a subclass makes its sentence of is not asked for again in the other process."""
        return _restored, (type(self), self.args, vars(self))


def _restored(kind: type[UserError], args: tuple[Any, ...], state: dict[str, Any]) -> UserError:
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(state)
    return error


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The sentence about a name that nothing of its kind has.

    >>> unknown("rule", "e-porp", ["e-prop", "frozen"])
    "unknown rule 'e-porp': did you mean 'e-prop'? Known: e-prop, frozen"
    """
    return f"unknown {kind.replace('-', ' ')} {short(name)}: {nearest(name, known)}"


def short(value: Any) -> str:
    """A value as it is shown in a sentence: in one line, its beginning only where it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def nearest(name: str, known: Iterable[str]) -> str:
    """End of a sentence about an unknown `name`: the nearest known one, and all of them.

    >>> nearest("e-porp", ["e-prop", "frozen"])
    "did you mean 'e-prop'? Known: e-prop, frozen"
    """
    known = sorted(known)
    if not known:
        return "none is known"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}Known: {', '.join(known)}"
