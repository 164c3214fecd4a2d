r"""BPTT: surrogate gradients through time, the control that local rules are measured by.

    C_j^t = D_j^t + sum_k w_kj c_k A_k^{t+1+d}        what is to come, by the spike z_j^t
    s_j^t = psi_j^t (C_j^t + a_j . k_j^t)             a: by the state of the neuron;   A: by what spikes add to
    a_j   <- (a_j R_j^t + s_j^t g_j^t) U_j^t P_j^t
    G_ji  = c_j sum over arrivals of i at j of A_j    as for the traces of e-prop

The Jacobians P, U, R, g, k, the surrogate derivative psi and refractoriness are those of e-prop; what e-prop leaves out
is kept: the sum over k, through recurrent synapses, deeper layers and delays, and in k what a spike does to its own
membrane, k_v = R_v - v. D is the objective's error through the readout's own weights, and through the rate
representation where it reads one. Without the two, and with a leaky readout, the gradient is that of e-prop with
symmetric feedback. No synapse could know it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.errors import UserError
from snnplast.learning import Adam, AnyOptimizer, Follows, OverBatch, SignalKind, Signals, ThreeFactorRule
from snnplast.learning.derived import DerivedTraces, Identity, derived_traces
from snnplast.learning.eligibility import readout_gradient, refuse_other_readouts
from snnplast.learning.gradient import modulation
from snnplast.learning.through_time import passed, through_time, told_by_readout
from snnplast.network import Injection, Network, Projection, SpikingPopulation
from snnplast.network.code import WrongCode
from snnplast.rules.references import NEFTCI_2019
from snnplast.task import Record


class BPTT(ThreeFactorRule, Follows):
    """Backpropagation through time with surrogate derivatives (Neftci et al. 2019), on the network that is simulated.

    evaluation: "factored", default and only one: no trace that runs forward in time holds all of it.
    third_factor: none; the error of the objective's readout flows back through everything.
    regularisers: what they say of a spike flows back as well; those with one signal per batch are refused.
    through_reset: whether k_v is kept, default True. Gradients of recurrent networks that go around the reset may grow
        without bounds: on `pattern-generation`, before anything is learned, to a norm of 1e26, and of 1e2 through it.
    optimizer: default Adam with a learning rate of 5e-3.
    average_gradient: divide all gradients by this many steps (the learning window of a classification), default 1,
        >= 1.

    Spikes that an environment answers, and what analog projections carry at every step, are not differentiated.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.BPTT(batch=4, average_gradient=60)
    >>> with snn.open(snn.Experiment(small_network(), small_task(), rule, iterations=1, engine="runtime")) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     [name for name in before if (sim.weights[name] != before[name]).any()]
    ['input_to_first', 'first_to_first', 'first_to_second', 'second_to_output']
    """

    name: ClassVar[str] = "bptt"
    reference: ClassVar[str] = NEFTCI_2019

    evaluation: Annotated[Literal["factored"], Field(description="after the trial, from neuron-level records")] = (
        "factored"
    )
    third_factor: Annotated[None, Field(description="none is used")] = None
    through_reset: Annotated[bool, Field(description="whether a spike's derivative acts through its reset")] = True
    optimizer: Annotated[AnyOptimizer, Field(description="how gradients change weights")] = Adam(learning_rate=5e-3)
    average_gradient: Annotated[int, Field(ge=1, description="steps that gradients are divided by")] = 1

    def follow(self, network: Network, projections: Sequence[Projection]) -> list[Projection]:
        own = {p.target for p in projections}
        return [self._recorded_by(network, name) for name in self._passed(network, projections) if name not in own]

    def _passed(self, network: Network, projections: Sequence[Projection]) -> list[str]:
        try:
            return passed(network, projections)
        except UserError as error:
            raise UserError(f"rule {self.name!r}: {error}") from None

    def _recorded_by(self, network: Network, population: str) -> Projection:
        """A projection that nothing is learned of, for which a population is recorded."""
        incoming = [p for p in network.projections.values() if p.target == population and p.kind == "spiking"]
        for p in incoming:
            if p.simulated and not p.plastic:
                return p
        raise UserError(
            f"rule {self.name!r}: network.{incoming[0].name}: another rule learns it, and {population!r} lies between "
            "what this rule learns and the readout; one rule for both is needed"
        )

    def inject(self, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> Injection:
        for factor in self.regularisers:
            if isinstance(factor, OverBatch):
                raise UserError(
                    f"rules.{self.name}.regularisers: {factor.name!r} has one signal for a batch, and here all that "
                    "neurons do to one another in a trial is differentiated; one with a signal per trial is allowed"
                )
        target = network.populations[projection.target]
        if target.readout:
            refuse_other_readouts(self.name, network, projection)
            return Injection()
        if not isinstance(target, SpikingPopulation) or projection.kind == "analog":
            raise UserError(
                f"rule {self.name!r}: network.{projection.name}: derivatives are those by spikes that reach neurons; "
                "plastic=False keeps these weights"
            )
        try:
            traces = DerivedTraces(network, projection.target, self.postsynaptic(target), True, self.through_reset)
            return traces.inject(projection) if projection.plastic else traces.factored()
        except WrongCode:
            raise
        except UserError as error:
            raise UserError(f"rule {self.name!r}: {error}") from None

    def gradient(self, record: Record, projections: Sequence[Projection], signals: Signals) -> dict[str, np.ndarray]:
        network, found = record.network, dict[str, np.ndarray]()
        errors = {name: given[0] for name, given in signals.items() if network.populations[name].readout and given}
        if not errors:
            raise UserError(
                f"rule {self.name!r}: task.objective = None: a readout that something is wanted of is needed"
            )
        ((readout, error),) = errors.items()
        learned = [p for p in projections if p.target != readout]
        if heard := [p for p in projections if p.target == readout]:
            found |= readout_gradient(record, heard, error, online=False)
        targets = dict.fromkeys(p.target for p in learned)
        told = {name: signals[name] for name in targets}
        if learned and not (self.regularisers and None in told.values()):
            names = passed(network, learned)
            direct = told_by_readout(record, readout, error, names)
            for name, given in told.items():
                if given:
                    shape = (record.steps, network.populations[name].size)
                    direct[name] = direct.get(name, np.zeros(shape)) + modulation(given)
            traces = {name: derived_traces(network, name, Identity(self), True, self.through_reset) for name in names}
            kept = {name: self._recorded_by(network, name).name for name in names if name not in targets}
            kept |= {p.target: p.name for p in learned}
            found |= through_time(record, traces, kept, direct, learned)
        return {name: gradient / self.average_gradient for name, gradient in found.items()}
