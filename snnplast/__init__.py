"""Spiking neural networks that learn by local plasticity rules, on Brian2."""

__version__ = "0.1.0"
