"""What rules that learn within the trial must show: STDP's window, triplets, competition, distal reward, balance.

    python benchmarks/plasticity.py window triplet competition reward balance [--seeds 0 1 2] [--output DIRECTORY]

window: pairs at -50 to 50 ms under `stdp`, beside the analytic curve.
triplet: 60 pairings at 0.1 to 50 Hz under `triplet-stdp`, beside the data of Sjostroem et al. (2001).
competition: 1,000 Poisson synapses onto one neuron (Song et al. 2000), for 2,000 s.
reward: the synapse that is rewarded seconds later (Izhikevich 2007), for an hour; the same with reward at random times.
balance: inhibitory plasticity in a recurrent network (Vogels et al. 2011), for 200 s.

Each prints a table and draws a figure; all are on the compiled engine.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import snnplast as snn
from snnplast.report.figures import COLOURS, GREY, bare, blank_figure, image

OUTPUT = Path("docs/how-to/plasticity")


def save(figure, name: str) -> None:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / f"{name}.png").write_bytes(image(figure, "png"))


def spread(values: Sequence[float], digits: int = 2) -> str:
    return f"{np.mean(values):.{digits}f} +- {np.std(values):.{digits}f}"


class Spikes(snn.Task):
    """Given spikes of the source, and of neurons that spike whenever their drive does."""

    epoch = 1

    def __init__(self, steps, pre, post):
        self.steps, self.pre, self.post = steps, pre, post

    def trial(self, index):
        yield snn.Segment(self.steps, {"input": self.pre, "drive": self.post})


def paired(rule, dt, steps, pre, post, sizes, bounds) -> np.ndarray:
    """Changes of weights by given spikes, one synapse per driven neuron."""
    net = snn.Network(dt=f"{dt} ms")
    net.add("input", snn.SpikeSource(sizes[0]))
    net.add("drive", snn.SpikeSource(sizes[1]))
    relay = {"threshold": "v > 0.5", "reset": "v = 0", "into": "v", "threshold_scale": 1.0}
    net.add("relay", snn.CustomNeurons(sizes[1], equations="v : 1\nheard : 1", **relay))
    net.connect("drive", "relay", connectivity=snn.OneToOne(), weights=1.0)
    connectivity = snn.AllToAll() if sizes[0] == 1 else snn.OneToOne()
    net.connect("input", "relay", name="synapses", into="heard", connectivity=connectivity, weights=1.0, bounds=bounds,
                plastic=True)  # fmt: skip
    with snn.open(snn.Experiment(net, Spikes(steps, pre, post), rule, epochs=1)) as sim:
        sim.update()
        return sim.weights["synapses"] - 1.0


def window(seeds: Sequence[int]) -> None:
    deltas = np.arange(-500, 501, 5)  # steps of 0.1 ms
    post = np.sort(600 + deltas), np.arange(deltas.size)
    figure = blank_figure(3.0, 4.6)
    axis = bare(figure.subplots())
    settings = {"a_plus": 0.005, "a_minus": 0.00525, "tau_plus": "17 ms", "tau_minus": "34 ms"}
    pre, sizes = (np.array([600]), np.array([0])), (1, deltas.size)
    change = paired(snn.STDP(**settings), 0.1, 1200, pre, post, sizes, bounds=(0, 2)) / 2
    time = deltas * 0.1
    analytic = np.where(time >= 0, 0.005 * np.exp(-time / 17), -0.00525 * np.exp(time / 34))
    print(f"window: {deltas.size} pairs, largest difference {np.abs(change - analytic).max():.1e}")
    for side, label in ((time >= 0, "analytic"), (time < 0, None)):
        axis.plot(time[side], 100 * analytic[side], color=GREY, linewidth=1, label=label)
    axis.plot(time[::4], 100 * change[::4], "o", color=COLOURS[0], markersize=3, label="pair of spikes")
    axis.axhline(0, color=GREY, linewidth=0.5)
    axis.axvline(0, color=GREY, linewidth=0.5)
    axis.set(xlabel="$t_{post} - t_{arrival}$ (ms)", ylabel="change (% of the bound)")
    axis.legend(frameon=False, fontsize=9)
    save(figure, "window")


SJOSTROEM = np.array([
    # Hz, change at +10 ms, standard error, at -10 ms, standard error
    (0.1, -0.04, 0.05, -0.29, 0.08), (10, 0.14, 0.10, -0.41, 0.11), (20, 0.29, 0.14, -0.34, 0.10),
    (40, 0.53, 0.11, 0.56, 0.32), (50, 0.56, 0.26, 0.75, 0.19),
])  # fmt: skip


def summed(constants, pairing, period, delta, count=60) -> float:
    """The change by `count` pairs, spike by spike, as the paper's equations have it; times in s."""
    pre, post = np.arange(count) * period, np.arange(count) * period + delta

    def past(t, spikes, tau):
        past_ones = spikes[spikes < t - 1e-9]
        return np.exp(-(t - (past_ones[-1:] if pairing == "nearest" else past_ones)) / tau).sum()

    c, change = constants, 0.0
    for t in post:
        change += past(t, pre, 0.0168) * (c["a2_plus"] + c["a3_plus"] * past(t, post, c["tau_y"]))
    for t in pre:
        triplets = c["a3_minus"] * past(t, pre, c["tau_x"]) if c["a3_minus"] else 0.0
        change -= past(t, post, 0.0337) * (c["a2_minus"] + triplets)
    return change


