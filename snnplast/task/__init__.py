"""What a network is asked to do: trials of segments, and what is wanted of the readout."""

from typing import TYPE_CHECKING

from snnplast.lazy import offers

if TYPE_CHECKING:
    from snnplast.task.model import Model as Model
    from snnplast.task.objective import CrossEntropy as CrossEntropy
    from snnplast.task.objective import Judgement as Judgement
    from snnplast.task.objective import MeanSquaredError as MeanSquaredError
    from snnplast.task.objective import Objective as Objective
    from snnplast.task.task import Classification as Classification
    from snnplast.task.task import ShowsSamples as ShowsSamples
    from snnplast.task.task import Task as Task
    from snnplast.task.task import Trial as Trial
    from snnplast.task.trial import Record as Record
    from snnplast.task.trial import Segment as Segment
    from snnplast.task.trial import Spikes as Spikes
    from snnplast.task.trial import Stretch as Stretch

__all__, __getattr__, __dir__ = offers(
    __name__,
    {
        "task.task": "Task Classification ShowsSamples Trial",
        "task.trial": "Segment Record Stretch Spikes",
        "task.objective": "Objective MeanSquaredError CrossEntropy Judgement",
        "task.model": "Model",
    },
)
