"""Running what a source learns before the run, and keeping its result."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np

from snnplast.assembly import Assembly
from snnplast.capabilities import Pretraining
from snnplast.engine.cache import cache_key, cached
from snnplast.errors import UserError
from snnplast.random_streams import TRAINING
from snnplast.train import Trainer

Values = dict[str, np.ndarray]


def pretrain(pretraining: Pretraining, assemble: Callable[..., Assembly], engine: str, target: str) -> Values:
    """Parameter -> values, as the experiment left them; cached in the user's cache directory, per engine.

    assemble: puts an experiment together, within which this one may be needed.
    """

    def learn() -> bytes:
        task, rule = pretraining.task, pretraining.rule
        assembly = assemble(pretraining.network, task.objective, rule, pretraining.seed, engine, target)
        return _packed(_learned(pretraining, assembly))

    return _unpacked(cached(cache_key({"pretraining": pretraining.key}, engine), learn, _fit))


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


def _packed(values: Values) -> bytes:
    for name, array in values.items():
        if not np.all(np.isfinite(array)):
            raise UserError(f"what is learned before the run: {name!r} has values that are not finite")
    packed = io.BytesIO()
    np.savez(packed, **values)  # pyright: ignore[reportArgumentType]  # numpy 2.0 has no allow_pickle here
    return packed.getvalue()


def _unpacked(packed: bytes) -> Values:
    with np.load(io.BytesIO(packed), allow_pickle=False) as stored:
        return dict(stored)


def _fit(packed: bytes) -> bool:
    """Whether it is what was learned, and can be used."""
    try:
        values = _unpacked(packed).values()
        return bool(values) and all(array.dtype.kind == "f" and np.all(np.isfinite(array)) for array in values)
    except Exception:  # whatever a damaged archive makes of its readers
        return False
