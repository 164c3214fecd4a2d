"""Opening an experiment on an engine, with what its sources learn before the run, which is kept."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np

from snnplast.engine import COMPILED, EngineChoice
from snnplast.errors import UserError
from snnplast.learning.capabilities import Pretrained, Pretraining
from snnplast.learning.rule import Rule
from snnplast.native.cache import cache_key, cached
from snnplast.network.network import Network
from snnplast.random_streams import TRAINING
from snnplast.simulation.design import design
from snnplast.simulation.simulation import Simulation, open_engine_on
from snnplast.task.objective import Objective
from snnplast.training.trainer import Trainer

Values = dict[str, np.ndarray]


def open_simulation(
    network: Network,
    objective: Objective | None,
    rule: Rule,
    seed: int,
    engine: EngineChoice = COMPILED,
    others: Mapping[str, Rule] | None = None,
    recorded: Sequence[str] = (),
) -> Simulation:
    """Design an experiment (see `design`), open an engine on it, and learn what must be learned before the run."""
    designed = design(network, objective, rule, seed, others, recorded)
    simulation = open_engine_on(designed, engine)
    for source in (source for plasticity in designed.plasticities for source in plasticity.sources):
        if isinstance(source.factor, Pretrained):
            for pretraining in source.factor.pretraining(source.context):
                for name, weights in pretrain(pretraining, engine).items():
                    simulation.values[name][:] = weights
    return simulation


def pretrain(pretraining: Pretraining, engine: EngineChoice) -> Values:
    """Parameter -> values, as the experiment left them; cached in the user's cache directory, per engine."""

    def learn() -> bytes:
        task, rule = pretraining.task, pretraining.rule
        simulation = open_simulation(pretraining.network, task.objective, rule, pretraining.seed, engine)
        return _packed(_learned(pretraining, simulation))

    return _unpacked(cached(cache_key({"pretraining": pretraining.key}, engine.summary), learn, _fit))


def _learned(pretraining: Pretraining, simulation: Simulation) -> Values:
    task = pretraining.task
    with simulation.engine:
        trainer = Trainer(simulation, task, iterations=0)
        if pretraining.fit is not None:
            return pretraining.fit(trainer.run(TRAINING, index) for index in range(task.epoch or 0))
        trainer.iterations = pretraining.epochs * trainer.updates_per_epoch()
        for _ in trainer:
            pass
        return {name: simulation.values[name].copy() for name in simulation.parameters}


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
