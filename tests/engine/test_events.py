"""Spikes that come bit by bit: what was handed out stays as it is, and nothing is copied anew each time."""

from __future__ import annotations

import numpy as np

from snnplast.engine import events
from snnplast.engine.events import Events


def test_what_was_handed_out_stays_as_it_is():
    log = Events(np.int64)
    log.append(3, np.array([1, 4]))
    first = log.steps, log.indices
    for step in range(4, 40):
        log.append(step, np.array([0, 2]))
    whole = log.steps
    log.clear()
    log.append(7, np.array([9]))
    assert [part.tolist() for part in first] == [[3, 3], [1, 4]]
    assert whole.tolist() == np.repeat(np.arange(3, 40), 2).tolist()
    assert log.steps.tolist() == [7] and log.indices.tolist() == [9]


def test_appending_one_after_another_copies_each_spike_about_once(monkeypatch):
    copied, longer = [], events._longer
    monkeypatch.setattr(
        events, "_longer", lambda values, used, length: copied.append(used) or longer(values, used, length)
    )
    log = Events(np.int32)
    for step in range(10_000):
        log.append(step, np.array([0]))
    assert log.count == 10_000 and sum(copied) < 2 * 2 * 10_000


def test_what_comes_in_one_piece_takes_no_more_room_than_it_needs():
    log = Events(np.int64)
    log.append(np.arange(1000), np.zeros(1000, int))
    assert log.steps.base.size == 1000
