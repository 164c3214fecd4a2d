"""
A study: seeds, a sweep, and a figure
=====================================

How many hidden neurons does each rule need? ``snnplast sweep`` runs every combination of some settings with several
seeds, side by side, and leaves a file per run, a table and a figure. Repeated, it goes on where it was stopped.
"""

import csv
import subprocess
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

# %%
# Two rules, three sizes and two seeds are twelve runs of two epochs.

command = """
snnplast sweep digits --over model.hidden=10,30,60 --over rule=e-prop,ib-hebbian
    --set train.epochs=2 --seeds 0,1 --jobs 2 --output sizes
"""
with tempfile.TemporaryDirectory() as folder:
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    print("\n".join(sorted(path.name for path in (Path(folder) / "sizes").iterdir())[-4:]))
    with open(Path(folder) / "sizes/runs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    image = plt.imread(Path(folder) / "sizes/sweep.png")
print(rows[0])

# %%
# The table has a row for each run; the figure is drawn from it.

figure, axis = plt.subplots()
for rule in ("e-prop", "ib-hebbian"):
    sizes = sorted({int(row["model.hidden"]) for row in rows})
    found = [
        [100 * float(row["test_accuracy"]) for row in rows if (row["rule"], int(row["model.hidden"])) == (rule, n)]
        for n in sizes
    ]
    means, spreads = np.mean(found, axis=1), np.std(found, axis=1)
    axis.errorbar(sizes, means, spreads, fmt="o-", markersize=4, capsize=2, label=rule)
axis.set(xscale="log", xticks=sizes, xticklabels=sizes, xlabel="hidden neurons", ylabel="test accuracy (%), two seeds")
axis.minorticks_off()
axis.legend()
plt.show()

# %%
# The one that the sweep has left:

figure, axis = plt.subplots(figsize=(7, 7 * image.shape[0] / image.shape[1]))
axis.imshow(image)
axis.set_axis_off()
plt.show()
