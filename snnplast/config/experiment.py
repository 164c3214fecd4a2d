"""An experiment: model, rules, engine, length and recording, built and checked; what `snnplast run` runs."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from snnplast import registry
from snnplast.config.layers import NONE
from snnplast.config.model_file import OBJECTS, ObjectModel, model_of, users_code
from snnplast.config.resolution import resolve, resolve_text
from snnplast.config.schema import table_of
from snnplast.config.settings import Recording, Training
from snnplast.config.toml_text import toml_text
from snnplast.description import Description
from snnplast.engine import EngineChoice
from snnplast.errors import UserError, short
from snnplast.learning.rule import Rule
from snnplast.network.memory import refuse_too_large
from snnplast.network.network import Network
from snnplast.network.population import SpikeSource
from snnplast.reads import Reads, fingerprint
from snnplast.shown import Rows, Shown, listed
from snnplast.task.model import Model
from snnplast.task.task import Task

NEURONS = "neurons"
"""In `record.spikes`: all spiking populations of the model that are no sources."""


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Experiment(Shown):
    """Everything a run needs: a network, a task, the rule that learns, and how long. It cannot be changed.

    It is made of Python objects, or by `of` of what the shell resolves:

    >>> from snnplast import EProp, Experiment
    >>> from snnplast.testing import small_network, small_task
    >>> experiment = Experiment(small_network(), small_task(), EProp(batch=10), epochs=5, seed=2)
    >>> experiment.train.seed, experiment.rule.batch, list(experiment.network.populations)
    (2, 10, ['input', 'first', 'second', 'output'])
    >>> Experiment.of("digits", "rule=ib-hebbian", "model.hidden=30").network.populations["hidden"].size
    30

    Attributes
    ----------
    model : what makes network and task. network : the model's description.
    file : the user's model file, None for a registered model or Python objects.
    rule : learns every plastic projection that names no other. others : those other rules by name.
    compare : a rule whose gradients are compared with, as a metric; None for none.
    engine, train, record : what runs the network, how long and from which seed, and what is kept.
    reads : the files that the model's code has read.
    numbered : `record.path` is a default: where something stands there already, the file gets a number.
    """

    model: Model
    file: Path | None
    network: Network
    rule: Rule
    others: Mapping[str, Rule]
    compare: Rule | None
    engine: EngineChoice
    train: Training
    record: Recording
    reads: Reads
    numbered: bool

    def __init__(
        self,
        network: Network,
        task: Task,
        rule: Rule,
        *,
        epochs: int | None = None,
        iterations: int | None = None,
        seed: int = 1,
        workers: int = 1,
        checkpoint_every: int | Literal["auto"] = "auto",
        others: Iterable[Rule] = (),
        compare: Rule | None = None,
        engine: str | EngineChoice = "compiled",
        record: str | os.PathLike[str] | Recording | None = None,
    ) -> None:
        """
        Parameters
        ----------
        network, task : copied; what is done to them later changes nothing here. The task takes the seed of the run.
        rule : such as EProp(batch=8).
        epochs, iterations : passes through the training data, or updates; one of the two.
        seed : of weights, order of samples and noise.
        workers : threads for the trials of a batch; any number gives the same bits.
        checkpoint_every : rounds between checkpoints; "auto": about every 10 s.
        others : the rules that projections name, connect(..., rule="delta").
        compare : a rule whose gradients of the same trials are compared with, such as BPTT(): the metric
            `cosine_to_bptt`.
        engine : "compiled" or "runtime", or an `EngineChoice` (of snnplast.engine) with its target or precision.
        record : the file of the run (HDF5); None or "" for none; a `Recording` says what else is kept.

        Raises
        ------
        UserError
            Something is of another kind or value than is allowed.
        """
        for name, given, kind in (("network", network, Network), ("task", task, Task), ("rule", rule, Rule)):
            if not isinstance(given, kind):
                of = "; Experiment.of takes names and files" if isinstance(given, str | os.PathLike) else ""
                raise UserError(f"Experiment: {name} = {short(given)}: a {kind.__name__} is needed{of}")
        found = list(others)
        for other in found:
            if not isinstance(other, Rule):
                raise UserError(f"Experiment: others: {short(other)}: a Rule is needed")
        if compare is not None and not isinstance(compare, Rule):
            raise UserError(f"Experiment: compare = {short(compare)}: a Rule is needed, such as BPTT()")
        if compare is not None and compare.name in [rule.name, *(other.name for other in found)]:
            raise UserError(f"Experiment: compare = {compare.name!r}: it is the rule that learns; another is needed")
        if record is None or isinstance(record, str | os.PathLike):
            record = Recording(path=os.fspath(record) if record else "")
        if not isinstance(record, Recording):
            raise UserError(f"Experiment: record = {short(record)}: the path of a file, or a Recording, is needed")
        lengths = {"epochs": epochs, "iterations": iterations}
        length = {key: value for key, value in lengths.items() if value is not None}
        model = model_of(network.copy().freeze(), copy.copy(task))()
        self._fill(
            model=model,
            file=None,
            network=model.network(),
            rule=rule,
            others={other.name: other for other in found},
            compare=compare,
            engine=EngineChoice.of(engine, "Experiment: engine"),
            train=Training(
                seed=seed,
                workers=workers,
                checkpoint_every=checkpoint_every,
                compare=None if compare is None else compare.name,
                **length,
            ),
            record=record,
            reads=Reads(),
            numbered=False,
        )
        refuse_too_large(self.network)

    def _fill(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, target: str | os.PathLike[str], *sets: str) -> Experiment:
        """What the shell resolves: a model's name, an experiment file (.toml), a model file (.py) or a run (.h5).

        sets: "key=value" texts as after `--set`. Raises `UserError`.
        """
        return cls.made(**resolve(target, sets))

    @classmethod
    def of_text(cls, text: str, opening: str, *sets: str) -> Experiment:
        """What `text()` of an experiment describes: a config that states every setting, with no defaults under it.

        opening: how a sentence about one of its keys begins. sets: "key=value" texts. Raises `UserError`.
        """
        return cls.made(**resolve_text(text, opening, sets))

    @classmethod
    def made(cls, **fields: Any) -> Experiment:
        """The experiment with all these attributes."""
        made = cls.__new__(cls)
        made._fill(**{"reads": Reads(), "numbered": False, "compare": None, **fields})
        return made

    def changed(self, **fields: Any) -> Experiment:
        """The same experiment with other values of some attributes."""
        return self.made(**vars(self) | fields)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as its settings: what a model file defines is made again from the file, which must be the same."""
        if self.of_objects:
            others = {key: value for key, value in vars(self).items() if key not in ("model", "network")}
            return _of_objects, (self.network, self.model.task(self.train.seed), others)
        if self.file is None and self.model.name not in registry.names("model"):
            return _with, (vars(self),)
        return _made_again, (self.text(), self.reads.modules, self.numbered)

    @property
    def of_objects(self) -> bool:
        """Whether network and task are Python objects, which no config can make again."""
        return self.file is None and isinstance(self.model, ObjectModel)

    def _shown(self) -> tuple[str, Rows]:
        train = self.train
        length = f"{train.epochs} epochs" if train.epochs else f"{train.iterations} updates"
        rows = [
            ("network", listed(f"{name} ({p.size})" for name, p in self.network.populations.items())),
            ("rule", listed(dict.fromkeys([self.rule.name, *self.others]))),
            ("third factor", listed(factor.name for factor in self.rule.factors)),
            ("length", f"{length}, batch {self.rule.trials}, seed {train.seed}"),
            ("engine", self.engine.summary),
            ("record", self.record.path),
        ]
        return f"Experiment: {self.title}", [(name, text) for name, text in rows if text]

    @property
    def title(self) -> str:
        """Name of the model, or of its file."""
        return self.file.stem if self.file else self.model.name or "experiment"

    def task(self) -> Task:
        """The model's task for the run's seed."""
        with users_code(self.file), self.reads.noted():
            return self.model.task(self.train.seed)

    @property
    def recorded_spikes(self) -> tuple[str, ...]:
        """Populations whose spikes are kept: `record.spikes`, with "neurons" spelt out."""
        populations = self.network.populations
        neurons = [name for name, p in populations.items() if p.spiking and not isinstance(p, SpikeSource)]
        spelt_out = {} if NEURONS in populations else {NEURONS: neurons}
        return tuple(dict.fromkeys(name for given in self.record.spikes for name in spelt_out.get(given, [given])))

    def text(self) -> str:
        """All settings as TOML; given back as a file it makes the same run."""
        identity = {"file": str(self.file)} if self.file else {"name": OBJECTS if self.of_objects else self.model.name}
        rules = {self.rule.name: self.rule, **self.others}
        if self.compare is not None:
            rules[self.compare.name] = self.compare
        return toml_text(
            {
                "rule": self.rule.name,
                "engine": table_of(self.engine),
                "model": {**identity, **_without_name(self.model)},
                "rules": {name: _without_name(rule) for name, rule in rules.items()},
                "train": {key: value for key, value in table_of(self.train).items() if value != NONE},
                "record": table_of(self.record),
            }
        )


def _with(fields: Mapping[str, Any]) -> Experiment:
    return Experiment.made(**fields)


def _of_objects(network: Network, task: Task, others: Mapping[str, Any]) -> Experiment:
    model = model_of(network, task)()
    return Experiment.made(model=model, network=model.network(), **others)


def _made_again(text: str, modules: Mapping[str, str], numbered: bool) -> Experiment:
    for file, before in modules.items():
        if not Path(file).is_file() or fingerprint(file) != before:
            raise UserError(f"a pickled experiment: '{file}' has changed or is gone since it was pickled")
    return Experiment.of_text(text, "a pickled experiment: ").changed(numbered=numbered)


def _without_name(description: Description) -> dict[str, Any]:
    return {key: value for key, value in table_of(description).items() if key != "name"}
