"""Two implementations of one interface, chosen by name."""

from snnplast.engine.base import BrianModel, Engine, Interrupted
from snnplast.engine.compiler import compiler_available
from snnplast.engine.opening import open_engine

__all__ = ["BrianModel", "Engine", "Interrupted", "compiler_available", "open_engine"]
