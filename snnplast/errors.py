"""The one error a user's mistake ends in, and the hint that goes with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake in what the user wrote: one sentence naming the place, the value and what is allowed.

    The command line prints it without a traceback and exits with status 2.
    """


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
