"""Units of weights: numbers of order 1 that synapses turn into volts, amps or siemens.

into <- into + w u        u: 1 of the unit that the projection, or its target for all of them, gives the weights
"""

from __future__ import annotations

from snnplast.brian import get_unit
from snnplast.errors import UserError, nearest
from snnplast.network.code import equation
from snnplast.network.code_check import dimension
from snnplast.network.population import Population
from snnplast.network.projection import Projection
from snnplast.units import one

_USUAL = {"volt": "mV", "siemens": "nS", "amp": "pA", "second": "ms", "farad": "pF", "hertz": "Hz"}


def weight_scale(projection: Projection, source: Population, target: Population, dt: float) -> tuple[float, str]:
    """(SI value of a weight of 1, Brian2's unit of that); (1.0, "1") where weights have none.

    Raises `UserError` for weights whose unit is not that of what they add to.

    >>> from snnplast import CustomNeurons, PoissonSource
    >>> neurons = CustomNeurons(3, equations="dv/dt = -v/(20*ms) : volt", threshold="v > 10*mV", reset="v = 0*mV")
    >>> weight_scale(Projection(name="p", source="a", target="b", unit="mV"), PoissonSource(3), neurons, 1e-3)
    (0.001, 'volt')
    >>> weight_scale(Projection(name="p", source="a", target="b"), PoissonSource(3), neurons, 1e-3)
    Traceback (most recent call last):
    snnplast.errors.UserError: network.p.unit: weights add to 'v', in volt; a unit of them is needed, such as 'mV'
    """
    into = projection.into or target.input_variable_name or ""
    needed = _needed(projection, into, source, target, dt)
    unit = weight_unit(projection, target)
    place = f"network.{projection.name}.unit"
    told = f"weights add to {into!r}, in {needed}"
    if unit is None:
        if needed == "1":
            return 1.0, "1"
        raise UserError(f"{place}: {told}; a unit of them is needed, such as '{_USUAL.get(needed, needed)}'")
    if needed == "1":
        raise UserError(f"{place} = {unit!r}: weights add to {into!r}, a number; unit=None is needed")
    try:
        quantity = one(unit, needed)
    except UserError as error:
        raise UserError(f"{place}: {error}") from None
    if quantity.dim is not dimension(needed):
        raise UserError(f"{place} = {unit!r}: {told}; one such as '{_USUAL.get(needed, needed)}' is needed")
    return float(quantity), needed


def weight_unit(projection: Projection, target: Population) -> str | None:
    """The unit that weights are given in: the projection's, or its target's for what they add to."""
    into = projection.into or target.input_variable_name or ""
    return projection.unit or (target.weight_units.get(into) if projection.kind == "spiking" else None)


def _needed(projection: Projection, into: str, source: Population, target: Population, dt: float) -> str:
    """Brian2's unit of what weights add; what an analog one carries has its own."""
    declared = {e.name for e in map(equation, target.fragment(dt).equations)}
    if projection.kind == "spiking" and into not in declared:
        place = f"network.{projection.name}.into = {into!r}"
        raise UserError(f"{place}: {projection.target!r} has no such variable; {nearest(into, declared)}")
    added = dimension(_unit(target, into, dt))
    if projection.variable is not None:
        added = added / dimension(_unit(source, projection.variable, dt))
    return "1" if added.is_dimensionless else repr(get_unit(added)).replace(" ", "")


def _unit(population: Population, variable: str, dt: float) -> str:
    """The unit that equations declare for a variable; "1" for one that comes from elsewhere."""
    fragment = population.fragment(dt)
    declared = {e.name: e.unit for e in map(equation, fragment.equations)}
    return {**declared, **fragment.units}.get(variable, "1")
