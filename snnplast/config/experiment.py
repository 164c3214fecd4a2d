"""An experiment: model, rules, engine, length and recording, built and checked; what `snnplast run` runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from snnplast import registry
from snnplast.config.layers import NONE
from snnplast.config.model_file import users_code
from snnplast.config.schema import table_of
from snnplast.config.toml_text import toml_text
from snnplast.description import Description
from snnplast.engine.opening import ENGINES, TARGETS
from snnplast.errors import UserError, short, unknown
from snnplast.files import usable
from snnplast.learning.rule import Rule
from snnplast.network.network import Network
from snnplast.network.population import SpikeSource
from snnplast.reads import Reads, fingerprint
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


class EngineChoice(Description):
    """What runs the network. name: "compiled" or "runtime". target: "auto", or how the runtime engine makes code."""

    name: str = "compiled"
    target: str = "auto"

    @field_validator("name", "target")
    @classmethod
    def _known(cls, value: str, info: Any) -> str:
        known = ENGINES if info.field_name == "name" else TARGETS
        if value not in known:
            raise UserError(unknown("engine" if known is ENGINES else "target", value, known))
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


@dataclass(frozen=True)
class Experiment:
    """Everything a run needs.

    file: the user's model file, None for a registered model. network: the model's description.
    others: the rules that projections name, by name. reads: the files that the model's code has read.
    numbered: `record.path` is a default: where something stands there already, the file gets a number.
    """

    model: Model
    file: Path | None
    network: Network
    rule: Rule
    others: Mapping[str, Rule]
    engine: EngineChoice
    train: Training
    record: Recording
    reads: Reads = field(default_factory=Reads)
    numbered: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as its settings: what a model file defines is made again from the file, which must be the same."""
        if self.file is None and self.model.name not in registry.names("model"):
            return Experiment, tuple(getattr(self, each.name) for each in fields(self))
        return _made_again, (self.text(), self.reads.modules, self.numbered)

    @property
    def title(self) -> str:
        """Name of the model, or of its file."""
        return self.file.stem if self.file else self.model.name

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
        identity = {"file": str(self.file)} if self.file else {"name": self.model.name}
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


def _made_again(text: str, modules: Mapping[str, str], numbered: bool) -> Experiment:
    from snnplast.config.resolution import resolve_text  # which makes experiments

    for file, before in modules.items():
        if not Path(file).is_file() or fingerprint(file) != before:
            raise UserError(f"a pickled experiment: '{file}' has changed or is gone since it was pickled")
    return replace(resolve_text(text, "a pickled experiment: "), numbered=numbered)


def _without_name(description: Description) -> dict[str, Any]:
    return {key: value for key, value in table_of(description).items() if key != "name"}
