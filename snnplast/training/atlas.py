"""An atlas: every rule with every third factor on one model, how well each does, what it costs, and where it points.

Each pair has the settings that the model has for its rule. Its gradient of the first training trials is compared with
that of back-propagation through time, on the spikes of a network whose readouts alone have learned for a while (rule
`frozen`), since a gradient through a readout that knows nothing says nothing; regularisers are left out on both sides.
Then it is trained from the start. Third factors that take trials one after another do so with a batch of 1.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snnplast import registry
from snnplast.config.experiment import Experiment
from snnplast.config.schema import table_of
from snnplast.errors import UserError
from snnplast.learning.rule import hears
from snnplast.training.mean import Mean
from snnplast.training.opened import open as opened

CONTROL, READOUTS = "bptt", "frozen"
COSINE, CPU = "cosine_to_bptt", "cpu_ms_per_trial"
EPOCHS, ITERATIONS = 1, 20
"""How long a pair is trained unless it is said."""


@dataclass(frozen=True)
class Entry:
    """What one pair has come to. factor: "" for a rule that hears none.

    metrics: those of the last epoch or iteration of its training, of a test as 'test_accuracy'; `cosine_to_bptt`, and
        `cpu_ms_per_trial` of training.
    network: settings of the model that are this rule's own, and make it another network than the target's, as text.
    refused: the sentence with which it does not fit. alone: the one that says why it is compared with nothing.
    """

    rule: str
    factor: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    network: str = ""
    refused: str = ""
    alone: str = ""

    @property
    def title(self) -> str:
        """Rule and third factor."""
        return f"{self.rule}, {self.factor}" if self.factor else self.rule


def pairs() -> list[tuple[str, str]]:
    """All rules with all third factors that might fit, by name; "" for a rule that hears none. Broken ones as well.

    >>> ("e-prop", "readout-error") in pairs(), ("frozen", "") in pairs()
    (True, True)
    """
    broken, factors = registry.broken("rule"), registry.names("third-factor")
    found = {rule: rule not in broken and hears(registry.load("rule", rule)) for rule in registry.names("rule")}
    return [(rule, factor) for rule, heard in found.items() for factor in (factors if heard else [""])]


def atlas(
    target: str, sets: Sequence[str] = (), rounds: int | None = None, trials: int = 8, chosen: Sequence[str] = ()
) -> Iterator[Entry]:
    """The entries of a model or experiment file, one after another; nothing is written.

    sets: "key=value" texts. rounds: epochs, or iterations of a task without; default 1 or 20. trials: how many of the
    first are compared. chosen: rules, all by default.
    Raises `UserError` where the target itself does not make an experiment.
    """
    base = Experiment.of(target, *sets)
    key, usual = ("train.epochs", EPOCHS) if base.train.epochs else ("train.iterations", ITERATIONS)
    of_all, begun = [*sets, f"{key}={rounds or usual}", "record.path="], dict[str, Mapping[str, np.ndarray]]()
    for rule, factor in pairs():
        if not chosen or rule in chosen:
            try:
                experiment = Experiment.of(target, *of_all, *_of_pair(rule, factor))
                network = _own(base, experiment)
                if network not in begun:
                    begun[network] = _begun(experiment, target, of_all)
                yield _entry(experiment, rule, factor, network, trials, begun[network])
            except UserError as error:
                yield Entry(rule, factor, refused=str(error))


def _of_pair(rule: str, factor: str) -> Iterator[str]:
    yield f"rule={rule}"
    if rule != CONTROL:
        yield f"train.compare={CONTROL}"
    if factor:
        yield f"rules.{rule}.third_factor={factor}"


def _begun(experiment: Experiment, target: str, of_all: Sequence[str]) -> Mapping[str, np.ndarray]:
    """The network of an experiment once its readouts have learned; nothing where they cannot."""
    try:
        rule = Experiment.of(target, *of_all, f"rule={READOUTS}").rule
        with opened(experiment.changed(rule=rule, others={}, compare=None)) as running:
            while running.remaining:
                running.update()
            return running.snapshot()
    except UserError:
        return {}


def _own(base: Experiment, experiment: Experiment) -> str:
    """Settings of the model that differ."""
    mine, theirs = table_of(experiment.model), table_of(base.model)
    return ", ".join(f"{key} = {mine[key]}" for key in mine if mine[key] != theirs.get(key))


def _bare(rule: Any) -> Any:
    """A rule without its regularisers, which would be what it is compared by."""
    return rule.model_copy(update={"regularisers": ()}) if getattr(rule, "regularisers", ()) else rule


def _entry(
    experiment: Experiment, rule: str, factor: str, network: str, trials: int, begun: Mapping[str, np.ndarray]
) -> Entry:
    cosine, alone = np.nan, ""
    if rule == CONTROL:
        cosine = 1.0
    else:
        try:
            bare = experiment.changed(rule=_bare(experiment.rule), compare=_bare(experiment.compare))
            with opened(bare) as compared:
                for name in compared.weights.keys() & begun.keys():
                    compared.weights[name][:] = begun[name]
                cosine = compared.compare(trials)
        except UserError as error:
            alone = str(error)
    metrics, spent, shown = Mean(), 0.0, 0
    with opened(experiment.changed(compare=None)) as running:
        updates = running.remaining
        for update in range(updates):
            before = time.process_time()
            step = running.update()
            spent, shown = spent + time.process_time() - before, shown + step.size
            if experiment.train.epochs is None or update >= updates - updates // experiment.train.epochs:
                metrics = metrics if experiment.train.epochs else Mean()
                metrics.add(step.metrics, step.size)
        found = metrics.values()
        if experiment.task().tests:
            found |= {f"test_{name}": value for name, value in running.evaluate().items()}
    found |= {COSINE: cosine, CPU: 1e3 * spent / shown}
    return Entry(rule, factor, found, network, alone=alone)
