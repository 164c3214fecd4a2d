"""How it learns: what rules and third factors are made of."""

from typing import TYPE_CHECKING

from snnplast.lazy import offers

if TYPE_CHECKING:
    from snnplast.learning.capabilities import Adaptive as Adaptive
    from snnplast.learning.capabilities import Assigns as Assigns
    from snnplast.learning.capabilities import Compiled as Compiled
    from snnplast.learning.capabilities import CompiledSignal as CompiledSignal
    from snnplast.learning.capabilities import Explores as Explores
    from snnplast.learning.capabilities import Extends as Extends
    from snnplast.learning.capabilities import Follows as Follows
    from snnplast.learning.capabilities import Judged as Judged
    from snnplast.learning.capabilities import OverBatch as OverBatch
    from snnplast.learning.capabilities import Part as Part
    from snnplast.learning.capabilities import Prepares as Prepares
    from snnplast.learning.capabilities import Pretrained as Pretrained
    from snnplast.learning.capabilities import Pretraining as Pretraining
    from snnplast.learning.capabilities import Pulled as Pulled
    from snnplast.learning.capabilities import ReadOnce as ReadOnce
    from snnplast.learning.capabilities import Speaks as Speaks
    from snnplast.learning.capabilities import Swept as Swept
    from snnplast.learning.capabilities import SweptBack as SweptBack
    from snnplast.learning.capabilities import Trials as Trials
    from snnplast.learning.eligibility import ThreeFactorRule as ThreeFactorRule
    from snnplast.learning.optimizer import SGD as SGD
    from snnplast.learning.optimizer import Adam as Adam
    from snnplast.learning.optimizer import AnyOptimizer as AnyOptimizer
    from snnplast.learning.optimizer import Optimizer as Optimizer
    from snnplast.learning.optimizer import Schedule as Schedule
    from snnplast.learning.rule import AfterTrial as AfterTrial
    from snnplast.learning.rule import Modulated as Modulated
    from snnplast.learning.rule import Rule as Rule
    from snnplast.learning.rule import WithinTrial as WithinTrial
    from snnplast.learning.signals import Broadcast as Broadcast
    from snnplast.learning.signals import Signal as Signal
    from snnplast.learning.signals import SignalKind as SignalKind
    from snnplast.learning.signals import Signals as Signals
    from snnplast.learning.signals import Timing as Timing
    from snnplast.learning.spike_traces import Pairing as Pairing
    from snnplast.learning.spike_traces import postsynaptic_trace as postsynaptic_trace
    from snnplast.learning.spike_traces import presynaptic_trace as presynaptic_trace
    from snnplast.learning.surrogate import AnySurrogate as AnySurrogate
    from snnplast.learning.surrogate import PiecewiseLinear as PiecewiseLinear
    from snnplast.learning.surrogate import Surrogate as Surrogate
    from snnplast.learning.third_factor import AnyThirdFactor as AnyThirdFactor
    from snnplast.learning.third_factor import Context as Context
    from snnplast.learning.third_factor import State as State
    from snnplast.learning.third_factor import ThirdFactor as ThirdFactor

__all__, __getattr__, __dir__ = offers(
    __name__,
    {
        "learning.rule": "Rule AfterTrial WithinTrial Modulated",
        "learning.eligibility": "ThreeFactorRule",
        "learning.third_factor": "ThirdFactor Context State AnyThirdFactor",
        "learning.capabilities": (
            "Speaks OverBatch Judged Adaptive Pretrained Pretraining Explores Extends Prepares Assigns Follows "
            "Compiled CompiledSignal Trials Part Swept ReadOnce Pulled SweptBack"
        ),
        "learning.spike_traces": "presynaptic_trace postsynaptic_trace Pairing",
        "learning.signals": "Signal Signals SignalKind Broadcast Timing",
        "learning.optimizer": "Optimizer SGD Adam Schedule AnyOptimizer",
        "learning.surrogate": "Surrogate PiecewiseLinear AnySurrogate",
    },
)
