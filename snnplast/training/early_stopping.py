"""Ends a run whose metric no longer becomes better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from snnplast.described import count
from snnplast.errors import UserError, unknown
from snnplast.training.callbacks import Moment


def lower_is_better(metric: str) -> bool:
    """Losses shall fall, everything else shall rise."""
    return metric.endswith("loss")


class EarlyStopping:
    """Ends a run when a metric has not become better for some rounds.

    metric: its name, such as "test_accuracy"; losses shall fall, everything else shall rise, unless `lower` says.
    patience: rounds in a row without a better value, >= 1. restore_best: whether the weights of the best round are
    those that the run leaves, however it ends but by an error. least: a better value is better by more than this.

    A run that goes on with it counts on from its checkpoint, and ends where it had ended uninterrupted.
    Raises `UserError` where one of these is out of range, and in the run where it has no such metric, or has watched
    another one until its checkpoint.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> experiment = snn.Experiment(small_network(), small_task(), snn.EProp(batch=10), epochs=9, engine="runtime")
    >>> stopping = snn.EarlyStopping("test_loss", patience=1, least=10.0)
    >>> len(snn.train(experiment, callbacks=[stopping]).metrics["test_loss"]), stopping.best_round
    (2, 1)
    """

    needs_trials = False

    def __init__(
        self,
        metric: str,
        patience: int = 5,
        restore_best: bool = True,
        lower: bool | None = None,
        least: float = 0.0,
    ) -> None:
        self.metric, self.restore_best = str(metric), restore_best
        self.patience = count("EarlyStopping.patience", patience)
        if isinstance(least, bool) or not isinstance(least, int | float) or not 0 <= least < np.inf:
            raise UserError(f"EarlyStopping.least = {least!r}: a number of at least 0 is needed")
        self.least = least
        self.lower = lower_is_better(metric) if lower is None else lower
        self.best, self.best_round = np.nan, 0

    def on_begin(self, moment: Moment) -> None:
        self.best, self.best_round, self._waited = np.nan, 0, 0
        self._kept: dict[str, np.ndarray] = {}
        self._known = False

    def on_update(self, moment: Moment) -> None:
        if not self._known:  # as early as the names are known, so that a misspelt one costs nothing
            tested = [f"test_{name}" for name in moment.tested if name in moment.metrics]
            self._check([*moment.metrics, *tested])

    def on_round(self, moment: Moment) -> None:
        self._check(moment.metrics)
        value = moment.metrics[self.metric]
        gain = self.best - value if self.lower else value - self.best
        if (np.isnan(self.best) and not np.isnan(value)) or gain > self.least:
            self.best, self.best_round, self._waited = value, moment.round, 0
            if self.restore_best:
                self._kept = {name: values.copy() for name, values in moment.weights.items()}
            return
        self._waited += 1
        if self._waited >= self.patience:
            moment.stop(
                f"{self.metric} was not better than {self.best:.5g}, that of {moment.per} {self.best_round}, "
                f"for {self.patience} {moment.per}s"
            )

    def on_end(self, moment: Moment) -> None:
        for name, values in self._kept.items():
            moment.weights[name][:] = values

    def state(self) -> Mapping[str, np.ndarray]:
        """'metric' (its letters), 'best', 'best_round', 'waited' (rounds since), 'kept/...' (weights of that round)."""
        return {
            "metric": np.frombuffer(self.metric.encode(), np.uint8),
            "best": np.array(self.best),
            "best_round": np.array(self.best_round),
            "waited": np.array(self._waited),
            **{f"kept/{name}": values for name, values in self._kept.items()},
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Count on from there."""
        if (metric := state["metric"].tobytes().decode()) != self.metric:
            raise UserError(f"EarlyStopping.metric = {self.metric!r}: the run that goes on has watched {metric!r}")
        self.best, self.best_round = float(state["best"]), int(state["best_round"])
        self._waited = int(state["waited"])
        kept = {name.removeprefix("kept/"): values for name, values in state.items() if name.startswith("kept/")}
        self._kept = kept if self.restore_best else {}

    def _check(self, names: Iterable[str]) -> None:
        if self.metric not in names:
            raise UserError(f"EarlyStopping: {unknown('metric', self.metric, names)}")
        self._known = True