def triplet(seeds: Sequence[int]) -> None:
    periods = np.array([10_000, 1000, 200, 100, 67, 50, 40, 33, 29, 25, 22, 20])  # ms
    shown = [(period, delta) for period in periods for delta in (10, -10)]
    trains = [20 + period * np.arange(60) for period, _ in shown]
    pre = [(t, k) for k, train in enumerate(trains) for t in train]
    post = [(t + shown[k][1], k) for k, train in enumerate(trains) for t in train]
    pre, post = (tuple(np.array(sorted(spikes)).T) for spikes in (pre, post))
    print("triplet: constants, largest difference from sums over triplets, E of Sjostroem's ten points")
    figure = blank_figure(3.2, 7.2)
    for axis, pairing in zip(figure.subplots(1, 2, sharey=True), ("all", "nearest"), strict=True):
        bare(axis)
        for model, style in (("minimal", "-"), ("full", "--")):
            rule = snn.TripletSTDP(model=model, pairing=pairing)
            change = paired(rule, 1, 600_000, pre, post, (len(shown),) * 2, (0, None))
            wanted = [summed(rule.constants, pairing, period / 1e3, delta / 1e3) for period, delta in shown]
            error = []
            for frequency, *measured in SJOSTROEM:
                for place, delta in ((0, 10), (2, -10)):
                    found = change[shown.index((round(1000 / frequency), delta))]
                    error.append(((found - measured[place]) / measured[place + 1]) ** 2)
            print(f"  {model:8} {pairing:8} {np.abs(change - wanted).max():.1e} {np.mean(error):.2f}")
            for k, colour in ((0, COLOURS[0]), (1, COLOURS[1])):
                label = f"{model}, {'pre first' if k == 0 else 'post first'}"
                axis.plot(1000 / periods, 100 * change[k::2], style, color=colour, linewidth=1.5, label=label)
        for k, colour in ((1, COLOURS[0]), (3, COLOURS[1])):
            bars = {"fmt": "o", "markersize": 4, "color": colour, "linewidth": 1, "capsize": 2}
            axis.errorbar(SJOSTROEM[:, 0], 100 * SJOSTROEM[:, k], 100 * SJOSTROEM[:, k + 1], **bars)
        axis.axhline(0, color=GREY, linewidth=0.5)
        axis.set_xlabel("pairings per second")
        axis.set_title("all pairs" if pairing == "all" else "nearest pairs", loc="left", fontsize=10)
    figure.axes[0].set_ylabel("change of the weight (%)")
    figure.axes[0].legend(frameon=False, fontsize=8)
    save(figure, "triplet")


