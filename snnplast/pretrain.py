"""Running what a source learns before the run, and keeping its result."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from snnplast.assembly import Assembly
from snnplast.engine.cache import cache_directory
from snnplast.random_streams import TRAINING
from snnplast.third_factor import Pretraining
from snnplast.train import Trainer

Values = dict[str, np.ndarray]


def pretrain(pretraining: Pretraining, assemble: Callable[..., Assembly], engine: str, target: str) -> Values:
    """Parameter -> values, as the experiment left them; cached in the user's cache directory, per engine.

    assemble: puts an experiment together, within which this one may be needed.
    """
    path = cache_directory() / "pretraining" / f"{pretraining.key}-{engine}.npz"
    cached = _read(path)
    if cached is None:
        task, rule = pretraining.task, pretraining.rule
        cached = _learned(
            pretraining, assemble(pretraining.network, task.objective, rule, pretraining.seed, engine, target)
        )
        _write(path, cached)
    return cached


def _learned(pretraining: Pretraining, assembly: Assembly) -> Values:
    task = pretraining.task
    with assembly.engine:
        trainer = Trainer(assembly, task, iterations=0)
        if pretraining.fit is not None:
            return pretraining.fit(trainer.run(TRAINING, index) for index in range(task.epoch or 0))
        trainer.iterations = pretraining.epochs * trainer.updates_per_epoch()
        for _ in trainer:
            pass
        return {name: assembly.values[name].copy() for name in assembly.parameters}


def _read(path: Path) -> Values | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, KeyError):
        return None


def _write(path: Path, arrays: Values) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with open(partial, "wb") as file:
        np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]  # numpy 2.0 has no allow_pickle here
    partial.replace(path)
