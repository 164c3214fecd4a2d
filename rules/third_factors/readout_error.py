r"""Readout error: a broadcast of each readout's error to the hidden neurons.

    L_j^t = sum_k B_jk E_k^t

E is the derivative of the task's loss by the readout's activity, at every step, or once per trial for a `RateReadout`.
There, and for the layer it reads, symmetric feedback is what back-propagation hands to z. The feedback B is one of

    random      fixed, B ~ N(0, scale^2)
    symmetric   B = Wout^T, and stays so
    adaptive    random at first, then it learns what the readout learns:  G^B = (G^out)^T + decay B

With a weight_decay of the readout's optimiser equal to `decay`, adaptive feedback becomes symmetric in time (Kolen &
Pollack 1994). A projection named 'feedback_<population>' that the
network already holds is used as B instead of random weights (explicit feedback).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.errors import UserError
from snnplast.learning import (
    Adaptive,
    Broadcast,
    Compiled,
    CompiledSignal,
    Context,
    SignalKind,
    State,
    ThirdFactor,
    Trials,
)
from snnplast.network import Gaussian, LeakyReadout, Network, Projection, Transposed, Weights, Wiring
from snnplast.rules.references import BELLEC_2020
from snnplast.task import Record


class ReadoutError(Compiled, Adaptive, ThirdFactor):
    """The learning signal of e-prop (Bellec et al. 2020).

    feedback: "random", "symmetric" or "adaptive", see above.
    scale: standard deviation of random and of initial adaptive feedback, default 1, >= 0.
    decay: of adaptive feedback, default 0, >= 0.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.EProp(third_factor=snn.ReadoutError(scale=0.5))
    >>> with snn.open(snn.Experiment(small_network(), small_task(), rule, iterations=1, engine="runtime")) as sim:
    ...     {name: weights.shape for name, weights in sim.weights.items() if name.startswith("feedback")}
    {'feedback_first': (24,), 'feedback_second': (21,)}
    """

    name: ClassVar[str] = "readout-error"
    reference: ClassVar[str] = BELLEC_2020

    feedback: Annotated[Literal["random", "symmetric", "adaptive"], Field(description="feedback weights B")] = "random"
    scale: Annotated[float, Field(ge=0, description="standard deviation of random B")] = 1.0
    decay: Annotated[float, Field(ge=0, description="decay of adaptive B: decay * B is added to its gradient")] = 0.0

    def kind(self, context: Context, population: str) -> SignalKind:
        if context.read.clock == "trial":
            return SignalKind("learning_signal", "trial")
        assert isinstance(context.read, LeakyReadout)
        return SignalKind("learning_signal", "step", context.read.tau_m, context.read.tau_rise)

    def extend(self, context: Context) -> Network:
        network, readout = context.network.copy(), context.readout
        learns = self.feedback == "adaptive"
        simulated = context.online and context.read.clock == "step"
        for target in context.targets:
            name = f"feedback_{target}"
            weights: Weights = Gaussian(std=self.scale)
            if self.feedback != "random":
                forward = self._forward(network, target, readout).name
                weights = Transposed(of=forward) if self.feedback == "symmetric" else weights
            if name in network.projections and self.feedback != "symmetric":
                network.change(name, simulated=simulated, plastic=learns)
                continue
            network.projections.pop(name, None)
            network.connect(
                readout,
                target,
                name=name,
                kind="analog",
                variable="error",
                into="learning_signal",
                simulated=simulated,
                plastic=learns,
                weights=weights,
            )
        return network

    def _forward(self, network: Network, target: str, readout: str) -> Projection:
        """The projection whose weights the feedback to a population follows."""
        found = network.between(target, readout)
        if len(found) != 1 or (self.feedback == "adaptive" and not found[0].plastic):
            raise UserError(
                f"third factor 'readout-error': {self.feedback} feedback to {target!r} needs one "
                f"{'plastic ' if self.feedback == 'adaptive' else ''}projection from {target!r} to {readout!r}; "
                f"found: {', '.join(p.name for p in found) or 'none'}"
            )
        return found[0]

    def parameters(self, context: Context) -> tuple[str, ...]:
        return tuple(f"feedback_{target}" for target in context.targets) if self.feedback == "adaptive" else ()

    def adapt(
        self,
        context: Context,
        gradients: Mapping[str, np.ndarray],
        values: Mapping[str, np.ndarray],
        wiring: Mapping[str, Wiring],
    ) -> dict[str, np.ndarray]:
        found = {}
        for target in context.targets:
            name, forward = f"feedback_{target}", self._forward(context.network, target, context.readout).name
            back = wiring[name]
            if forward in gradients:
                transposed = wiring[forward].matrix(gradients[forward]).T[back.pre, back.post]
                found[name] = transposed + self.decay * values[name]
        return found

    def signal(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray | Broadcast]:
        error, once = record.series[f"{context.readout}.error"], record.answers_once(context.readout)
        found: dict[str, np.ndarray | Broadcast] = {}
        for target in context.targets:
            name = f"feedback_{target}"
            feedback = record.wiring[name].matrix(record.values[name])
            found[target] = error[0] @ feedback if once else Broadcast(error, feedback)
        return found

    def compiled_signal(
        self,
        trials: Trials,
        context: Context,
        state: State,
        values: Mapping[str, np.ndarray],
        wiring: Mapping[str, Wiring],
    ) -> CompiledSignal | None:
        if context.read.clock == "trial":
            return None
        pairs = {target: (wiring[f"feedback_{target}"], values[f"feedback_{target}"]) for target in context.targets}
        feedback = {target: np.zeros(wires.shape) for target, (wires, _) in pairs.items()}

        def refresh() -> None:
            for target, (wires, weights) in pairs.items():
                feedback[target][wires.pre, wires.post] = weights

        error = trials.error(context.readout)
        given = {target: Broadcast(error, own) for target, own in feedback.items()}
        return CompiledSignal(given, refresh=refresh, follows=self.feedback != "random")
