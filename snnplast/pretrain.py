"""Running what a source learns before the run, and keeping its result."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from snnplast.engine.cache import cache_directory
from snnplast.task import TRAINING
from snnplast.third_factor import Pretraining
from snnplast.train import Trainer


def pretrain(pretraining: Pretraining, engine: str, target: str) -> dict[str, np.ndarray]:
    """Parameter -> values, as the experiment left them; cached in the user's cache directory, per engine."""
    path = cache_directory() / "pretraining" / f"{pretraining.key}-{engine}.npz"
    cached = _read(path)
    if cached is None:
        cached = _learned(pretraining, engine, target)
        _write(path, cached)
    return cached


def _learned(pretraining: Pretraining, engine: str, target: str) -> dict[str, np.ndarray]:
    # An experiment within an experiment: putting one together begins here.
    from snnplast.assemble import assemble

    task, seed = pretraining.task, pretraining.seed
    assembly = assemble(pretraining.network, task.objective, pretraining.rule, seed, engine, target)
    with assembly.engine:
        trainer = Trainer(assembly, task, iterations=0)
        if pretraining.fit is not None:
            return pretraining.fit(trainer.run(TRAINING, index) for index in range(task.epoch or 0))
        trainer.iterations = pretraining.epochs * trainer.updates_per_epoch()
        for _ in trainer:
            pass
        return {name: assembly.values[name].copy() for name in assembly.parameters}


def _read(path: Path) -> dict[str, np.ndarray] | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, KeyError):
        return None


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with open(partial, "wb") as file:
        np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]  # numpy 2.0 has no allow_pickle here
    partial.replace(path)
