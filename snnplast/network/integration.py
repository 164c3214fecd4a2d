"""Which of Brian2's methods integrate which equations."""

from __future__ import annotations

from collections.abc import Iterable

from snnplast.brian import Equations, StateUpdateMethod, UnsupportedEquationsException
from snnplast.errors import UserError, unknown

ANY = "'euler', 'rk2' and 'rk4' integrate any equations, 'exponential_euler' those linear in their own variable"
ADDED = ("heun", "milstein")
"""Methods that take noise whose strength depends on no state, as Euler's does then."""


def check_method(method: str, equations: Iterable[str], noisy: bool) -> None:
    """Raise `UserError` for a method that Brian2 does not have, or that does not integrate equations with noise."""
    names = [name for name in StateUpdateMethod.stateupdaters if not name.startswith("gsl")]
    if method.startswith("gsl"):
        raise UserError(f"{method!r} runs in the GNU Scientific Library, which no trace can be derived from; {ANY}")
    if method not in names:
        raise UserError(unknown("method", method, names))
    if not noisy or method == "euler":
        return
    if method not in ADDED:
        raise UserError(f"{method!r}: equations with noise are integrated by 'euler'")
    if Equations("\n".join(equations)).stochastic_type == "multiplicative":
        raise UserError(
            f"{method!r} takes noise whose strength depends on no state; 'euler' (Euler-Maruyama) takes any, as Ito"
        )


def refused_by_method(method: str, error: BaseException) -> str | None:
    """The sentence for equations that a method does not integrate; None for other errors."""
    while error.__cause__ is not None:
        error = error.__cause__
    if not isinstance(error, UnsupportedEquationsException):
        return None
    return f"method = {method!r}: {' '.join(str(error).split()).rstrip('.')}; {ANY}"
