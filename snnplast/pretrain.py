"""Running a source's a-priori training and keeping its result."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from snnplast.build import construct, plan
from snnplast.engine import open_engine
from snnplast.engine.cache import cache_directory
from snnplast.third_factor import Pretraining
from snnplast.trial import Record


def pretrain(pretraining: Pretraining, engine: str, target: str) -> dict[str, np.ndarray]:
    """Projection -> weights, fitted on the pretraining's own trials; cached in the user's cache directory."""
    path = cache_directory() / "pretraining" / f"{pretraining.key}.npz"
    cached = _read(path)
    if cached is None:
        cached = pretraining.fit(_records(pretraining, engine, target))
        _write(path, cached)
    return cached


def _records(pretraining: Pretraining, engine: str, target: str) -> list[Record]:
    drawn = plan(pretraining.network.freeze(), {}, pretraining.recorded, seed=0)
    records = []
    with open_engine(construct(drawn), engine, target) as running:
        persistent = [
            f"{name}.{variable}"
            for name, population in drawn.network.populations.items()
            for variable in getattr(population, "persistent", ())
        ]
        for segment in pretraining.trials():
            running.reset()
            for name in persistent:
                running[name][:] = 0
            for name in drawn.responding:
                running[f"{name}.responding"][:] = 1
            for name, values in segment.series.items():
                running.set_series(name, np.ascontiguousarray(values, dtype=float))
            running.steps(segment.steps)
            record = Record(drawn.network, drawn.wiring, {}, steps=segment.steps, series=dict(segment.series))
            record.history = {name: rows.copy() for name, rows in running.history.items()}
            records.append(record)
    return records


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
