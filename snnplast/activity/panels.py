"""The panels of a trial's figure, one function each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from snnplast.activity.activity import Activity, Group, Neuron, Readout
from snnplast.report.figures import COLOURS, GREY, SHOWN_SPIKES, colours, spike_size

PALE, DARK, WINDOW, WINDOW_NAME = "#c4cad1", "#30363c", "#f7f1e1", "#a5874a"
READOUTS = COLOURS[2:5]
"""Colours of the readouts that have one; the groups of neurons take theirs from the beginning."""


class Scene:
    """A trial with what all panels agree on: the time axis (T,) in ms, and the colours of groups and examples."""

    def __init__(self, activity: Activity) -> None:
        self.activity = activity
        self.ms = activity.dt * 1e3
        self.time = np.arange(activity.steps) * self.ms
        hidden = [group.name for group in activity.groups if group.kind]
        self.group_colour = dict(zip(hidden, colours(len(hidden)), strict=True))
        self.neuron_colours: list[str] = []
        for neuron in activity.neurons:  # its group's, or another one where the group has two examples
            mine, used = self.group_colour[neuron.group.name], self.neuron_colours
            used.append(mine if mine not in used else next(colour for colour in COLOURS if colour not in used))

    @property
    def readout(self) -> Readout:
        """The readout that something is wanted of, where there is one."""
        assert self.activity.readout is not None
        return self.activity.readout

    def named(self, neuron: Neuron) -> str:
        """Kind and number of an example, with its population where there are several."""
        group = neuron.group
        several = len({other.population for other in self.activity.groups if other.kind}) > 1
        return f"{group.population} {neuron.index}, {group.kind}" if several else f"{group.kind} {neuron.index}"


def window(axis: Axes, scene: Scene) -> None:
    """Shades the steps that count, unless all do."""
    readout = scene.activity.readout
    if readout is not None and not readout.window.all():
        counts = readout.window
        edges = np.flatnonzero(np.diff(counts, prepend=False, append=False)).reshape(-1, 2)
        for begin, end in edges * scene.ms:
            axis.axvspan(begin, end, color=WINDOW, linewidth=0, zorder=0)


def raster(axis: Axes, scene: Scene, groups: Sequence[Group], height: float) -> None:
    """Spikes of one population, its kinds of neurons above each other; triangles mark the examples."""
    name, size = groups[0].population, sum(group.indices.size for group in groups)
    steps, neurons = scene.activity.spikes[name]
    every, rows, below = 1 + len(steps) // SHOWN_SPIKES, np.empty(size, np.int64), 0
    stroke: dict[str, Any] = {"markersize": spike_size(height, size), "markeredgewidth": 0.8}
    for group in groups:
        count, colour = group.indices.size, scene.group_colour.get(group.name, GREY)
        rows[group.indices] = below + np.arange(count)
        mine = np.flatnonzero(np.isin(neurons, group.indices))[::every]
        axis.plot(steps[mine] * scene.ms, rows[neurons[mine]], "|", color=colour, **stroke)
        _beside(axis, below + 0.5 * (count - 1), group.kind, colour, data=True)
        if below:
            axis.axhline(below - 0.5, color=DARK, linewidth=0.8)
        below += count
    for neuron, colour in zip(scene.activity.neurons, scene.neuron_colours, strict=True):
        if neuron.group.population == name:
            edge = axis.get_yaxis_transform()
            axis.plot(1.004, rows[neuron.index], "<", color=colour, markersize=4, transform=edge, clip_on=False)
    axis.set_ylim(-0.7, size - 0.3)
    in_order = np.array_equal(rows, np.arange(size))
    axis.set_ylabel(f"{name}\nneuron" if in_order else f"{name}\nby kind", fontsize=9)
    axis.yaxis.set_major_locator(MaxNLocator(nbins=3 if size > 3 else size, integer=True))


def membrane(axis: Axes, scene: Scene, number: int) -> None:
    """Membrane and threshold of an example neuron, its spikes above."""
    neuron, colour = scene.activity.neurons[number], scene.neuron_colours[number]
    axis.plot(scene.time, neuron.membrane, color=colour, linewidth=0.8)
    low = True
    if neuron.threshold is not None:
        axis.plot(scene.time, neuron.threshold, color=DARK, linewidth=0.9, linestyle=(0, (4, 2)))
        _beside(axis, neuron.threshold[-1], "threshold", DARK, data=True)
        low = neuron.threshold[-1] > np.mean(axis.get_ylim())
    if neuron.spikes.size:  # the layout trips over a line without points
        strokes = {"markersize": 5, "markeredgewidth": 0.8, "clip_on": False, "transform": axis.get_xaxis_transform()}
        axis.plot(neuron.spikes * scene.ms, np.full(neuron.spikes.size, 1.06), "|", color=colour, **strokes)
    _beside(axis, 0.1 if low else 0.9, scene.named(neuron), colour)
    _finish(axis, "membrane\n$v_j$")


def readout(axis: Axes, scene: Scene) -> None:
    """Activity of the readouts and, where it counts, the target."""
    given = scene.readout
    target = np.where(given.window[:, None], given.target, np.nan)
    for k, colour, label in _telling(given):
        axis.plot(scene.time, given.y[:, k], color=colour, **_weight(label))
        if label:
            axis.plot(scene.time, target[:, k], color=colour, linewidth=1.4, linestyle=(0, (2, 1.2)), zorder=4)
    words = [(label, colour) for _, colour, label in _telling(given) if label]
    words += [("others", GREY)] * (len(words) < given.y.shape[1])
    words += [("dashed: target", GREY)]
    words += [("learning window", WINDOW_NAME)] * (not given.window.all())
    for k, (word, colour) in enumerate(words):
        _beside(axis, 0.95 - 0.2 * k, word, colour)
    _finish(axis, "readout\nsoftmax" if given.softmax else "readout\n$y_k$")
    if given.softmax:
        axis.set_ylim(-0.06, 1.06)
        axis.set_yticks([0, 0.5, 1])


def error(axis: Axes, scene: Scene) -> None:
    """Error of the readouts."""
    axis.axhline(0, color=PALE, linewidth=0.7)
    for k, colour, label in _telling(scene.readout):
        axis.plot(scene.time, _not_zero(scene.readout.error[:, k]), color=colour, **_weight(label))
    _finish(axis, "error\n$E_k$")


def signals(axis: Axes, scene: Scene) -> None:
    """Learning signals of the example neurons."""
    axis.axhline(0, color=PALE, linewidth=0.7)
    for neuron, colour in zip(scene.activity.neurons, scene.neuron_colours, strict=True):
        if neuron.signal is not None:
            axis.plot(scene.time, _not_zero(neuron.signal), color=colour, linewidth=1.1)
    _finish(axis, "learning\nsignal $L_j$")


def traces(axis: Axes, scene: Scene, number: int) -> None:
    """Eligibility trace of an example synapse as an area, its filtered form as a line."""
    synapse = scene.activity.synapses[number]
    neuron, colour = scene.activity.neurons[synapse.neuron], scene.neuron_colours[synapse.neuron]
    axis.axhline(0, color=PALE, linewidth=0.7)
    axis.fill_between(scene.time, synapse.eligibility, color=colour, alpha=0.3, linewidth=0)
    words = [(f"{synapse.source} {synapse.pre} → {scene.named(neuron)}", colour)]
    if synapse.filtered is not None:
        axis.plot(scene.time, synapse.filtered, color=colour, linewidth=1.1)
    if number == 0:
        words.append(("area: $e_{ji}$" + ", line: filtered" * (synapse.filtered is not None), GREY))
    if synapse.slow is not None:
        axis.plot(scene.time, synapse.slow, color=DARK, linewidth=0.9, linestyle=(0, (1, 1.3)))
        if not any(before.slow is not None for before in scene.activity.synapses[:number]):
            words.append((r"dotted: $\beta_j\,\epsilon_{ji}$", DARK))
    for k, (word, shade) in enumerate(words):
        _beside(axis, 0.5 + 0.16 * (len(words) - 1) - 0.32 * k, word, shade)
    _finish(axis, "trace\n$e_{ji}$")


def answer(axis: Axes, scene: Scene) -> None:
    """What a readout that acts once per trial says, and the target as an outline."""
    given = scene.readout
    outline = {"fill": False, "edgecolor": DARK, "linewidth": 0.9}
    axis.bar(np.arange(given.target.shape[1]), given.target[0], width=0.8, **outline)
    what = "softmax" if given.softmax else "$y_k$"
    _answers(axis, given.y, f"{what} (outline: target)", given.name)


def answer_error(axis: Axes, scene: Scene) -> None:
    """Error of a readout that acts once per trial."""
    _answers(axis, scene.readout.error, "error $E_k$", scene.readout.name)


def trial_signal(axis: Axes, scene: Scene, population: str) -> None:
    """A signal that is known at the end of the trial, one value for each neuron of a population."""
    signal, title = scene.activity.signals[population], f"third factor of {population}"
    if signal is None:
        axis.axis("off")
        axis.set_title(title, loc="left", fontsize=9, color=GREY)
        words = {"transform": axis.transAxes, "color": GREY, "fontsize": 9, "va": "top"}
        axis.text(0.0, 0.9, "none yet: its source\nneeds more trials", **words)
        return
    shown = np.empty(signal.size, object)
    for group in scene.activity.groups:
        if group.population == population:
            shown[group.indices] = scene.group_colour[group.name]
    _bars(axis, signal, shown.tolist(), title, f"{population} neuron j")


def _answers(axis: Axes, rows: np.ndarray, title: str, name: str) -> None:
    """The mean of a readout's answers (K, n) to one trial as bars, and the answers as dots where there are several."""
    if len(rows) > 1:
        title = f"mean of {len(rows)} answers: {title}"
        axis.plot(rows.T, ".", color=DARK, markersize=2.5, zorder=3)
    _bars(axis, rows.mean(axis=0), READOUTS[0], title, f"{name} neuron k")


