"""Choosing an engine by name."""

from __future__ import annotations

from collections.abc import Callable

from snnplast.engine.base import BrianModel, Engine
from snnplast.engine.inputs import known

ENGINES = ("compiled", "runtime")
TARGETS = ("auto", "numpy", "cython")


def open_engine(construct: Callable[[], BrianModel], name: str = "compiled", target: str = "auto") -> Engine:
    """Build the network that `construct` describes and open an engine on it.

    Parameters
    ----------
    construct : makes the Brian2 objects under whichever device is active. It is called inside a
        private Brian2 state and must make everything itself, the clock included.
    name : "compiled" (needs a C++ compiler, see `compiler_available`) or "runtime".
    target : code generation of the runtime engine: "numpy", "cython", or "auto" for Cython where it works.

    Raises
    ------
    UserError : unknown `name` or `target`.
    """
    known("engine", name, ENGINES)
    known("code generation target", target, TARGETS)
    if name == "runtime":
        from snnplast.engine.runtime import RuntimeEngine

        return RuntimeEngine(construct, target)
    from snnplast.engine.compiled import CompiledEngine

    return CompiledEngine(construct)
