"""Frozen: hidden layers stay as drawn and only readouts learn: the control every rule is compared with."""

from __future__ import annotations

from typing import ClassVar

from snnplast.rules.e_prop import EProp
from snnplast.rules.readouts_only import ReadoutsOnly


class Frozen(ReadoutsOnly, EProp):
    """Random hidden features with readouts trained by the delta rule, exactly as under e-prop."""

    name: ClassVar[str] = "frozen"
    reference: ClassVar[str] = ""
