"""Runs killed at random moments, with the settings they have by default: nothing flushed is lost, and each goes on.

SNNPLAST_KILLS says how many kills, 12 without it; a quarter of them hit a run that goes on already.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from snnplast.cli.command import main
from snnplast.errors import UserError
from snnplast.record import apart
from snnplast.record.results import read_checkpoint, read_run

KILLS = int(os.environ.get("SNNPLAST_KILLS", "12"))
RULES = {"e-prop": 4000, "ib-hebbian": 4000}
"""Iterations: some seconds of training each."""
SCRIPT = """
import sys
from snnplast import checkpoint, run
from snnplast.cli.command import main
checkpoint.LEAST = 0.3  # seconds between checkpoints: the run is short
run._figures = lambda path: []
sys.exit(main(sys.argv[1:]))
"""


def words_of(rule, path):
    sets = [f"rule={rule}", f"train.iterations={RULES[rule]}", f"record.path={path}"]
    sets += ["engine.name=runtime", "engine.target=numpy"]
    return ["run", "xor", "--quiet", *(word for text in sets for word in ("--set", text))]