def competing(rate: float, rule: snn.Rule, seed: int, duration: str = "2000 s") -> tuple[np.ndarray, np.ndarray]:
    """Weights in parts of the bound at the end, and the neuron's rate in every piece of 10 s (Hz)."""
    net = snn.Network(dt="0.5 ms")
    net.add("input", snn.PoissonSource(1000, rate=f"{rate} Hz"))
    net.add("inhibition", snn.PoissonSource(200, rate="10 Hz"))
    voltages = {"E_L": "-74 mV", "v_threshold": "-54 mV", "v_reset": "-60 mV", "E_e": "0 mV", "E_i": "-70 mV"}
    net.add("neuron", snn.COBA(1, tau_e="5 ms", tau_i="5 ms", refractory="0 ms", **voltages))
    net.connect("input", "neuron", weights=snn.Uniform(low=0.075, high=0.15), bounds=(0, 0.15), plastic=True)
    net.connect("inhibition", "neuron", into="gi", weights=0.5)
    task, rates = snn.FreeRun(duration, piece="10 s"), []
    with snn.open(snn.Experiment(net, task, rule, epochs=1, seed=seed)) as sim:
        for _ in range(task.epoch):
            (record,) = sim.update().trials
            rates.append(record.rates("neuron")[0])
        return sim.weights["input_to_neuron"] / 0.15, np.array(rates)


def competition(seeds: Sequence[int]) -> None:
    print("competition: rule, input Hz, output Hz in the first 10 s and the last 100 s, weights below .1 and above .9")
    figure = blank_figure(2.8, 7.2)
    axes = [bare(axis) for axis in figure.subplots(1, 3)]
    before, after = [], []
    inputs, soft = (10, 15, 20, 30, 40), {"dependence": "multiplicative"}
    for label, rates, settings in (("additive", inputs, {}), ("multiplicative", (15,), soft)):
        for rate in rates:
            runs = [competing(rate, snn.STDP(**settings), seed) for seed in seeds]
            weights = [w for w, _ in runs]
            first, last = [r[0] for _, r in runs], [r[-10:].mean() for _, r in runs]
            low, high = [np.mean(w < 0.1) for w in weights], [np.mean(w > 0.9) for w in weights]
            print(f"  {label:14} {rate:3} {spread(first, 1):>13} {spread(last, 1):>13} {spread(low)} {spread(high)}",
                  flush=True)  # fmt: skip
            if rate == 15:
                axis, each = axes[label == "multiplicative"], np.full(1000 * len(weights), 1 / len(weights))
                axis.hist(np.concatenate(weights), np.linspace(0, 1, 26), color=COLOURS[0], weights=each)
                axis.set(xlabel="$w/w_{max}$")
                axis.set_title(f"{label}, 15 Hz", loc="left", fontsize=10)
            if label == "additive":
                before, after = [*before, np.mean(first)], [*after, np.mean(last)]
    axes[0].set_ylabel("synapses of 1,000")
    axes[2].plot(inputs, before, "o-", color=GREY, markersize=4, label="before")
    axes[2].plot(inputs, after, "o-", color=COLOURS[1], markersize=4, label="after")
    axes[2].set(xlabel="input (Hz)", ylabel="output (Hz)", ylim=(0, None))
    axes[2].set_title("rate, additive", loc="left", fontsize=10)
    axes[2].legend(frameon=False, fontsize=8)
    save(figure, "competition")


class Distal(snn.Task):
    """Reward 1 to 3 s after the target of one synapse has fired within 10 ms of its source; or at random times."""

    continuous = True
    PIECES = 10  # segments of 1 s in a trial

    def __init__(self, pair, excitatory, trials, seed, times=None):
        self.pair, self.excitatory, self.epoch, self.rng = pair, excitatory, trials, np.random.default_rng(seed)
        self.due = [] if times is None else list(times)
        self.shuffled, self.given = times is not None, []

    def trial(self, index):
        for k in range(self.PIECES):
            now = 1000 * (self.PIECES * index + k)
            reward = np.zeros((1000, self.excitatory))
            for t in [t for t in self.due if t < now + 1000]:
                reward[t - now] += 6.0
                self.due.remove(t)
                self.given.append(t)
            record = yield snn.Segment(1000, {}, {"excitatory.reward": reward})
            if not self.shuffled:
                self._look(record, 1000 * k, now)

    def _look(self, record, first, now):
        steps, indices = record.spikes["excitatory"]
        recent = steps >= first - 10
        steps, indices = steps[recent], indices[recent]
        pre, post = (steps[indices == neuron] for neuron in self.pair)
        for t in post[post >= first]:
            if np.any((pre < t) & (pre >= t - 10)):
                self.due.append(now + 1000 + int(t - first) + int(self.rng.integers(0, 2001)))


