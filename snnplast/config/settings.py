"""Settings of every experiment, whatever its model and rule: its length and seed, and what is kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from snnplast.description import Description
from snnplast.errors import UserError, short
from snnplast.files import usable

Names = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]

if TYPE_CHECKING:
    FileOrNone = str
else:
    FileOrNone = str | None
"""What is given as none is "" afterwards."""

MOST = 10**12
"""Updates, epochs, or what is counted in them, at most."""


def _rounds_or_auto(value: Any) -> Any:
    number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST
    if value != "auto" and not number:
        raise UserError(f"{short(value)} is neither 'auto' nor a number of epochs or iterations, 0 for none")
    return value


class Training(Description):
    """How long and from which seed.

    iterations: updates, >= 1; epochs: passes through the training data, >= 1; one of the two.
    seed: of weights, order and noise, default 1, in [0, 2^63). workers: threads for the trials of a batch, default 1,
        1 to 256; results do not depend on it.
    checkpoint_every: rounds (epochs, or iterations of a task without) between checkpoints; 0: only at the end and after
    Ctrl-C; "auto": about every 10 s, less often where that would take more than 1 % of the time.
    compare: name of a rule, such as "bptt", whose gradients of the same trials and spikes those of the experiment's are
        compared with: the metric `cosine_to_bptt`, over all weights onto neurons; default none. It takes its time.
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

    compare: Annotated[str | None, Field(description="a rule whose gradients are compared with, such as 'bptt'")] = None

    @model_validator(mode="after")
    def _has_one_length(self) -> Training:
        if (self.iterations is None) == (self.epochs is None):
            raise UserError("either iterations or epochs is needed")
        return self


class Recording(Description):
    """What is kept. path: the file, "" or none for no file. variables: 'population.variable', every step; of synapses,
    such as 'input_to_hidden.eligibility', the value at the end of a trial.

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

    path: Annotated[FileOrNone, Field(description="HDF5 file; '' or none for no file")] = "run.h5"
    spikes: Annotated[Names, Field(description="populations whose spikes are kept; 'neurons': all but sources")] = ()
    variables: Annotated[Names, Field(description="'population.variable' or 'projection.variable'")] = ()
    trials: Annotated[Literal["test", "training", "all"] | None, Field(description="whose are kept")] = None
    every: Annotated[int, Field(ge=1, le=MOST, description="keep those of every k-th epoch or iteration")] = 1
    first: Annotated[int, Field(ge=0, le=MOST, description="keep the first so many trials of each, 0 for all")] = 100
    weights: Annotated[str | None, Field(description="'every 10': keep weights after every 10th")] = None

    @field_validator("path")
    @classmethod
    def _at_home(cls, path: str | None) -> str:
        return str(usable(path)) if path else ""

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
