r"""Votes: labels name neurons, each by the class it answers most, and the neurons of a class vote for it.

    R_jk <- R_jk + rate y*_k (c_j - R_jk)                       after each training trial; c_j: what neuron j answered
    w_jk =  1 / n_k  where k is the class of the highest R_jk,  n_k: neurons of class k;  0 elsewhere

so that the readout y_k = sum_j w_jk c_j is the mean answer of the neurons of class k (Diehl & Cook 2015). Nothing but
the names is learned from labels, and nothing else hears of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.errors import UserError
from snnplast.learning import Assigns, Extends, Optimizer, Rule, SignalKind
from snnplast.network import Injection, Network, Projection
from snnplast.rules.references import DIEHL_2015
from snnplast.task import Record


class Votes(Extends, Assigns, Rule):
    """Readouts of neurons that are named by labels (Diehl & Cook 2015); they act once per trial.

    rate: at which the mean answer R to a class follows new trials of it, default 0.02, in (0, 1].

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> experiment = snn.Experiment(small_network("rate"), small_task(), snn.Votes(), iterations=1, engine="runtime")
    >>> with snn.open(experiment) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     [name for name in before if (sim.weights[name] != before[name]).any()]
    ['second_to_output', 'second_to_output_answers']
    """

    name: ClassVar[str] = "votes"
    reference: ClassVar[str] = DIEHL_2015
    learns: ClassVar[Literal["all", "hidden", "readouts"]] = "readouts"
    changes: ClassVar[Literal["after-trial", "within-trial"]] = "after-trial"
    batch_mode: ClassVar[Literal["independent", "sequential"]] = "sequential"

    rate: Annotated[float, Field(gt=0, le=1, description="at which mean answers follow new trials")] = 0.02

    def extend(self, network: Network, projections: Sequence[Projection]) -> Network:
        network = network.copy()
        for p in projections:
            if p.every != "trial":
                raise UserError(
                    f"rule 'votes': network.{p.name} acts step by step; every='trial' and the variable that counts "
                    "spikes are needed"
                )
            wired = {"connectivity": p.connectivity, "kind": "analog", "variable": p.variable, "every": "trial"}
            network.connect(p.source, p.target, name=_answers(p), weights=0.0, simulated=False, **wired)
        return network

    def parameters(self, network: Network, projections: Sequence[Projection]) -> Mapping[str, Optimizer | None]:
        return {name: None for p in projections for name in (p.name, _answers(p))}

    def inject(self, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> Injection:
        return Injection()

    def assign(self, record: Record, projections: Sequence[Projection], values: Mapping[str, np.ndarray]) -> None:
        for p in projections:
            pre, post = record.wiring[p.name].pre, record.wiring[p.name].post
            answer = record.during("response").ends[f"{p.source}.{p.variable}"]
            shown = record.target(p.target)[-1]
            mean = values[_answers(p)]
            mean += self.rate * shown[post] * (answer[pre] - mean)
            best = np.zeros(record.wiring[p.name].shape[0])
            np.maximum.at(best, pre, mean)
            named = np.flatnonzero((mean == best[pre]) & (best[pre] > 0))
            _, first = np.unique(pre[named], return_index=True)  # a neuron has one name
            voters = named[first]
            values[p.name][:] = 0
            values[p.name][voters] = 1 / np.bincount(post[voters])[post[voters]]


def _answers(projection: Projection) -> str:
    """Name of the projection that holds mean answers."""
    return f"{projection.name}_answers"
