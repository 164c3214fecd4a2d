"""Two implementations of one interface, chosen by name."""

from snnplast.engine.base import CHUNK, BrianModel, Calls, Engine, Handle, Interrupted
from snnplast.engine.opening import COMPILED, NUMPY, EngineChoice, open_engine
from snnplast.native.compiler import compiler_available

__all__ = [
    "CHUNK", "COMPILED", "NUMPY", "BrianModel", "Calls", "Engine", "EngineChoice", "Handle", "Interrupted",
    "compiler_available", "open_engine",
]  # fmt: skip
