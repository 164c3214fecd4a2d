"""Random small networks for e-prop, in the library's terms and in the oracle's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest
from brian2 import ms
from hypothesis import strategies as st
from pydantic import PrivateAttr
from reference import e_prop as oracle

from snnplast.engine import COMPILED, NUMPY, EngineChoice, compiler_available
from snnplast.learning.optimizer import SGD, Adam
from snnplast.network.connectivity import ExplicitPairs
from snnplast.network.network import Network
from snnplast.network.neurons import ALIF, LIF
from snnplast.network.population import SpikeSource
from snnplast.network.readouts import LeakyReadout
from snnplast.rules.e_prop import EProp
from snnplast.simulation.run_trial import simulate
from snnplast.simulation.simulation import Simulation
from snnplast.task.objective import CrossEntropy, MeanSquaredError
from snnplast.task.task import Task
from snnplast.task.trial import Record, Segment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

THETA = 0.6
DIFFERING = ("tau_m", "v_threshold", "refractory", "tau_adapt")
"""Constants that a case may draw for each neuron; beta always is one per neuron."""
DELAYS = ("none", "zero", "uniform", "synapse", "mixed")
"""No delays, delays of 0 given explicitly, one per projection, one per synapse, or any of these per projection."""


@dataclass(frozen=True)
class Case:
    """One experiment. sizes: hidden populations; times in ms or steps of 1 ms, one tau_m and `adaptive` for each."""

    seed: int = 0
    inputs: int = 6
    sizes: tuple[int, ...] = (8,)
    outputs: int = 2
    steps: int = 60
    trials: int = 1
    tau_m: tuple[float, ...] = (20.0, 12.0, 28.0)
    tau_out: float | tuple[float, ...] = 15.0  # one number, or one for each readout
    refractory: int = 0
    beta: float = 0.0  # largest strength of threshold adaptation, 0 for LIF neurons
    adaptive: tuple[bool, ...] = (True, True, True)  # whether a population is of ALIF neurons where beta > 0
    tau_a: float = 60.0
    differ: frozenset[str] = frozenset()  # those of DIFFERING that neurons have one each of
    mixed: tuple[bool, ...] = (True, True, True)  # in which populations they do
    normalise: bool = False
    recurrent: bool = True  # hidden populations are connected with one another and with themselves
    links: float = 1.0  # share of these projections that exist
    direct: bool = False  # a projection from the source to the readout
    density: float = 1.0
    delays: str = "none"  # one of DELAYS
    longest: int = 6  # delay, steps
    surrogate: str = "piecewise-linear"
    window: int | None = None
    classify: bool = False
    feedback: str = "random"
    c_reg: float = 0.0
    rate_of: str = "trial"
    average: int = 1

    @property
    def names(self) -> list[str]:
        return [f"hidden{k}" for k in range(len(self.sizes))]


@st.composite
def drawn_cases(draw) -> Case:
    """Cases of every kind; in a few of them nothing may happen."""
    populations = draw(st.integers(1, 3))
    each = {"min_size": populations, "max_size": populations}
    classify = draw(st.booleans())
    outputs = draw(st.integers(1 + classify, 3))
    tau_out = st.floats(3, 40)
    return Case(
        seed=draw(st.integers(0, 2**32 - 1)),
        inputs=draw(st.integers(4, 9)),
        sizes=tuple(draw(st.lists(st.integers(2, 9), **each))),
        outputs=outputs,
        steps=draw(st.integers(30, 90)),
        tau_m=tuple(draw(st.lists(st.floats(5, 40), **each))),
        tau_out=tuple(draw(tau_out) for _ in range(outputs)) if draw(st.integers(0, 3)) == 3 else draw(tau_out),
        refractory=draw(st.integers(0, 4)),
        beta=draw(st.sampled_from([0.0, 0.2])),
        adaptive=tuple(draw(st.lists(st.booleans(), **each))),
        tau_a=draw(st.floats(20, 2000)),
        differ=draw(st.frozensets(st.sampled_from(DIFFERING))),
        mixed=tuple(draw(st.lists(st.booleans(), **each))),
        normalise=draw(st.booleans()),
        recurrent=draw(st.booleans()),
        links=draw(st.sampled_from([0.5, 1.0])),
        direct=draw(st.booleans()),
        density=draw(st.sampled_from([0.4, 1.0])),
        delays=draw(st.sampled_from(DELAYS)),
        surrogate=draw(st.sampled_from(sorted(oracle.SHAPES))),
        window=draw(st.sampled_from([None, 1, 20, 1000])),
        classify=classify,
        feedback=draw(st.sampled_from(["random", "symmetric"])),
        c_reg=draw(st.sampled_from([0.0, 300.0])),
        average=draw(st.sampled_from([1, 20])),
    )


def cases() -> st.SearchStrategy[Case]:
    """Cases in which every population spikes and every population's weights have a gradient."""
    return drawn_cases().filter(lambda case: Experiment(case).has_something_to_say())