def distal(seed: int, times=None, hours: float = 1.0) -> tuple[np.ndarray, list[int]]:
    """Weights (minutes, synapses) in parts of the bound, the rewarded synapse first; and when reward came (ms)."""
    net = snn.Network(dt="1 ms")
    excitatory, inhibitory = 80, 20
    net.add("excitatory", snn.LIF(excitatory, reset=0.0, v_min=-1.0, refractory="2 ms"))
    net.add("inhibitory", snn.LIF(inhibitory, reset=0.0, v_min=-1.0, refractory="2 ms"))
    bound, recurrent = 0.25, {"connectivity": snn.Probability(0.1)}
    for name, size in (("excitatory", excitatory), ("inhibitory", inhibitory)):
        net.add(f"background_{name}", snn.PoissonSource(size, rate="100 Hz"))
        net.connect(f"background_{name}", name, connectivity=snn.OneToOne(), weights=0.2)
        net.connect("inhibitory", name, weights=0.2, sign="inhibitory", **recurrent)
    net.connect("excitatory", "inhibitory", weights=0.2, **recurrent)
    pre, post = np.nonzero(np.random.default_rng(seed).random((excitatory, excitatory)) < 0.1)
    apart = pre != post
    pre, post = pre[apart], post[apart]
    net.connect("excitatory", "excitatory", name="plastic", connectivity=snn.ExplicitPairs(pre=pre, post=post),
                weights=bound / 4, bounds=(0, bound), plastic=True)  # fmt: skip
    rule = snn.RewardSTDP(a_plus=0.01, a_minus=0.02)
    task, kept = Distal((pre[0], post[0]), excitatory, round(360 * hours), seed, times), []
    with snn.open(snn.Experiment(net, task, rule, epochs=1, seed=seed)) as sim:
        for index in range(task.epoch):
            record = sim.update().trials[0]
            if index % 6 == 5:
                kept.append(sim.weights["plastic"] / bound)
        rates = record.rates("excitatory").mean(), record.rates("inhibitory").mean()
    print(f"    rates {rates[0]:.1f} and {rates[1]:.1f} Hz, {len(task.given)} rewards", flush=True)
    return np.array(kept), task.given


def reward(seeds: Sequence[int]) -> None:
    print("reward: seed, weights after an hour in parts of the bound: rewarded synapse, mean and largest of the others")
    figure = blank_figure(2.9, 7.2)
    axes = [bare(axis) for axis in figure.subplots(1, 2, sharey=True)]
    won = {"rewarded": 0, "shuffled": 0}
    for seed in seeds:
        times = None
        for axis, condition in zip(axes, won, strict=True):
            weights, given = distal(seed, times)
            last = weights[-1]
            won[condition] += bool(last[0] > last[1:].max())
            print(f"  {condition} {seed:3} {last[0]:.2f} {last[1:].mean():.2f} {last[1:].max():.2f}", flush=True)
            minutes = np.arange(1, len(weights) + 1)
            axis.plot(minutes, weights[:, 1:].mean(axis=1), color=GREY, linewidth=1)
            axis.plot(minutes, weights[:, 0], color=COLOURS[1], linewidth=1.2)
            shuffled = np.random.default_rng([seed, 1]).integers(0, 3_600_000, len(given))
            times = np.sort(shuffled)
    for axis, condition, title in zip(axes, won, ("reward for one synapse", "reward at random times"), strict=True):
        axis.set_title(title, loc="left", fontsize=10)
        axis.set(xlabel="minutes", ylim=(0, 1.03))
        print(f"  {condition}: the one synapse is the strongest of all in {won[condition]} of {len(seeds)} runs")
    axes[0].set_ylabel("$w/w_{max}$")
    axes[0].plot([], [], color=COLOURS[1], label="that synapse")
    axes[0].plot([], [], color=GREY, label="mean of the others")
    axes[0].legend(frameon=False, fontsize=9)
    save(figure, "distal_reward")


