"""The e-prop iteration by hand, `benchmarks/floor.cpp`."""

from __future__ import annotations

import sys
from pathlib import Path

import common

sys.path.append(str(Path(__file__).parents[1]))

from floor import Floor

if __name__ == "__main__":
    given = common.problem()
    floor = Floor(given)
    common.take_part(given, floor.iterate, floor.read)
