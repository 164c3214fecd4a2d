"""Promises of models."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snnplast import registry
from snnplast.config.experiment import Experiment
from snnplast.engine import COMPILED, NUMPY, EngineChoice, compiler_available
from snnplast.errors import UserError
from snnplast.learning.rule import Rule
from snnplast.network.network import Network
from snnplast.random_streams import TEST, TRAINING
from snnplast.task.model import Model
from snnplast.task.task import Task
from snnplast.task.trial import Record
from snnplast.testing.bench import promise
from snnplast.testing.described import check_described, check_refusal
from snnplast.testing.training import ENGINES_APART, apart
from snnplast.testing.witnessed import Shown, Witnessed, witnessed
from snnplast.training.digests import digest_of_description

SEED = 1


def check_model(
    model: type[Model],
    *,
    rule: str | None = None,
    trials: int = 3,
    engine: str | EngineChoice | None = None,
    **settings: Any,
) -> None:
    """Whether a model keeps its contract.

    Parameters are fields with a description; network and task build, and are the same each time; trial k is a pure
    function of (seed, k), in whichever order trials are run; what the task shows fits the network; every spiking
    population spikes; the loss is finite; the file of defaults beside the module resolves for every rule that it names,
    and the model trains; both engines show the same spikes.

    rule: that it is trained by, default the one of its defaults, or "e-prop" where it has none.
    trials: how many are run. engine: as in `check_rule`. settings: the model's. Raises `AssertionError`.

    >>> from snnplast import registry
    >>> from snnplast.engine import NUMPY
    >>> check_model(registry.load("model", "xor"), engine=NUMPY, hidden=8)
    """
    place = f"model {model.name or model.__name__!r}" if model.name else f"model {model.__name__!r}"
    check_described(place, model, named=model.name != "" or _defaults(model) is not None)
    check_refusal(place, model, **settings)
    chosen = NUMPY if engine is None else EngineChoice.of(engine, "check_model: engine")
    _check_made(place, model, settings)
    built = _built(place, model, settings, rule)
    _check_trials(place, built, chosen, trials)
    if engine is None and compiler_available():
        _check_engines(place, built)


@dataclass(frozen=True)
class _Built:
    """What is run: a model with a rule and with others that projections name."""

    model: Model
    network: Network
    rule: Rule
    others: Mapping[str, Rule]

    def on(self, engine: EngineChoice) -> AbstractContextManager[Witnessed]:
        """Its trials on an engine, the task made anew."""
        return witnessed(self.model.task(SEED), self.network, self.rule, self.others, engine)


def _check_made(place: str, model: type[Model], settings: Mapping[str, Any]) -> None:
    """Network and task are what they should be, and the same each time."""
    one, other = (model(**settings).network() for _ in range(2))
    promise(isinstance(one, Network), f"{place}: network() gives {one!r}, not a Network")
    same = digest_of_description(one) == digest_of_description(other)
    promise(same, f"{place}: network() describes another network the second time; draws belong to the run's seed")
    plastic = any(p.plastic for p in one.projections.values())
    promise(plastic, f"{place}: no projection is plastic, so that there is nothing to learn")
    task = model(**settings).task(SEED)
    promise(isinstance(task, Task), f"{place}: task() gives {task!r}, not a Task")
    promise(task.seed == SEED, f"{place}: task({SEED}).seed is {task.seed}; the seed it is given is that of its trials")


def _built(place: str, model: type[Model], settings: Mapping[str, Any], rule: str | None) -> _Built:
    """The model with its rules, by its defaults where it has some; those resolve for every rule that they name."""
    path, known = _defaults(model), registry.names("model")
    if path is None or model.name not in known or registry.load("model", model.name) is not model:
        described = model(**settings)
        network = described.network()
        named = dict.fromkeys(p.rule for p in network.projections.values() if p.rule)
        return _Built(described, network, _rule(rule or "e-prop"), {name: _rule(name) for name in named})
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    sets = [f"model.{key}={_text(value)}" for key, value in settings.items()]
    for name in dict.fromkeys([*tables.get("rules", {}), tables.get("rule", "e-prop")]):
        try:
            Experiment.of(model.name, f"rule={name}", *sets)
        except UserError as error:
            raise AssertionError(f"{place}: {path.name} does not resolve for the rule {name!r}: {error}") from error
    experiment = Experiment.of(model.name, *([f"rule={rule}"] if rule else []), *sets)
    return _Built(experiment.model, experiment.network, experiment.rule, experiment.others)


def _check_trials(place: str, built: _Built, engine: EngineChoice, trials: int) -> None:
    """Trials run, and are the same whichever came before; then the rule learns from one."""
    with built.on(engine) as run:
        forward = {(TRAINING, k): run.shown(TRAINING, k) for k in range(trials)}
        tests = min(run.task.tests, trials)
        forward |= {(TEST, k): run.shown(TEST, k) for k in range(tests)}
        _check_activity(place, built.network, [shown.record for shown in forward.values()])
    with built.on(engine) as run:
        for (phase, index), before in reversed(forward.items()):
            what = f"{'training' if phase == TRAINING else 'test'} trial {index}"
            said = "differs when others come before it; it must depend on (seed, index) alone"
            promise(run.shown(phase, index).same(before), f"{place}: {what} {said}")
        for name, value in run.update().items():
            promise(np.isfinite(value), f"{place}: the first update has the metric {name!r} = {value}")


def _check_activity(place: str, network: Network, records: Sequence[Record]) -> None:
    """Something happens everywhere, and it can be judged."""
    for name, population in network.populations.items():
        silent = population.spiking and not any(record.counts(name).any() for record in records)
        promise(not silent, f"{place}: no neuron of {name!r} spikes in the first {len(records)} trials")
    for record in records:
        loss = 0.0 if record.judgement is None else record.judgement.loss
        promise(np.isfinite(loss), f"{place}: the loss of trial {record.index} is {loss}")


def _check_engines(place: str, built: _Built) -> None:
    found: list[Shown] = []
    for engine in (NUMPY, COMPILED):
        with built.on(engine) as run:
            found.append(run.shown(TRAINING, 0))
    one, other = found
    promise(one.same_spikes(other), f"{place}: the spikes of trial 0 are others on the compiled engine")
    judged, again = one.record.judgement, other.record.judgement
    if judged is not None and again is not None:
        far = apart(np.array(again.loss), np.array(judged.loss))
        promise(far < ENGINES_APART, f"{place}: the loss of trial 0 is {far:.1e} of it away on the compiled engine")


def _rule(name: str) -> Rule:
    return registry.load("rule", name)()


def _defaults(model: type[Model]) -> Path | None:
    """The file of defaults beside its module, if there is one."""
    try:
        path = Path(inspect.getfile(model)).with_suffix(".toml")
    except (OSError, TypeError):
        return None
    return path if path.is_file() else None


def _text(value: Any) -> str:
    """A setting as after `--set`."""
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
