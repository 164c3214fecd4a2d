"""An experiment: model, rules, engine, length and recording, built and checked; what `snnplast run` runs."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from snnplast import registry
from snnplast.config.layers import NONE
from snnplast.config.model_file import OBJECTS, ObjectModel, model_of, users_code
from snnplast.config.schema import table_of
from snnplast.config.toml_text import toml_text
from snnplast.description import Description
from snnplast.engine import EngineChoice
from snnplast.errors import UserError, short
from snnplast.files import usable
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

Names = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]


MOST = 10**12
"""Updates, epochs, or what is counted in them, at most."""


def _rounds_or_auto(value: Any) -> Any:
    number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST
    if value != "auto" and not number:
        raise UserError(f"{short(value)} is neither 'auto' nor a number of epochs or iterations, 0 for none")
    return value


class Training(Description):
    """How long and from which seed. iterations: updates; epochs: passes through the training data; one of the two.

    checkpoint_every: rounds (epochs, or iterations of a task without) between checkpoints; 0: only at the end and after
    Ctrl-C; "auto": about every 10 s, less often where that would take more than 1 % of the time.
    """

    iterations: Annotated[int | None, Field(ge=1, le=MOST, description="number of updates")] = None
    epochs: Annotated[int | None, Field(ge=1, le=MOST, description="passes through the training data")] = None
    seed: Annotated[int, Field(ge=0, lt=2**63, description="seed of weights, order and noise")] = 1
    workers: Annotated[int, Field(ge=1, le=256, description="threads for the trials of a batch")] = 1
    checkpoint_every: Annotated[
        int | Literal["auto"],
        BeforeValidator(_rounds_or_auto),
        Field(description="epochs or iterations, 0 for none, or 'auto'"),
    ] = "auto"

    @model_validator(mode="after")
    def _has_one_length(self) -> Training:
        if (self.iterations is None) == (self.epochs is None):
            raise UserError("either iterations or epochs is needed")
        return self


class Recording(Description):
    """What is kept. path: the file, "" for none. variables: 'population.variable', every step; of synapses, such as
    'input_to_hidden.eligibility', the value at the end of a trial.

    spikes: populations and sources; "neurons" stands for all spiking populations of the model that are no sources.

    trials: whose spikes and variables; default "test" where the task has test trials, else "training".
    every: only those of every k-th epoch (iteration, where the task has no epochs), and of the last one.
    first: of these the first so many of an epoch and of its test, 0 for all. Metrics are those of all trials, and so
    are the answers of a classification, in the test and where `trials` are kept.
    weights: "every 10" keeps what is learned after every 10th epoch (iteration, where the task has no epochs). First,
    best and last weights are kept in any case.
    Raises `UserError` for what is out of range; names that the network does not have are refused where a run begins.

    >>> from snnplast import Recording
    >>> kept = Recording(path="", spikes="neurons", variables=["output.y"], trials="all", weights="every 10")
    >>> kept.spikes, kept.variables, kept.weights_every
    (('neurons',), ('output.y',), 10)
    """

    path: Annotated[str, Field(description="HDF5 file, '' for none")] = "run.h5"
    spikes: Annotated[Names, Field(description="populations whose spikes are kept; 'neurons': all but sources")] = ()
    variables: Annotated[Names, Field(description="'population.variable' or 'projection.variable'")] = ()
    trials: Literal["test", "training", "all"] | None = None
    every: Annotated[int, Field(ge=1, le=MOST, description="keep those of every k-th epoch or iteration")] = 1
    first: Annotated[int, Field(ge=0, le=MOST, description="keep the first so many trials of each, 0 for all")] = 100
    weights: Annotated[str | None, Field(description="'every 10': keep weights after every 10th")] = None

    @field_validator("path")
    @classmethod
    def _at_home(cls, path: str) -> str:
        return str(usable(path)) if path else path

    @field_validator("weights")
    @classmethod
    def _every(cls, text: str | None) -> str | None:
        if text is not None and not (re.fullmatch(r"every [1-9]\d*", text) and int(text[6:]) <= MOST):
            raise UserError(f"{short(text)} says not how often weights are kept: such as 'every 10' is needed")
        return text

    @property
    def weights_every(self) -> int:
        """Rounds between weights that are kept; 0 for none."""
        return int(self.weights[6:]) if self.weights else 0

    @field_validator("variables")
    @classmethod
    def _dotted(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name.count(".") != 1:
                raise UserError(f"{short(name)} names no variable: 'population.variable' is needed, such as 'output.y'")
        return names


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
    engine, train, record : what runs the network, how long and from which seed, and what is kept.
    reads : the files that the model's code has read.
    numbered : `record.path` is a default: where something stands there already, the file gets a number.
    """

    model: Model
    file: Path | None
    network: Network
    rule: Rule
    others: Mapping[str, Rule]
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
        engine : "compiled" or "runtime", or an `EngineChoice` (of snnplast.engine) with its target.
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
            engine=EngineChoice.of(engine, "Experiment: engine"),
            train=Training(seed=seed, workers=workers, checkpoint_every=checkpoint_every, **length),
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
        from snnplast.config.resolution import resolve  # which makes experiments

        return resolve(os.fspath(target), sets)

    @classmethod
    def made(cls, **fields: Any) -> Experiment:
        """The experiment with all these attributes."""
        made = cls.__new__(cls)
        made._fill(**{"reads": Reads(), "numbered": False, **fields})
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
            ("length", f"{length}, batch {self.rule.batch}, seed {train.seed}"),
            ("engine", self.engine.name),
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
    from snnplast.config.resolution import resolve_text  # which makes experiments

    for file, before in modules.items():
        if not Path(file).is_file() or fingerprint(file) != before:
            raise UserError(f"a pickled experiment: '{file}' has changed or is gone since it was pickled")
    return resolve_text(text, "a pickled experiment: ").changed(numbered=numbered)


def _without_name(description: Description) -> dict[str, Any]:
    return {key: value for key, value in table_of(description).items() if key != "name"}
