"""Spikes as they are wanted at both ends of plastic synapses: sources, and relays that spike when theirs does."""

from __future__ import annotations

import numpy as np

import snnplast as snn


class Shown(snn.Task):
    """Spikes of the source and of the source that drives the target, given step by step."""

    def __init__(self, steps, pre, post, trials=1):
        self.steps, self.pre, self.post, self.epoch, self.tests = steps, pre, post, trials, 1

    def trial(self, index):
        yield snn.Segment(self.steps, {"input": self.pre, "drive": self.post})

    test = trial


def network(pre=1, post=1, *, delay="0 ms", bounds=(0.0, 1.0), weights=0.5, dt="0.1 ms"):
    """Sources -> relays that spike in the step in which their own drive spikes, whatever the plastic weights are."""
    net = snn.Network(dt=dt)
    net.add("input", snn.SpikeSource(pre))
    net.add("drive", snn.SpikeSource(post))
    relay = snn.CustomNeurons(
        post, equations="v : 1\nplastic_input : 1", threshold="v > 0.5", reset="v = 0", into="v", threshold_scale=1.0
    )
    net.add("relay", relay)
    net.connect("input", "relay", into="plastic_input", weights=weights, bounds=bounds, delay=delay, plastic=True)
    net.connect("drive", "relay", into="v", connectivity=snn.OneToOne(), weights=1.0)
    return net


def learned(task, rule, engine, **settings):
    experiment = snn.Experiment(network(**settings), task, rule, epochs=1, engine=engine)
    with snn.open(experiment) as sim:
        sim.update()
        return sim.weights["input_to_relay"].copy()


def at(*spikes):
    """(steps, indices) of spikes given as (step, index)."""
    return tuple(np.array(sorted(spikes), dtype=int).reshape(-1, 2).T)