@dataclass
class Experiment:
    """A case with its random numbers drawn. For each (source, target):

    weights: matrix (n_pre, n_post); masks: its synapses; delays: (n_pre, n_post) in steps, a number, or None.
    """

    lif: ClassVar[type[LIF]] = LIF
    alif: ClassVar[type[ALIF]] = ALIF

    case: Case
    weights: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    masks: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    delays: dict[tuple[str, str], np.ndarray | int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        case, rng = self.case, np.random.default_rng(self.case.seed)
        self.sizes = {"input": case.inputs, "output": case.outputs, **dict(zip(case.names, case.sizes, strict=True))}
        for k, target in enumerate(case.names):
            gain = 1 - np.exp(-1 / case.tau_m[k]) if case.normalise else 1.0
            strength = THETA / gain / np.sqrt(case.inputs)
            self._draw(rng, "input", target, 0.7 * strength, strength)
            for source in case.names if case.recurrent else ():
                if rng.random() < case.links:
                    self._draw(rng, source, target, 0.0, 0.3 * strength)
            self._draw(rng, target, "output", 0.0, 1.0)
        if case.direct:
            self._draw(rng, "input", "output", 0.0, 1.0)
        self.constants = {name: self._constants(rng, k) for k, name in enumerate(case.names)}
        shape, outputs = (case.trials, case.steps, case.inputs), case.outputs
        self.x = rng.random(shape) < 0.4
        one_hot = np.broadcast_to(
            np.eye(outputs)[rng.integers(outputs, size=case.trials)][:, None], (*shape[:2], outputs)
        )
        self.targets = one_hot if case.classify else rng.standard_normal(one_hot.shape)

    def _draw(self, rng: np.random.Generator, source: str, target: str, mean: float, deviation: float) -> None:
        ends, case, shape = (source, target), self.case, (self.sizes[source], self.sizes[target])
        mask = rng.random(shape) < case.density
        mask[0] = True  # never without a synapse
        if source == target:
            mask &= ~np.eye(len(mask), dtype=bool)
        self.masks[ends] = mask
        self.weights[ends] = mask * (mean + deviation * rng.standard_normal(shape))
        kind = case.delays if case.delays != "mixed" else rng.choice(["none", "zero", "uniform", "synapse"])
        several, one = rng.integers(case.longest + 1, size=shape), int(rng.integers(case.longest + 1))
        self.delays[ends] = {"none": None, "zero": 0, "uniform": one, "synapse": mask * several}[kind]

    def _constants(self, rng: np.random.Generator, k: int) -> dict[str, np.ndarray]:
        """What the neurons of a population are made of, (n,) each; times in ms."""
        case, n = self.case, self.case.sizes[k]
        differ = case.differ if case.mixed[k] else ()
        spread = {name: rng.uniform(0.6, 1.4, n) if name in differ else np.ones(n) for name in DIFFERING}
        refractory = rng.integers(case.refractory + 3, size=n) if "refractory" in differ else case.refractory
        return {
            "tau_m": case.tau_m[k] * spread["tau_m"],
            "v_threshold": THETA * spread["v_threshold"],
            "refractory": np.broadcast_to(refractory, n),
            "tau_adapt": case.tau_a * spread["tau_adapt"],
            "beta": case.beta * case.adaptive[k] * rng.random(n) * (rng.random(n) < 0.7),
        }

    # in the library's terms

    def network(self, **settings: Mapping[str, Any]) -> Network:
        """The network. settings: projection -> more of its fields."""
        case, net = self.case, Network()
        net.add("input", SpikeSource(case.inputs))
        for k, name in enumerate(case.names):
            neurons = {key: self._given(name, key) for key in ("tau_m", "v_threshold", "refractory")}
            if case.beta and case.adaptive[k]:
                adapting = {key: self._given(name, key) for key in ("beta", "tau_adapt")}
                population = self.alif(
                    case.sizes[k], reset="subtract-next", normalise_input=case.normalise, **neurons, **adapting
                )
            else:
                population = self.lif(case.sizes[k], reset="subtract-next", normalise_input=case.normalise, **neurons)
            net.add(name, population)
        net.add("output", LeakyReadout(case.outputs, tau_m=np.array(case.tau_out) * ms))
        for (source, target), matrix in self.weights.items():
            pre, post = np.nonzero(self.masks[source, target])
            steps = self.delays[source, target]
            delay = (
                {} if steps is None else {"delay": (steps[pre, post] if isinstance(steps, np.ndarray) else steps) * ms}
            )
            net.connect(
                source,
                target,
                weights=matrix,
                connectivity=ExplicitPairs(pre=pre, post=post),
                plastic=True,
                self_connections=source != target,
                **{**delay, **settings.get(f"{source}_to_{target}", {})},
            )
        return net

    def _given(self, population: str, name: str) -> Any:
        """A constant as the library takes it: one number where neurons agree."""
        values = self.constants[population][name]
        mixed = name in self.case.differ and self.case.mixed[self.case.names.index(population)]
        given = values if mixed or name == "beta" else values[0]
        return given if name in ("v_threshold", "beta") else given * ms

    def rule(self, evaluation: str, **settings: Any) -> EProp:
        case = self.case
        name = "firing-rate" if case.rate_of == "trial" else "batch-firing-rate"
        rate = {"name": name, "coefficient": case.c_reg}
        default = {
            "evaluation": evaluation,
            "third_factor": {"name": "readout-error", "feedback": case.feedback},
            "regularisers": (rate,) if case.c_reg else (),
            "average_gradient": case.average,
            "surrogate": case.surrogate,
        }
        return EProp(**{**default, **settings})

    @contextmanager
    def assembled(
        self, evaluation: str, engine: EngineChoice = NUMPY, recorded=(), projections=None, **settings
    ) -> Iterator[Simulation]:
        """The library's experiment. projections: more fields of projections; settings: of the rule."""
        network, rule = self.network(**(projections or {})), self.rule(evaluation, **settings)
        simulation = open_simulation(network, Trials(self).objective, rule, self.case.seed, engine, recorded=recorded)
        try:
            yield simulation
        finally:
            simulation.engine.close()

    def trainer(self, simulation: Simulation, iterations: int = 1, **settings: Any) -> Trainer:
        return Trainer(simulation, Trials(self), iterations, **settings)

    def run(self, evaluation: str, engine: EngineChoice = NUMPY, **settings: Any) -> Outcome:
        """The first trial in the library."""
        with self.assembled(evaluation, engine, **settings) as simulation:
            return self.outcome(simulation)

    def outcome(self, simulation: Simulation, index: int = 0) -> Outcome:
        """One trial of an simulation."""
        (plasticity,) = simulation.plasticities
        simulation.tie()
        record = simulate(simulation, Trials(self).trial(index), index, 0, np.random.default_rng(0))
        gradients = {name: np.array(g) for name, g in plasticity.gradient(record, simulation.objective).items()}
        return Outcome(record, gradients, self.feedback(simulation))

    def feedback(self, simulation: Simulation) -> np.ndarray:
        """B (n, n_out) of all hidden neurons, a copy."""
        names = [f"feedback_{name}" for name in self.case.names]
        return np.vstack([simulation.plan.wiring[name].matrix(simulation.values[name]).T for name in names])

    # in the oracle's terms: all populations are blocks of one

    def model(self) -> oracle.Model:
        case = self.case
        neurons = {key: np.concatenate([c[key] for c in self.constants.values()]) for key in (*DIFFERING, "beta")}
        return oracle.Model(
            task="classification" if case.classify else "regression",
            window=case.window,
            tau_m=neurons["tau_m"],
            tau_out=np.array(case.tau_out),
            tau_a=neurons["tau_adapt"],
            beta=neurons["beta"],
            v_threshold=neurons["v_threshold"],
            refractory=neurons["refractory"],
            unit_gain=not case.normalise,
            delays=self._blocks({ends: 0 if steps is None else steps for ends, steps in self.delays.items()}),
            surrogate=case.surrogate,
            c_reg=case.c_reg,
            rate_of=case.rate_of,
            average=case.average,
        )

    def matrices(self, feedback: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """All weights. feedback: B (n, n_out) where it is not that of the readout."""
        weights = self._blocks(self.weights)
        return {**weights, "feedback": weights["out"].T if feedback is None else feedback}

    def _blocks(self, parts: Mapping[tuple[str, str], Any]) -> dict[str, np.ndarray]:
        """The oracle's matrices [post, pre], 0 where there is no projection."""
        hidden = self.case.names
        sides = {"in": (["input"], hidden), "rec": (hidden, hidden), "out": (hidden, ["output"])}
        if self.case.direct:
            sides["direct"] = (["input"], ["output"])
        if not self.case.recurrent:
            del sides["rec"]
        return {
            name: np.block(
                [
                    [parts.get((s, t), 0) + np.zeros((self.sizes[s], self.sizes[t]), int) for t in targets]
                    for s in sources
                ]
            ).T
            for name, (sources, targets) in sides.items()
        }

    def masked(self, gradient: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A gradient of the oracle without entries where there is no synapse; feedback goes everywhere."""
        masks = self._blocks(self.masks)
        return {name: g * masks.get(name, 1) for name, g in gradient.items()}

    def by_projection(self, matrices: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The oracle's matrices as the library has them: projection -> (n_synapses,)."""
        starts = dict(zip(self.case.names, np.cumsum((0, *self.case.sizes)), strict=False))
        found = {}
        for (source, target), mask in self.masks.items():
            row, column = starts.get(source, 0), starts.get(target, 0)
            whole = matrices[oracle_name(source, target)].T
            block = whole[row : row + mask.shape[0], column : column + mask.shape[1]]
            found[f"{source}_to_{target}"] = block[mask]
        return found

    def by_population(self, feedback: np.ndarray) -> dict[str, np.ndarray]:
        """B (n, n_out) as the library has it: feedback_<population> -> (n_synapses,)."""
        parts = np.split(feedback, np.cumsum(self.case.sizes)[:-1])
        return {f"feedback_{name}": part.T.reshape(-1) for name, part in zip(self.case.names, parts, strict=True)}

    def oracle_trial(self, weights: dict[str, np.ndarray], index: int = 0) -> oracle.Trial:
        return oracle.simulate(self.model(), weights, self.x[index], self.targets[index])

    def run_oracle(self, feedback: np.ndarray | None = None) -> tuple[oracle.Trial, dict[str, np.ndarray]]:
        """The first trial by the oracle; gradients by projection, as the library's."""
        weights = self.matrices(feedback)
        trial = self.oracle_trial(weights)
        return trial, self.by_projection(oracle.gradient_online(self.model(), weights, trial))

    def has_something_to_say(self) -> bool:
        """Whether every population spikes and is reached by some nonzero gradient, for feedback of any values."""
        n = sum(self.case.sizes)
        weights = self.matrices(np.random.default_rng(0).standard_normal((n, self.case.outputs)))
        model, trial = self.model(), self.oracle_trial(weights)
        gradient = oracle.gradient_factored(model, weights, trial)
        starts = np.cumsum(self.case.sizes)[:-1]
        alive = [part.any() for part in np.split(trial.z, starts, axis=1)]
        moved = [
            part.any()
            for part in np.split(np.hstack([gradient["in"], gradient.get("rec", 0 * gradient["in"])]), starts)
        ]
        return all(alive) and all(moved) and bool(gradient["out"].any())


def oracle_name(source: str, target: str) -> str:
    """Which of the oracle's matrices holds a projection."""
    if target == "output":
        return "direct" if source == "input" else "out"
    return "in" if source == "input" else "rec"


engines = pytest.mark.parametrize(
    "engine",
    [
        NUMPY,
        pytest.param(
            COMPILED,
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH"),
            ],
        ),
    ],
)
"""A test on both engines, the compiled one among the slow tests."""


class KeepingSGD(SGD):
    """Gradient descent that remembers the gradients it was given."""

    _gradients: list = PrivateAttr(default_factory=list)

    def step(self, gradient, state, eta):
        self._gradients.append(gradient.copy())
        return super().step(gradient, state, eta)


class KeepingAdam(Adam):
    """Adam that remembers the gradients it was given."""

    _gradients: list = PrivateAttr(default_factory=list)

    def step(self, gradient, state, eta):
        self._gradients.append(gradient.copy())
        return super().step(gradient, state, eta)


@dataclass(frozen=True)
class Outcome:
    record: Record
    gradients: dict[str, np.ndarray]
    feedback: np.ndarray


def events(spikes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(steps, indices) of spikes (T, n)."""
    steps, indices = np.nonzero(spikes)
    return steps, indices


class Trials(Task):
    """The experiment's trials, over and over."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment, self.seed = experiment, 0
        objective = CrossEntropy if experiment.case.classify else MeanSquaredError
        self.objective = objective(window=experiment.case.window)

    def trial(self, index: int):
        x, target = (part[index % len(part)] for part in (self.experiment.x, self.experiment.targets))
        yield Segment(len(x), {"input": events(x)}, {"output.target": target})
