"""What a run's numbers depend on beside its settings: versions, engine, compiler, processor, the user's model file."""

from __future__ import annotations

import contextlib
import hashlib
import platform
from importlib import metadata
from pathlib import Path

from snnplast import __version__
from snnplast.config.experiment import EngineChoice
from snnplast.engine.compiler import compiler_version, processor

MODEL_FILE = "model file"


def versions() -> dict[str, str]:
    """Of everything that shapes a run's numbers."""
    found = {"snnplast": __version__, "python": platform.python_version()}
    for name in ("brian2", "numpy", "scipy", "h5py"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def origin(engine: EngineChoice, file: Path | None) -> dict[str, str]:
    """What must be equal for a run to be repeated bit by bit, in words, by what it is.

    engine: the one that is really used. file: the user's model file.
    """
    found = {**versions(), "engine": engine.name, "processor": processor()[:12]}
    if engine.target != "numpy":
        found["compiler"] = compiler_version()
    if file is not None:
        found[MODEL_FILE] = fingerprint(file)
    return found


def fingerprint(file: Path) -> str:
    """Of a file's contents."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
