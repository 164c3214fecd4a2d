"""What users and plugin authors import: these names stay, and each can be imported."""

from __future__ import annotations

from importlib import import_module

import pytest

NAMES = {
    "snnplast": """
        ALIF ActorCritic AdEx Adam AllToAll Analog BPTT Backprop BatchFiringRate COBA CSVLogger CUBA ClassMemory
        Classification ClosedLoop CrossEntropy CustomNeurons DECOLLE Delta DiehlCookSTDP Dopamine EProp EarlyStopping
        Experiment ExplicitPairs ExplicitWeights FiringRate FixedInDegree Fragment FreeRun Frozen GLIF Gaussian Glorot
        HSIC IBHebbian Injection Izhikevich LIF LayerNorm LeakyReadout LocalReadout MeanSquaredError Model Network
        Normal OneToOne PixelCode PoissonSource PopulationCode Probability Random RateCode RateReadout ReadoutChoice
        ReadoutError Record Recording Reservoir Reward RewardHebbian RewardSTDP Rule SGD STDP Samples Schedule Segment
        SpikeChoice SpikeSource SuperSpike Task ThirdFactor TripletSTDP Uniform Update UserError VogelsInhibitory Votes
        Zero attach evaluate load_weights plot predict resume save_weights train
    """,
    "snnplast.record": "Run RunFile check_writable read_run",
    "snnplast.network": """
        ALIF AdEx AllToAll Analog COBA CUBA Connectivity CustomNeurons ExplicitPairs ExplicitWeights FixedInDegree
        Fragment GLIF Gaussian Glorot Injection Izhikevich LIF LayerNorm LeakyReadout Network Normal OneToOne
        PoissonSource Population Probability Projection RateReadout SpikeSource SpikingPopulation Transposed Uniform
        UniformDelay Update Weights Wiring
    """,
    "snnplast.task": """
        ActorCritic Choice Classification ClosedLoop CrossEntropy Encoding Environment Judgement MeanSquaredError
        Measures Model Objective OneSegment PixelCode PopulationCode RateCode ReadoutChoice Record Segment ShowsSamples
        SpikeChoice Spikes Stack Stretch Task Trial
    """,
    "snnplast.learning": """
        Adam Adaptive AfterTrial AnyOptimizer AnySurrogate AnyThirdFactor Assigns Broadcast Compiled CompiledSignal
        Context Explores Extends Follows Judged Modulated Optimizer OverBatch Pairing Part PiecewiseLinear Prepares
        Pretrained Pretraining Pulled ReadOnce Rule SGD Schedule Signal SignalKind Signals Speaks State Surrogate Swept
        SweptBack ThirdFactor ThreeFactorRule Timing Trials WithinTrial postsynaptic_trace presynaptic_trace
    """,
    "snnplast.testing": "check_model check_neuron check_rule check_third_factor small_network small_samples small_task",
}


@pytest.mark.parametrize("room", NAMES)
def test_a_room_offers_these_names_and_no_others(room):
    module = import_module(room)
    assert sorted(module.__all__) == sorted(NAMES[room].split())
    assert all(getattr(module, name) is not None for name in module.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        getattr(module, "nothing")  # noqa: B009
