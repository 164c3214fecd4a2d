"""The e-prop iteration in NEST >= 3.8, with its own models eprop_*_bsshslm_2020 and the settings of its tutorial.

Timed without recording; the losses are those of another run that records, which costs time. Weights are changed when
the next spike arrives, so there are none to compare after a number of iterations.
"""

from __future__ import annotations

from typing import Any

import common
import nest  # pyright: ignore[reportMissingImports]
import numpy as np

nest.verbosity = nest.VerbosityLevel.ERROR


class InNest:
    """The network of a problem. record: the error, from which losses are read."""

    def __init__(self, given: dict[str, Any], record: bool) -> None:
        self.given, self.steps, self.done = given, given["steps"], 0
        self.inputs, self.n = given["w_in"].shape
        nest.ResetKernel()
        nest.set(
            eprop_learning_window=float(self.steps), eprop_update_interval=float(self.steps), resolution=1.0,
            eprop_reset_neurons_on_update=True, total_num_virtual_procs=1, print_time=False,
        )  # fmt: skip
        self.generators = nest.Create("spike_generator", self.inputs)
        neurons = self._neurons()
        self.target = nest.Create(
            "step_rate_generator", 1
        )  # last: it is a step late where it stands before the readout
        readout = self._connected(*neurons)
        self.meter = None
        if record:
            self.meter = nest.Create("multimeter", {"interval": 1.0, "record_from": ["error_signal"], "start": 4.0})
            nest.Connect(self.meter, readout, "all_to_all", {"synapse_model": "static_synapse", "delay": 1.0})

    def _neurons(self) -> tuple[Any, Any, Any]:
        """Inputs, recurrent neurons and readout."""
        given, threshold = self.given, self.given["threshold"]
        shared = {"C_m": 1.0, "E_L": 0.0, "I_e": 0.0, "V_m": 0.0, "tau_m": given["tau"], "regular_spike_arrival": False}
        learning = {
            "surrogate_gradient_function": "piecewise_linear", "surrogate_gradient_height": 0.3 / threshold,
            "surrogate_gradient_width": threshold, "c_reg": given["regulariser"], "f_target": 1e3 * given["rate"],
        }  # fmt: skip
        return (
            nest.Create("parrot_neuron", self.inputs),
            nest.Create("eprop_iaf_bsshslm_2020", self.n, {**shared, **learning, "V_th": threshold, "t_ref": 0.0}),
            nest.Create("eprop_readout_bsshslm_2020", 1, {**shared, "loss": "mean_squared_error"}),
        )

    def _connected(self, inputs: Any, hidden: Any, readout: Any) -> Any:
        """All synapses; returns the readout."""
        given = self.given
        optimizer = {"type": "gradient_descent", "batch_size": 1, "eta": given["eta"], "optimize_each_step": False}
        optimizer |= {"Wmin": -100.0, "Wmax": 100.0}
        nest.SetDefaults("eprop_synapse_bsshslm_2020", {"average_gradient": False, "optimizer": optimizer})
        nest.Connect(self.generators, inputs, "one_to_one", {"synapse_model": "static_synapse", "delay": 1.0})
        for source, goal, name in ((inputs, hidden, "w_in"), (hidden, hidden, "w_rec"), (hidden, readout, "w_out")):
            rule = {"rule": "all_to_all", "allow_autapses": False}
            synapse = {"synapse_model": "eprop_synapse_bsshslm_2020", "delay": 1.0, "tau_m_readout": given["tau"]}
            nest.Connect(source, goal, rule, {**synapse, "weight": 1.0})
            found = nest.GetConnections(source, goal)
            pre, post = np.array(found.source) - source[0].global_id, np.array(found.target) - goal[0].global_id
            found.weight = given[name].reshape(len(source), len(goal))[pre, post]
        feedback = {"synapse_model": "eprop_learning_signal_connection_bsshslm_2020", "delay": 1.0}
        nest.Connect(readout, hidden, "all_to_all", {**feedback, "weight": given["feedback"].reshape(-1, 1)})
        rate = {"synapse_model": "rate_connection_delayed", "delay": 1.0, "receptor_type": 2}
        nest.Connect(self.target, readout, "one_to_one", rate)
        return readout

    def schedule(self, iterations: int) -> None:
        """The input spikes and the targets of so many iterations from the first on."""
        begins = np.arange(iterations)[:, None] * self.steps
        for k, generator in enumerate(self.generators):
            mine = self.given["spike_steps"][self.given["spike_indices"] == k]
            generator.spike_times = (begins + mine + 1).ravel().astype(float)
        times = np.arange(iterations * self.steps) + 4.0
        self.target.set(amplitude_times=times, amplitude_values=np.tile(self.given["target"], iterations))

    def iterate(self, iterations: int) -> None:
        """5 steps more before the first one: what the delays between generators and readout add up to."""
        nest.Simulate(float(iterations * self.steps + (0 if self.done else 5)))
        self.done += iterations

    def losses(self) -> list[float]:
        errors = self.meter.events["error_signal"]
        parts = [errors[k * self.steps : (k + 1) * self.steps] for k in range(self.done)]
        return [0.5 * float(np.sum(np.square(part))) for part in parts]


def main() -> None:
    given = common.problem()
    recorded = InNest(given, record=True)
    recorded.schedule(common.COMPARED)
    one = common.seconds(recorded.iterate, common.COMPARED) / common.COMPARED
    losses = recorded.losses()
    count = common.per_round(one)
    silent = InNest(given, record=False)
    silent.schedule(1 + given["rounds"] * count)
    silent.iterate(1)
    ms = [1e3 * common.seconds(silent.iterate, count) / count for _ in range(given["rounds"])]
    common.give(losses=losses, ms=ms)


if __name__ == "__main__":
    main()
