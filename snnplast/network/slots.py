"""What happens when within one step: (Brian2's scheduling slot, order within it), from first to last.

`Update(code, *slots.ERRORS)` has its code run where errors are made. Code of one's own may have any slot and order
between. Without a name: membranes and traces decay in "groups", where Brian2 solves their equations; neurons spike in
"thresholds", and are reset and counted in "resets".

>>> SOURCES, TRACES
(('start', -1), ('after_synapses', 5))
"""

from __future__ import annotations

Place = tuple[str, int]

SOURCES: Place = ("start", -1)
"""Sources emit the spikes of this step, before anything hears them."""
BEFORE: Place = ("before_groups", 0)
"""What traces need of a neuron's state as it is before equations are solved, is kept."""
FLOW: Place = ("after_groups", -4)
"""Derivatives of the solved equations, before anything else changes what they are made of."""
ARRIVALS: Place = ("after_groups", -3)
"""Spikes arrive at neurons, on top of the membrane that has just decayed: they count in this step's threshold."""
PRESYNAPTIC: Place = ("after_groups", -2)
"""Traces beside sources take up the spikes that have just arrived: synapses saw them as they were before."""
ARRIVED: Place = ("after_groups", -1)
"""Derivatives of the updates that follow, at the state they begin with."""
MEMBRANE: Place = ("after_groups", 1)
"""Bias and floor of the membrane, once all input of the step is in it."""
SURROGATE: Place = ("after_groups", 100)
"""Surrogate derivatives of the membrane that the threshold is about to see, before a reset changes it: after every
update of a user's own."""
READING: Place = ("synapses", -1)
"""Spikes of this step reach readouts, which hear them in the step in which they are fired."""
CARRYING: Place = ("synapses", 0)
"""Projections that act once per trial carry values on; lower `Projection.order` first, which is added to this one."""
UNITS: Place = ("synapses", 1)
"""Units that act once per trial take up what came at 0, before a readout that reads them at 2."""
READOUTS: Place = ("after_synapses", 0)
"""Values of readouts, once all they hear is in."""
SUMS: Place = ("after_synapses", 1)
"""What is made of the values of a readout: the sums of its softmax, its exploration."""
ERRORS: Place = ("after_synapses", 2)
"""Errors of readouts, which need their values and those sums."""
FEEDBACK: Place = ("after_synapses", 3)
"""Errors and other values are carried back to neurons, by projections that act at every step, and by those with
`Projection.feedback` that act once per trial, whose order is added to this one."""
SIGNALS: Place = ("after_synapses", 4)
"""What neurons make of that: their learning signal."""
TRACES: Place = ("after_synapses", 5)
"""Synapses take it up: eligibility traces and gradients, last, when every value they read is that of this step."""
POSTSYNAPTIC: Place = ("after_synapses", 6)
"""Synapses learn that their target neuron has spiked, before its reset and what it counts there."""
