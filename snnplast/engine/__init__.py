"""Two implementations of one interface, chosen by name."""

from snnplast.engine.base import BrianModel, Engine, Interrupted
from snnplast.engine.opening import COMPILED, NUMPY, EngineChoice, open_engine
from snnplast.native.compiler import compiler_available

__all__ = [
    "COMPILED", "NUMPY", "BrianModel", "Engine", "EngineChoice", "Interrupted", "compiler_available", "open_engine",
]  # fmt: skip