def balanced(seed: int, target: str, duration: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Spikes (s, neurons) of the excitatory cells in every piece of 2 s of a balanced network."""
    net = snn.Network(dt="0.1 ms")
    cells = {"E_L": "-40 mV", "refractory": "5 ms"}  # a constant 200 pA in the paper
    net.add("excitatory", snn.COBA(1600, **cells))
    net.add("inhibitory", snn.COBA(400, **cells))
    recurrent = {"connectivity": snn.Probability(0.1)}
    for population in ("excitatory", "inhibitory"):
        net.connect("excitatory", population, weights=0.3, **recurrent)
    net.connect("inhibitory", "inhibitory", into="gi", weights=3.0, **recurrent)
    net.connect("inhibitory", "excitatory", into="gi", weights=0.0, bounds=(0, None), plastic=True, **recurrent)
    task = snn.FreeRun(f"{duration} s", piece="2 s")
    rule = snn.VogelsInhibitory(eta=0.02, rho_0=target)
    with snn.open(snn.Experiment(net, task, rule, epochs=1, seed=seed)) as sim:
        for index in range(task.epoch):
            steps, cells_ = sim.update().trials[0].spikes["excitatory"]
            yield 2.0 * index + steps * 1e-4, cells_


def irregularity(times: np.ndarray, cells: np.ndarray) -> float:
    """Mean coefficient of variation of the intervals of cells with 10 spikes or more."""
    found = []
    for cell in range(1600):
        intervals = np.diff(times[cells == cell])
        if intervals.size >= 9:
            found.append(intervals.std() / intervals.mean())
    return float(np.mean(found)) if found else float("nan")


def synchrony(times: np.ndarray, cells: np.ndarray) -> float:
    """Mean correlation of the spike counts of pairs among the first 200 cells in bins of 5 ms."""
    near = cells < 200
    edges = np.arange(times.min(), times.max(), 0.005)
    counts = np.array([np.histogram(times[near & (cells == cell)], edges)[0] for cell in range(200)])
    counts = counts[counts.std(axis=1) > 0]
    found = np.corrcoef(counts)
    return float(found[np.triu_indices(len(found), 1)].mean())


def balance(seeds: Sequence[int]) -> None:
    print("balance: target Hz; rate, CV of intervals and correlation of counts in the first 2 s; in the last 20 s")
    figure = blank_figure(3.0, 7.2)
    axes = [bare(axis) for axis in figure.subplots(1, 3, width_ratios=(1, 1, 1.1))]
    duration = 200
    for target, colour in (("5 Hz", COLOURS[1]), ("10 Hz", COLOURS[0])):
        rows, curves = [], []
        for seed in seeds:
            pieces = list(balanced(seed, target, duration))
            curves.append([times.size / 1600 / 2 for times, _ in pieces])
            late = tuple(np.concatenate(part) for part in zip(*pieces[-10:], strict=True))
            row = []
            for times, cells in (pieces[0], late):
                row += [times.size / 1600 / (2 if times is pieces[0][0] else 20), irregularity(times, cells),
                        synchrony(times, cells)]  # fmt: skip
            rows.append(row)
            if seed == seeds[0] and target == "5 Hz":
                for axis, (times, cells), title in zip(
                    axes, (pieces[0], pieces[-1]), ("before", "after"), strict=False
                ):
                    begin = times.min() if title == "before" else 2 * len(pieces) - 2
                    chosen = (cells < 150) & (times >= begin) & (times < begin + 0.4)
                    axis.plot(1e3 * (times[chosen] - begin), cells[chosen], "|", color=GREY, markersize=2)
                    axis.set(xlabel="ms", xlim=(0, 400))
                    axis.set_title(title, loc="left", fontsize=10)
        print(f"  {target:6} " + " ".join(spread(column) for column in zip(*rows, strict=True)), flush=True)
        mean = np.mean(curves, axis=0)
        axes[2].plot(2 * np.arange(1, mean.size + 1), mean, color=colour, label=f"target {target}")
        axes[2].axhline(float(target.split()[0]), color=colour, linewidth=0.7, linestyle=":")
    axes[0].set_ylabel("excitatory cells")
    axes[2].set(xlabel="s", ylabel="rate (Hz)", ylim=(0, None))
    axes[2].legend(frameon=False, fontsize=9)
    save(figure, "balance")


SHOWN = {f.__name__: f for f in (window, triplet, competition, reward, balance)}


def main() -> None:
    global OUTPUT
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", choices=SHOWN)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    OUTPUT = arguments.output
    for what in arguments.what:
        SHOWN[what](arguments.seeds)


if __name__ == "__main__":
    main()
