"""
Recording, and reading SONATA
=============================

A run leaves one HDF5 file. Its spikes are a SONATA report, which other tools read as they are; metrics, weights before
and after, and the settings are beside them.
"""

import tempfile
from pathlib import Path

import h5py
import libsonata
import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn
from snnplast.record import read_run

# %%
# A short run of digits that keeps spikes of neurons and the activity of the readout, of each epoch's first ten tests.

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "digits.h5"
record = ("record.spikes=neurons", "record.variables=output.y", "record.first=10", "record.every=1")
snn.train(snn.Experiment.of("digits", *record, "train.epochs=3", f"record.path={path}"), progress=False)

# %%
# With the library: names, times and units as they are meant.

run = read_run(path)
times, neurons = run.spikes("hidden")  # ms on a time axis of all recorded trials
y = run.state("output/y", row=-1)  # of the last trial: (steps, units)
pre, post, weight = run.synapses("input_to_hidden")
print(f"{times.size} spikes in {times.max():.0f} ms, {weight.size} weights, {len(run.trials)} recorded trials")
print(run.trials[-1])

# %%
# With libsonata, the reader of the SONATA format, which knows nothing of this library.

population = libsonata.SpikeReader(str(path))["hidden"]
spikes = population.get(tstart=0, tstop=100)  # the first trial
print(f"{population.sorting}, {population.time_units}: {len(spikes)} spikes in the first 100 ms, such as {spikes[0]}")

# %%
# And with h5py alone.

with h5py.File(path) as file:
    group = file["spikes/hidden"]
    print({name: (values.shape, dict(values.attrs)) for name, values in group.items()})
    same = np.array_equal(group["timestamps"][:], times) and np.array_equal(group["node_ids"][:], neurons)
    print("the same spikes:", same)
    print("in the file:", ", ".join(file))

# %%
# The first trials, from libsonata, and the weights, from the reader.

before, after = run.values("input_to_hidden", "initial"), run.values("input_to_hidden")
figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), width_ratios=(2, 1))
shown = np.array(population.get(tstart=0, tstop=300))
axes[0].plot(
    shown["timestamps"] if shown.dtype.names else shown[:, 1],
    shown["node_ids"] if shown.dtype.names else shown[:, 0],
    "|",
    color="k",
    markersize=2,
)
for start in run.trials["start"][:4]:
    axes[0].axvline(start, color="C1", linewidth=0.8)
axes[0].set(xlabel="time (ms)", ylabel="hidden neuron", title="three trials", xlim=(0, 300))
bins = np.linspace(-0.6, 0.6, 61)
for values, label in ((before, "before"), (after, "after 3 epochs")):
    axes[1].hist(values, bins, histtype="step", label=label)
axes[1].set(xlabel="weight", ylabel="synapses", title="input to hidden")
axes[1].legend(fontsize=8)
plt.show()

# %%
folder.cleanup()
