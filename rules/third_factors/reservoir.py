r"""Reservoir: a class-gated working memory in the same simulation, whose trained readout is the third factor.

Every unit belongs to the pool of one class c(i). In the response step after a sample with class y and layer
representation z, the gate g_i = [c(i) = y] opens one pool; the readout sees the state r before this sample:

    xi = W_open (g r) + W_closed ((1 - g) r) + W_z z
    r <- r + g leak (tanh(W_in z + W_rec r) - r)

The readout is fitted a priori by ridge regression to the exact HSIC signal, scaled to unit root mean square, on streams
of random classes seen through random encoders. It never sees data of the task.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from snnplast.connectivity import ExplicitPairs
from snnplast.errors import UserError
from snnplast.fragments import Update
from snnplast.network import Network
from snnplast.population import Analog
from snnplast.rules.third_factors.hsic import HSIC
from snnplast.rules.third_factors.streams import Streams
from snnplast.task import SOURCES, stream
from snnplast.third_factor import Context, Pretraining, State
from snnplast.trial import Record, Segment

_UNITS = """
    r : 1
    gate : 1
    drive : 1
    opened = r*gate : 1
    closed = r*(1 - gate) : 1
"""
_STEP = Update("r = r + gate*leak*(tanh(drive) - r)\ndrive = 0", "after_synapses", event="trial")


class Reservoir(HSIC):
    """Class-gated rate reservoir per layer. Window, gamma and sigmas define the exact signal it is trained to give.

    units: number of units, default 500. leak: share of the state that one sample renews, default 0.3, in (0, 1].
    input_scale: W_in ~ N(0, input_scale^2 / D), default 0.3. radius: spectral radius of W_rec, default 0.5, >= 0.
    connectivity: probability of a recurrent connection within a pool, default 0.1.
    streams, stream_length: synthetic streams for the a-priori fit, defaults 150 of 150 samples.
    ridge: regularisation relative to the mean squared feature, default 1e-2, > 0.
    """

    name: ClassVar[str] = "reservoir"

    units: Annotated[int, Field(ge=1, description="reservoir units per layer")] = 500
    leak: Annotated[float, Field(gt=0, le=1, description="share of the state renewed by one sample")] = 0.3
    input_scale: Annotated[float, Field(ge=0, description="scale of the input weights")] = 0.3
    radius: Annotated[float, Field(ge=0, description="spectral radius of the recurrent weights")] = 0.5
    connectivity: Annotated[float, Field(gt=0, le=1, description="recurrent connections within a pool")] = 0.1
    streams: Annotated[int, Field(ge=1, description="synthetic streams")] = 150
    stream_length: Annotated[int, Field(ge=2, description="samples per stream")] = 150
    ridge: Annotated[float, Field(gt=0, description="relative regularisation of the fit")] = 1e-2

    def extend(self, context: Context) -> Network:
        network = context.network.copy()
        for target in context.targets:
            self._add_reservoir(network, target, self._classes(context), context.seed)
            size = network.population(target).size
            network.add(f"{target}_third_factor", Analog(size, equations="drive : 1"))
            for variable in ("opened", "closed"):
                self._connect_readout(network, f"{target}_reservoir", target, variable)
            self._connect_readout(network, target, target, "z")
        return network

    def init(self, context: Context) -> State:
        return super().init(context) | {f"{name}.correlation": np.full((), np.nan) for name in context.targets}

    def responses(self, context: Context) -> tuple[str, ...]:
        return tuple(f"{name}_third_factor.drive" for name in context.targets)

    def respond(self, record: Record, targets: Sequence[str], state: State) -> dict[str, np.ndarray]:
        label = next(series for name, series in record.series.items() if name.endswith(".target"))[-1]
        return {f"{name}_reservoir.gate": label[self._pools(label.size)] for name in targets}

    def raw(self, record: Record, targets: Sequence[str], state: State) -> dict[str, np.ndarray | None]:
        signals: dict[str, np.ndarray | None] = {}
        for name, exact in super().raw(record, targets, state).items():
            signals[name] = None
            if exact is not None:
                given = signals[name] = record.response[f"{name}_third_factor.drive"]
                state[f"{name}.correlation"][...] = _correlation(given, exact)
        return signals

    def report(self, state: State) -> dict[str, float]:
        found = [float(v) for key, v in state.items() if key.endswith(".correlation") and np.isfinite(v)]
        return {"third_factor_correlation": float(np.mean(found))} if found else {}

    def pretraining(self, context: Context) -> list[Pretraining]:
        return [self._pretraining(context, target) for target in context.targets]

    def _classes(self, context: Context) -> int:
        classes = context.network.population(context.objective.readout).size
        if self.units < classes:
            raise UserError(f"third factor 'reservoir': units = {self.units}: at least {classes}, one per class")
        return classes

    def _pools(self, classes: int) -> np.ndarray:
        """Class of each unit (units,)."""
        return np.arange(self.units) % classes

    def _add_reservoir(self, network: Network, target: str, classes: int, seed: int) -> None:
        rng = stream(seed, SOURCES, 4)
        pool, name, size = self._pools(classes), f"{target}_reservoir", network.population(target).size
        square = (self.units, self.units)
        connected = (rng.random(square) < self.connectivity) & (pool[:, None] == pool)
        recurrent = rng.standard_normal(square) * connected
        largest = np.abs(np.linalg.eigvals(recurrent)).max()
        recurrent *= self.radius / largest if largest > 0 else 0.0
        pre, post = np.nonzero(recurrent)
        units = Analog(self.units, equations=_UNITS, updates=(_STEP,), constants={"leak": self.leak}, persistent=("r",))
        network.add(name, units)
        inputs = self.input_scale / np.sqrt(size) * rng.standard_normal((size, self.units))
        network.connect(target, name, kind="analog", variable="z", every="trial", weights=inputs)
        if pre.size:
            network.connect(
                name,
                name,
                kind="analog",
                variable="r",
                every="trial",
                connectivity=ExplicitPairs(pre=pre, post=post),
                weights=recurrent[pre, post],
            )

    def _connect_readout(self, network: Network, source: str, target: str, variable: str) -> None:
        network.connect(
            source,
            f"{target}_third_factor",
            name=f"{target}_third_factor_from_{variable}",
            kind="analog",
            variable=variable,
            every="trial",
            weights=0.0,
        )

    def _pretraining(self, context: Context, target: str) -> Pretraining:
        """The reservoir alone, fed with synthetic streams: one trial per stream, one response step per sample."""
        size, classes = context.network.population(target).size, self._classes(context)
        network = Network(dt="1 ms")
        network.add(target, Analog(size, equations="z : 1", into="z"))
        self._add_reservoir(network, target, classes, context.seed)
        streams = Streams(self.streams, self.stream_length, classes, size, context.seed)
        pool, reservoir = self._pools(classes), f"{target}_reservoir"

        def trials() -> Iterator[Segment]:
            for _, y, z in streams:
                yield Segment(self.stream_length, series={f"{target}.z": z, f"{reservoir}.gate": y[:, pool]})

        def fit(records: list[Record]) -> dict[str, np.ndarray]:
            features, wanted = [], []
            for record, (x, y, z) in zip(records, streams, strict=True):
                r = record.history[f"{reservoir}.r"]
                before = np.vstack([np.zeros((1, self.units)), r[:-1]])
                gate = record.series[f"{reservoir}.gate"]
                seen = slice(self.window - 1, None)
                features.append(np.hstack([before * gate, before * (1 - gate), z])[seen])
                wanted.append(self._exact(x, y, z)[seen])
            weights = _ridge(np.vstack(features), np.vstack(wanted), self.ridge)
            parts = np.split(weights, [self.units, 2 * self.units])
            return {
                f"{target}_third_factor_from_{name}": part.reshape(-1)
                for name, part in zip(("opened", "closed", "z"), parts, strict=True)
            }

        settings = f"{self.model_dump_json(exclude={'transforms'})} {target} {size} {classes} {context.seed}"
        key = hashlib.sha256(settings.encode()).hexdigest()
        return Pretraining(key, network, (f"{reservoir}.r",), trials, fit)

    def _exact(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Exact signal of every sample of a stream (length, D), over its root mean square."""
        n = self.window
        state = {"x": np.zeros((n, x.shape[1])), "y": np.zeros((n, y.shape[1])), "z": np.zeros((n, z.shape[1]))}
        state |= {"kernel": np.zeros((n, n)), "seen": np.zeros((), np.int64)}
        xi = np.zeros_like(z)
        for k in range(len(z)):
            row = self.remember(x[k], y[k], state)
            state["z"][row] = z[k]
            if k >= n - 1:
                xi[k] = self.gradient(state["kernel"], state["z"], row)
        return xi / np.sqrt(np.mean(xi[n - 1 :] ** 2))


def _ridge(features: np.ndarray, wanted: np.ndarray, relative: float) -> np.ndarray:
    """W (F, D) minimising |X W - Y|^2 + relative * mean(diag X'X) |W|^2."""
    gram = features.T @ features
    gram[np.diag_indices_from(gram)] += relative * np.trace(gram) / len(gram)
    return np.linalg.solve(gram, features.T @ wanted)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation over the neurons of a layer; nan where one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else float("nan")
