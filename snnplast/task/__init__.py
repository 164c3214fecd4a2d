"""What a network is asked to do: trials of segments, and what is wanted of the readout."""

from typing import TYPE_CHECKING

from snnplast.lazy import offers

if TYPE_CHECKING:
    from snnplast.task.action import Choice as Choice
    from snnplast.task.action import ReadoutChoice as ReadoutChoice
    from snnplast.task.action import SpikeChoice as SpikeChoice
    from snnplast.task.actor_critic import ActorCritic as ActorCritic
    from snnplast.task.closed_loop import ClosedLoop as ClosedLoop
    from snnplast.task.environment import Environment as Environment
    from snnplast.task.model import Model as Model
    from snnplast.task.objective import CrossEntropy as CrossEntropy
    from snnplast.task.objective import Judgement as Judgement
    from snnplast.task.objective import MeanSquaredError as MeanSquaredError
    from snnplast.task.objective import Objective as Objective
    from snnplast.task.observation import Encoding as Encoding
    from snnplast.task.observation import PixelCode as PixelCode
    from snnplast.task.observation import PopulationCode as PopulationCode
    from snnplast.task.observation import RateCode as RateCode
    from snnplast.task.stack import OneSegment as OneSegment
    from snnplast.task.stack import Stack as Stack
    from snnplast.task.task import Classification as Classification
    from snnplast.task.task import Measures as Measures
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
        "task.action": "Choice ReadoutChoice SpikeChoice",
        "task.actor_critic": "ActorCritic",
        "task.closed_loop": "ClosedLoop",
        "task.environment": "Environment",
        "task.observation": "Encoding PixelCode PopulationCode RateCode",
        "task.task": "Task Classification Measures ShowsSamples Trial",
        "task.stack": "OneSegment Stack",
        "task.trial": "Segment Record Stretch Spikes",
        "task.objective": "Objective MeanSquaredError CrossEntropy Judgement",
        "task.model": "Model",
    },
)
