"""Two implementations of one interface, chosen by name."""

from snnplast.engine.base import BrianModel, Engine, Interrupted
from snnplast.engine.opening import open_engine
from snnplast.native.compiler import compiler_available

__all__ = ["BrianModel", "Engine", "Interrupted", "compiler_available", "open_engine"]
