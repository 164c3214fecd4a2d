"""Rules on the objects of a plain Brian2 script, which goes on to be run by Brian2 as usual."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from snnplast.brian import (
    NeuronGroup,
    Quantity,
    get_local_namespace,
    prefs,
)
from snnplast.described import count
from snnplast.errors import UserError, short, unknown
from snnplast.learning.capabilities import Adaptive, Pretrained, Speaks
from snnplast.learning.rule import Rule
from snnplast.native.compiler import compiler_available
from snnplast.network.fragments import Fragment
from snnplast.network.population import LayerNorm
from snnplast.simulation.design import Design, design
from snnplast.simulation.simulation import simulation_on
from snnplast.task.objective import MeanSquaredError, Objective
from snnplast.training.brian_script import Script
from snnplast.training.seen_trials import SeenTrainer, SeenTrials
from snnplast.training.trainer import Step
from snnplast.training.witness import Witness


def attach(
    rule: Rule,
    network: Any,
    *,
    synapses: Sequence[Any],
    readout: Any = None,
    objective: Objective | None = None,
    representation: LayerNorm | None = None,
    bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
    surrogates: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
    updates: int | None = None,
) -> Learner:
    """Let a rule learn the weights of Brian2 synapses in a script that Brian2 runs.

    rule: learns after the trial (evaluation = "factored"), from an error of the readout or a trial signal.
    network: the Brian2 `Network` that runs; monitors are added to it, and nothing of the script is changed.
    synapses: those that learn, each with one weight and on_pre = 'v_post += w', or w times a constant. Their names in
        Brian2 are their names here.
    readout: the group of neurons without a threshold that the objective is about.
    objective: what is wanted of it, default `MeanSquaredError()`; its readout is that group.
    representation: rate representation of all neurons that learn, for layer-wise rules.
    bounds: (lowest, highest) weight by the name of the synapses; None leaves a side open.
    surrogates: what `CustomNeurons` says of surrogate derivatives by the name of the neurons, such as
        {"cells": {"threshold_scale": "20 mV"}}; default: the distance of its threshold, and how far below it they are
        now.
    seed: of what third factors draw. updates: how many there will be, where the optimiser has a schedule.

    Traces are derived from the equations, updates and reset of the neurons that learn, whatever they are; a readout is
    one exponential. Where in a step spikes arrive, and after which delay, is read from the objects. Weights have no
    unit: 'ge_post += w*nS'. The script may set and reset variables between trials.

    Raises `UserError` for what the rule could not learn exactly.

    >>> import brian2 as b2, snnplast
    >>> from snnplast.rules.e_prop import EProp
    >>> b2.prefs.codegen.target = "numpy"
    >>> inputs = b2.SpikeGeneratorGroup(3, [0, 1, 2], [1, 2, 3] * b2.ms, dt=1 * b2.ms)
    >>> cells = b2.NeuronGroup(4, "dv/dt = -v/(20*ms) : 1", threshold="v >= 1", reset="v -= 1", dt=1 * b2.ms)
    >>> output = b2.NeuronGroup(1, "dy/dt = -y/(20*ms) : 1", dt=1 * b2.ms)
    >>> to_cells = b2.Synapses(inputs, cells, "w : 1", on_pre="v_post += w", dt=1 * b2.ms, name="to_cells")
    >>> to_output = b2.Synapses(cells, output, "w : 1", on_pre="y_post += w", dt=1 * b2.ms, name="to_output")
    >>> to_cells.connect(); to_output.connect(); to_cells.w = 0.6
    >>> network = b2.Network(inputs, cells, output, to_cells, to_output)
    >>> learner = snnplast.attach(EProp(), network, synapses=[to_cells, to_output], readout=output)
    >>> with learner.trial(target=0.5):
    ...     network.run(20 * b2.ms)
    >>> round(learner.update().metrics["loss"], 6), bool((to_output.w[:] > 0).all())
    (2.5, True)
    """
    learnt = Script(rule, network, synapses, readout, get_local_namespace(1))
    objective = _about(objective, readout)
    if not isinstance(representation, LayerNorm | None):
        raise UserError(f"attach: representation = {short(representation)}: LayerNorm() or None is allowed")
    designed = design(
        learnt.described(representation, bounds or {}, surrogates or {}),
        objective,
        rule,
        count("attach: seed", seed, low=0),
    )
    _refuse_more(designed, learnt)
    return Learner(learnt, designed, None if updates is None else count("attach: updates", updates))


class Learner:
    """A rule at work beside a Brian2 network.

    gradient: of the last update, by the name of the synapses, one entry per synapse in their own order.
    """

    def __init__(self, script: Script, designed: Design, updates: int | None) -> None:
        self._script = script
        self.gradient: dict[str, np.ndarray] = {}
        values = {f"{name}.w": s.values for name, s in script.plastic.items()}
        self._witness = Witness(script.network, designed.plan, script.groups, script.neurons, values)
        compiled = prefs.codegen.target != "numpy" and compiler_available()
        simulation = simulation_on(designed, self._witness, compiled)
        self._trainer = SeenTrainer(simulation, SeenTrials(self._witness), updates or 1)
        self._trainer.scale = script.scale
        self._trainer.neurons = [name for name, group in script.groups.items() if isinstance(group, NeuronGroup)]
        self._updates, self._watching = updates, False
        if updates is None and self._trainer.scheduled:
            self.detach()
            raise UserError(
                f"attach: updates = None: rule {script.rule.name!r} has a schedule, which needs their number"
            )

    @contextmanager
    def trial(
        self, target: Any = None, in_window: Any = None, values: Mapping[str, Any] | None = None
    ) -> Iterator[None]:
        """What Brian2 runs meanwhile is one trial, with traces that begin at 0.

        target: of the readout, a number, (n,), or (steps, n); in_window: (steps,), 1 where a step counts, 0 elsewhere.
        values: by the name of a source, what its spikes stand for, for third factors that compare samples.
        """
        script, witness, trainer = self._script, self._witness, self._trainer
        if self._watching:
            raise UserError("attach: a trial is under way; one at a time is allowed")
        if self._full:
            raise UserError(f"attach: {len(trainer.gathered)} trials wait for update(); batch = {script.rule.batch}")
        given = _wanted(script.readout, target, in_window) | _shown(script.groups, values or {})
        for name, plastic in script.plastic.items():
            trainer.simulation.values[name][:] = plastic.values
        self._watching = True
        witness.watch(True)
        try:
            yield
            steps = witness.take()
        finally:
            self._watching = False
            witness.watch(False)
        if not steps:
            raise UserError("attach: trial: nothing ran in it; network.run(...) belongs into the block")
        script.refuse_changed()
        trainer.watch_one(given)

    @property
    def _full(self) -> bool:
        rule = self._script.rule
        told = "batch" in rule.model_fields_set or any(p.sequential for p in self._trainer.simulation.plasticities)
        return told and len(self._trainer.gathered) >= rule.batch

    def update(self) -> Step:
        """One step of the optimiser by the mean gradient of the trials since the last one.

        Returns their records and metrics, means over these trials.
        """
        trainer, rule = self._trainer, self._script.rule
        waiting = len(trainer.gathered)
        if not waiting or ("batch" in rule.model_fields_set and waiting != rule.batch):
            needed = rule.batch if "batch" in rule.model_fields_set else "at least one"
            raise UserError(f"attach: update() after {waiting} trials; {needed} is needed")
        if self._updates is None:
            trainer.iterations = trainer.iteration + 1
        elif trainer.iteration == self._updates:
            raise UserError(f"attach: updates = {self._updates}: they are done; a larger number is needed")
        step = trainer.update()
        self.write()
        self.gradient = {}
        for name, gradient in trainer.applied.items():
            self.gradient[name] = np.empty_like(gradient)
            self.gradient[name][self._script.plastic[name].order] = gradient
        return step

    def write(self) -> None:
        """Give the synapses the weights that were learnt, also after network.restore(), which takes them back."""
        for name, plastic in self._script.plastic.items():
            plastic.write(self._trainer.simulation.values[name])

    def detach(self) -> None:
        """Take the monitors out of the network again; the weights stay."""
        self._witness.close()


def _about(objective: Objective | None, readout: Any) -> Objective | None:
    """The objective, of this readout."""
    if readout is None:
        if objective is not None:
            raise UserError(f"attach: objective = {short(objective)}: readout=... says what it is about")
        return None
    if not isinstance(readout, NeuronGroup):
        raise UserError(f"attach: readout = {short(readout)}: a NeuronGroup is needed")
    if "spike" in readout.events:
        raise UserError(f"attach: the readout {readout.name!r} spikes; neurons without a threshold are needed")
    if objective is None:
        return MeanSquaredError(readout=readout.name)
    if not isinstance(objective, Objective):
        raise UserError(f"attach: objective = {short(objective)}: an Objective, such as CrossEntropy(), is needed")
    if "readout" in objective.model_fields_set and objective.readout != readout.name:
        raise UserError(f"attach: objective.readout = {objective.readout!r}, but readout is {readout.name!r}")
    return objective.model_copy(update={"readout": readout.name})


def _refuse_more(designed: Design, script: Script) -> None:
    """Learning needs no more than what Brian2 leaves of a trial."""
    for source in (source for plasticity in designed.plasticities for source in plasticity.sources):
        factor, place = source.factor, f"attach: third factor {source.factor.name!r}"
        if isinstance(factor, Speaks | Pretrained):
            raise UserError(
                f"{place} takes part in trials, or learns before them, which a script that Brian2 runs does not allow"
            )
        if isinstance(factor, Adaptive) and factor.parameters(source.context):
            raise UserError(
                f"{place} learns weights of its own, and the script has none for them; feedback='random' does not"
            )
    added = designed.plan.network.populations.keys() - script.neurons.keys() - script.groups.keys()
    for name in sorted(added):
        raise UserError(f"attach: {name!r} would be added to the network, which Brian2 runs as the script has it")
    for name, injection in designed.injections.items():
        if injection.pre != Fragment() or injection.synapse != Fragment():
            raise UserError(
                f"attach: rule {script.rule.name!r} adds code to {name!r}; rules that read neurons alone are allowed"
            )


def _shown(groups: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Series of what sources showed."""
    for name in values:
        if name not in groups:
            raise UserError(f"attach: trial: values: {unknown('source', name, groups)}")
    return {f"{name}.value": np.asarray(shown) for name, shown in values.items()}


def _wanted(readout: Any, target: Any, in_window: Any) -> dict[str, np.ndarray]:
    """Series of a trial: a number is the target of every unit."""
    given: dict[str, np.ndarray] = {}
    for name, values in (("target", target), ("in_window", in_window)):
        if values is None:
            continue
        if readout is None:
            raise UserError(f"attach: trial: {name} is about a readout, and none is attached")
        if isinstance(values, Quantity):
            raise UserError(f"attach: trial: {name} has a unit; a readout has none")
        array = np.asarray(values)
        if name == "target" and array.ndim == 0:
            array = np.full(readout.N, array)
        given[f"{readout.name}.{name}"] = (
            array[:, None] if name == "in_window" and array.ndim == 1 and array.size > 1 else array
        )
    return given