def _bars(axis: Axes, values: np.ndarray, colour: str | list[str], title: str, label: str) -> None:
    axis.axhline(0, color=PALE, linewidth=0.7)
    axis.bar(np.arange(values.size), values, color=colour, width=0.8)
    axis.set_xlim(-0.7, values.size - 0.3)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=min(values.size, 10), integer=True))
    axis.set_xlabel(label, fontsize=9)
    axis.set_title(title, loc="left", fontsize=9, color=GREY)
    _finish(axis, "")


def _telling(given: Readout) -> list[tuple[int, str, str]]:
    """(number, colour, label) of each readout; of many classes only the target and its strongest rival have a label."""
    n, what = given.y.shape[1], "class" if given.softmax else "readout"
    named = dict(enumerate(READOUTS[:n]))
    if n > len(READOUTS) and given.softmax:
        target = int((given.window @ given.target).argmax())
        rivals = (given.window @ given.y) * (np.arange(n) != target)
        named = {target: READOUTS[0], int(rivals.argmax()): READOUTS[1]}
    return [(k, named.get(k, PALE), f"{what} {k}" if k in named else "") for k in range(n)]


def _weight(label: str) -> dict[str, Any]:
    return {"linewidth": 1.2, "zorder": 3} if label else {"linewidth": 0.7, "zorder": 2}


def _not_zero(values: np.ndarray) -> np.ndarray:
    """Without the stretches in which several lines would lie on each other at 0."""
    return np.where(values == 0, np.nan, values)


def _beside(axis: Axes, y: float, text: str, colour: str, data: bool = False) -> None:
    """A word to the right of a panel, at a height from 0 to 1, or of the data."""
    transform = axis.get_yaxis_transform() if data else axis.transAxes
    axis.text(1.012, y, text, color=colour, fontsize=8.5, va="center", transform=transform)


def _finish(axis: Axes, label: str) -> None:
    axis.set_ylabel(label, fontsize=9)
    axis.yaxis.set_major_locator(MaxNLocator(nbins=3))
