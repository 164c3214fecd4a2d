"""Random small LIF networks for e-prop, in the library's terms and in the oracle's."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from reference import e_prop as oracle

from snnplast.assemble import Assembly, assemble
from snnplast.connectivity import ExplicitPairs
from snnplast.network import Network
from snnplast.neurons import ALIF, LIF
from snnplast.objective import CrossEntropy, MeanSquaredError
from snnplast.population import SpikeSource
from snnplast.readouts import LeakyReadout
from snnplast.rules.e_prop import EProp
from snnplast.simulate import simulate
from snnplast.task import Task
from snnplast.trial import Record, Segment

THETA = 0.6


@dataclass(frozen=True)
class Case:
    """One experiment. sizes: hidden populations, connected with one another; times in ms, one tau_m per population."""

    seed: int = 0
    inputs: int = 6
    sizes: tuple[int, ...] = (8,)
    outputs: int = 2
    steps: int = 60
    tau_m: tuple[float, ...] = (20.0, 12.0)
    tau_out: float | np.ndarray = 15.0
    refractory: int = 0
    beta: float = 0.0  # largest strength of threshold adaptation, 0 for LIF neurons
    tau_a: float = 60.0
    normalise: bool = False
    recurrent: bool = True
    density: float = 1.0
    window: int | None = None
    classify: bool = False
    feedback: str = "random"
    c_reg: float = 0.0
    average: int = 1

    @property
    def names(self) -> list[str]:
        return [f"hidden{k}" for k in range(len(self.sizes))]


@dataclass
class Experiment:
    """A case with its random numbers drawn. weights: (source, target) -> (matrix (n_pre, n_post), mask of synapses)."""

    case: Case
    weights: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        case, rng = self.case, np.random.default_rng(self.case.seed)
        sizes = {"input": case.inputs, "output": case.outputs, **dict(zip(case.names, case.sizes, strict=True))}
        for k, (target, n) in enumerate(zip(case.names, case.sizes, strict=True)):
            gain = 1 - np.exp(-1 / case.tau_m[k]) if case.normalise else 1.0
            strength = THETA / gain / np.sqrt(case.inputs)
            self._draw(rng, "input", target, strength * (0.7 + rng.standard_normal((case.inputs, n))))
            for source in case.names if case.recurrent else ():
                self._draw(rng, source, target, 0.3 * strength * rng.standard_normal((sizes[source], n)))
            self._draw(rng, target, "output", rng.standard_normal((n, case.outputs)))
        self.beta = [case.beta * rng.random(n) * (rng.random(n) < 0.7) for n in case.sizes]
        self.spikes = np.nonzero(rng.random((case.steps, case.inputs)) < 0.4)
        one_hot = np.broadcast_to(np.eye(case.outputs)[rng.integers(case.outputs)], (case.steps, case.outputs))
        self.target = one_hot if case.classify else rng.standard_normal((case.steps, case.outputs))

    def _draw(self, rng: np.random.Generator, source: str, target: str, matrix: np.ndarray) -> None:
        mask = rng.random(matrix.shape) < self.case.density
        mask[0] = True  # never without a synapse
        if source == target:
            mask &= ~np.eye(len(matrix), dtype=bool)
        self.weights[source, target] = matrix * mask, mask

    def network(self) -> Network:
        case, net = self.case, Network()
        net.add("input", SpikeSource(case.inputs))
        for name, size, tau, beta in zip(case.names, case.sizes, case.tau_m, self.beta, strict=False):
            settings = {"tau_m": f"{tau!r} ms", "refractory": f"{case.refractory} ms", "reset": "subtract-next"}
            settings |= {"v_threshold": THETA, "normalise_input": case.normalise}
            adapting = {"beta": beta, "tau_adapt": f"{case.tau_a!r} ms"}
            net.add(name, ALIF(size, **settings, **adapting) if case.beta else LIF(size, **settings))
        tau_out = [f"{tau!r} ms" for tau in np.atleast_1d(case.tau_out).tolist()]
        net.add("output", LeakyReadout(case.outputs, tau_m=tau_out if len(tau_out) > 1 else tau_out[0]))
        for (source, target), (matrix, mask) in self.weights.items():
            pre, post = np.nonzero(mask)
            net.connect(
                source, target, weights=matrix, connectivity=ExplicitPairs(pre=pre, post=post), plastic=True,
                self_connections=source != target,
            )  # fmt: skip
        return net

    def rule(self, evaluation: str) -> EProp:
        return EProp(
            evaluation=evaluation,
            third_factor={"name": "readout-error", "feedback": self.case.feedback},
            regularisers=({"name": "firing-rate", "coefficient": self.case.c_reg},) if self.case.c_reg else (),
            average_gradient=self.case.average,
        )

    def run(self, evaluation: str, engine: str = "runtime", target: str = "numpy") -> Outcome:
        """One trial in the library."""
        task = OneTrial(self)
        assembly = assemble(self.network(), task.objective, self.rule(evaluation), self.case.seed, engine, target)
        (teacher,) = assembly.teachers
        for factor, _ in teacher.factors:
            factor.prepare(assembly.network, assembly.values, assembly.plan.wiring)
        record = simulate(assembly, task.trial(0), 0, 0, np.random.default_rng(0))
        gradients = {name: np.array(g) for name, g in teacher.gradient(record, assembly.objective).items()}
        outcome = Outcome(record, gradients, self._feedback(assembly))
        assembly.engine.close()
        return outcome

    def _feedback(self, assembly: Assembly) -> np.ndarray:
        """B (n, n_out) of all hidden neurons."""
        names = [f"feedback_{name}" for name in self.case.names]
        return np.vstack([assembly.plan.wiring[name].matrix(assembly.values[name]).T for name in names])

    def run_oracle(self, feedback: np.ndarray) -> tuple[oracle.Trial, dict[str, np.ndarray]]:
        """The same trial by the oracle, its populations blocks of one; gradients by projection, as the library's."""
        case = self.case
        model = oracle.Model(
            task="classification" if case.classify else "regression",
            window=case.window,
            tau_m=np.repeat(case.tau_m[: len(case.sizes)], case.sizes),
            tau_out=case.tau_out,
            v_threshold=THETA,
            refractory=case.refractory,
            beta=np.concatenate(self.beta),
            tau_a=case.tau_a,
            unit_gain=not case.normalise,
            c_reg=case.c_reg,
            average=case.average,
        )
        weights = {"in": self._blocks(["input"], case.names), "out": self._blocks(case.names, ["output"])}
        weights["feedback"] = feedback
        if case.recurrent:
            weights["rec"] = self._blocks(case.names, case.names)
        x = np.zeros((case.steps, case.inputs))
        x[self.spikes] = 1
        trial = oracle.simulate(model, weights, x, self.target)
        found = oracle.gradient_online if np.ndim(case.tau_out) == 0 else oracle.gradient_factored
        return trial, self._by_projection(found(model, weights, trial))

    def _blocks(self, sources: list[str], targets: list[str]) -> np.ndarray:
        """The matrix [post, pre] of all these projections."""
        return np.block([[self.weights[source, target][0] for target in targets] for source in sources]).T

    def _by_projection(self, gradient: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        starts = dict(zip(self.case.names, np.cumsum((0, *self.case.sizes)), strict=False))
        found = {}
        for (source, target), (matrix, mask) in self.weights.items():
            whole = gradient["in" if source == "input" else "out" if target == "output" else "rec"].T
            row, column = starts.get(source, 0), starts.get(target, 0)
            block = whole[row : row + matrix.shape[0], column : column + matrix.shape[1]]
            found[f"{source}_to_{target}"] = block[mask]
        return found


@dataclass(frozen=True)
class Outcome:
    record: Record
    gradients: dict[str, np.ndarray]
    feedback: np.ndarray


class OneTrial(Task):
    """The experiment's spikes and target, whatever the index."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        objective = CrossEntropy if experiment.case.classify else MeanSquaredError
        self.objective = objective(window=experiment.case.window)

    def trial(self, index: int):
        yield Segment(
            self.experiment.case.steps, {"input": self.experiment.spikes}, {"output.target": self.experiment.target}
        )
