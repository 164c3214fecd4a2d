"""Frozen: hidden layers stay as drawn and only readouts learn: the control every rule is compared with."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from snnplast.rules.e_prop import EProp


class Frozen(EProp):
    """Random hidden features with readouts trained by the delta rule, exactly as under e-prop.

    third_factor, regularisers: none. surrogate: it has no part here.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.Frozen()
    >>> with snn.open(snn.Experiment(small_network(), small_task(), rule, iterations=1, engine="runtime")) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     [name for name in before if (sim.weights[name] != before[name]).any()]
    ['second_to_output']
    """

    name: ClassVar[str] = "frozen"
    reference: ClassVar[str] = ""
    learns: ClassVar[Literal["all", "hidden", "readouts"]] = "readouts"

    third_factor: Annotated[None, Field(description="none is used")] = None
    regularisers: Annotated[tuple[()], Field(description="none is used")] = ()
