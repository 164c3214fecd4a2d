"""Settings in layers, checked and built into an experiment."""
