"""Settings in layers, checked and built into an experiment."""

from snnplast.config.resolution import resolve as resolve
