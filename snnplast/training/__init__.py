"""Runs: trainer, pretraining, session, checkpoints, resume, sweeps."""
