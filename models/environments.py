"""Environments of Gymnasium, loaded where a model asks for one."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from snnplast.errors import UserError


def made(model: str, name: str, *packages: str, **settings: Any) -> Callable[[], Any]:
    """A function that makes an environment.

    packages: further ones that it needs. settings: of `gymnasium.make`. Raises `UserError` where one is missing.
    """
    for package in ("gymnasium", *packages):
        try:
            import_module(package)
        except ImportError:
            raise UserError(f"model {model!r} needs {package}: pip install 'snnplast[rl]'") from None
    import gymnasium

    for package in packages:
        gymnasium.register_envs(import_module(package))
    return lambda: gymnasium.make(name, **settings)
