"""Neurons of every kind at random points, and one step of them evaluated without the library.

Lines of code run as Python, with complex numbers for their derivatives.
"""

from __future__ import annotations

import ast
import textwrap

import brian2
import numpy as np
import own_neurons
from brian2 import ms, mV, nS, pA, pF
from brian2.units.allunits import all_units

from snnplast.learning.derivative import shown
from snnplast.learning.linearised import linearise
from snnplast.learning.step_code import step_of
from snnplast.network.fragments import Update
from snnplast.network.neurons import ALIF, LIF

POINTS, DT = 40, 0.5e-3

GATES = """
    dv/dt = (gl*(El - v) + gNa*m**3*hh*(ENa - v) + gK*n**4*(EK - v) + ge)/C : volt
    dm/dt = 0.32*4*exprel(-(v - VT - 13*mV)/(4*mV))**-1/ms*(1 - m) - 0.28*5/exprel((v - VT - 40*mV)/(5*mV))/ms*m : 1
    dn/dt = 0.032*5/exprel((15*mV - v + VT)/(5*mV))/ms*(1 - n) - 0.5*exp((10*mV - v + VT)/(40*mV))/ms*n : 1
    dhh/dt = 0.128*exp((17*mV - v + VT)/(18*mV))/ms*(1 - hh) - 4/(1 + exp((40*mV - v + VT)/(5*mV)))/ms*hh : 1
    dge/dt = -ge/te : amp"""

IN_VOLT = """
    dv/dt = (upstroke + gL*(EL - v) - wad + synaptic)/C : volt (unless refractory)
    dwad/dt = (aw*(v - EL) - wad)/tw : amp
    dge/dt = -ge/te : siemens
    upstroke = gL*DT*exp((v - VT)/DT) : amp
    synaptic = ge*(Ee - v) : amp"""

PIECES = """
    dv/dt = (clip(drive, 0, 0.8) - abs(v - 0.1))/tau : 1 (unless refractory)
    du/dt = -u*clip(v, -inf, inf)/te : 1
    drive = 2*u*int(u > -0.5) : 1"""

TIMES = {"te": 5 * ms}

MODELS = {
    "cuba exact": own_neurons.neurons("cuba", 1),
    "cuba rk4, flagged": own_neurons.neurons(
        "cuba", 1, method="rk4", refractory=3 * ms, reset="v = 0.1",
        equations="dv/dt = (ge - gi - v)/tau : 1 (unless refractory)\n" + own_neurons.SYNAPSES,
    ),
    "coba exponential_euler, flagged": own_neurons.neurons("coba", 1),
    "adex euler": own_neurons.neurons("adex", 1),
    "adex rk4": own_neurons.neurons("adex", 1, method="rk4"),
    "izhikevich rk2": own_neurons.neurons("izhikevich", 1, method="rk2", initial={}),
    "two compartments rk4": own_neurons.neurons("two compartments", 1, method="rk4"),
    "gates in volt, exponential_euler": own_neurons.custom(
        1, "ge", equations=GATES, method="exponential_euler", threshold="v > 0*mV", distance="v",
        threshold_scale="1*mV", reset="v = v - VT",
        constants={
            "gl": 10 * nS, "El": -60 * mV, "gNa": 20000 * nS, "ENa": 50 * mV, "gK": 6000 * nS, "EK": -90 * mV,
            "VT": -63 * mV, "C": 200 * pF, **TIMES,
        },
    ),
    "adex in volt and amp, subexpressions": own_neurons.custom(
        1, "ge", equations=IN_VOLT, method="euler", threshold="v > -40*mV", distance="v + 40*mV",
        threshold_scale="5*mV", refractory=2 * ms,
        reset="v = EL + 0.1*(v - EL)\nwad = wad*1.1 + bw",
        constants={
            "gL": 30 * nS, "EL": -70 * mV, "C": 281 * pF, "DT": 2 * mV, "VT": -50 * mV, "Ee": 0 * mV, "aw": 4 * nS,
            "tw": 144 * ms, "bw": 80 * pA, **TIMES,
        },
    ),
    "clip, abs, conditions and updates": own_neurons.custom(
        1, "u", equations=PIECES, method="euler", threshold="v > 1", distance="v*exp(-u) - 1", threshold_scale=1,
        reset="u += v**2\nv = u*0.3 - v", refractory=2 * ms, constants={"tau": 20 * ms, **TIMES},
        updates=(
            Update("v = clip(v, -0.2, inf)", "after_groups", 2),
            Update("u = u*cos(v) + 0.1\nv *= 0.9", "after_groups", 1),
        ),
    ),
    "lif": LIF(1, bias=0.02, v_min=-0.3, reset=0.1, refractory=2 * ms),
    "alif": ALIF(1, beta=0.2),
}  # fmt: skip

RANGES = {
    "izhikevich rk2": {"v": (-70, -40), "u": (-15, 5)},
    "gates in volt, exponential_euler": {"v": (-80e-3, 40e-3), "m": (0, 1), "n": (0, 1), "hh": (0, 1), "ge": (0, 1e-9)},
    "adex in volt and amp, subexpressions": {"v": (-75e-3, -45e-3), "wad": (0, 1e-10), "ge": (0, 2e-8)},
}
"""Where states are drawn from; (-1, 1) else."""

WORDS = {name: getattr(np, name) for name in "exp log sqrt sin cos tanh".split()}
WORDS |= {
    "exprel": lambda x: np.where(x == 0, 1, np.expm1(x) / np.where(x == 0, 1, x)),
    "abs": lambda x: np.where(np.real(x) < 0, -x, x),
    "clip": lambda x, low, high: np.where(np.real(x) < low, low, np.where(np.real(x) > high, high, x)),
    "int": lambda condition: np.asarray(condition, dtype=float),
    "inf": np.inf,
    "real": np.real,
    "sign": lambda x: np.sign(np.real(x)),
}
"""Functions of Brian2, for complex numbers too."""
WORDS |= {str(unit): float(unit) for unit in all_units}


class Complex(ast.NodeTransformer):
    """Code for arrays of complex numbers: subexpressions put in, real parts compared, `and` for each entry."""

    def __init__(self, inner):
        self.inner = inner

    def visit_Name(self, node):
        own = self.inner.get(node.id) if isinstance(node.ctx, ast.Load) else None
        return node if own is None else self.visit(ast.parse(own, mode="eval").body)

    def visit_Compare(self, node):
        real = [ast.Call(ast.Name("real", ast.Load()), [self.visit(x)], []) for x in (node.left, *node.comparators)]
        return ast.Compare(real[0], node.ops, real[1:])

    def visit_BoolOp(self, node):
        first, second = map(self.visit, node.values)
        return ast.BinOp(first, ast.BitAnd(), second)


class Neuron:
    """A model, states at random points, and its step without the library. free: not_refractory at each point."""

    def __init__(self, name):
        self.population = MODELS[name]
        self.code = self.population.fragment(DT)
        self.step = step_of(self.population, self.code, DT)
        self.linearised = linearise(self.step, self.population.through)
        rng = np.random.default_rng(7)
        self.h = {s: rng.uniform(*RANGES.get(name, {}).get(s, (-1, 1)), POINTS) for s in self.step.states}
        resting = self.population.active is not None
        self.flagged = [line[1:].split("/")[0] for line in self.code.equations if "unless refractory" in line]
        self.flagged = self.flagged if resting else []
        self.free = rng.random(POINTS) < 0.6 if resting else np.ones(POINTS, bool)
        self.known = {**WORDS, **self.code.constants, "dt": DT, "bias": 0.02, "not_refractory": self.free}
        inner = [line.rpartition(":")[0].split(" = ") for line in self.code.equations if "/dt" not in line]
        self.put = Complex({pair[0].strip(): pair[1] for pair in inner if len(pair) == 2})

    def block(self, kind):
        """Lines of the flow as Brian2's integrator has them, of updates and reset as they were written."""
        if kind == "reset":
            return "\n".join(self.code.on_spike)
        if kind == "updates":
            return "\n".join(update.code for update in sorted(self.code.updates, key=lambda update: update.order))
        declared = [f"{n} : {self.code.units.get(n, '1')} (constant, shared)" for n in self.code.constants]
        text = "\n".join([*self.code.equations, *declared])
        group = brian2.NeuronGroup(
            1, text, method=self.population.integration, threshold="False", refractory=1 * ms,
            clock=brian2.Clock(DT * brian2.second), name="by_hand*",
        )  # fmt: skip
        group._network = "none"  # it is only looked at
        group.state_updater.update_abstract_code(run_namespace={})
        return "\n".join(
            line for line in group.state_updater.abstract_code.splitlines() if not line.startswith("not_refractory")
        )

    def after(self, block, h, gated):
        """States after a block of code; refractory neurons keep what is flagged."""
        now = {**self.known, **{name: np.array(value, dtype=complex) for name, value in h.items()}}
        for statement in ast.parse(textwrap.dedent(block)).body:
            target = statement.target if isinstance(statement, ast.AugAssign) else statement.targets[0]
            before = now.get(target.id)
            if isinstance(statement, ast.AugAssign):
                value = ast.BinOp(ast.Name(target.id, ast.Load()), statement.op, statement.value)
            else:
                value = statement.value
            now[target.id] = self.value(value, now)
            if gated and target.id in self.flagged:
                now[target.id] = np.where(self.free, now[target.id], before)
        return {name: now[name] + np.zeros(POINTS) for name in h}

    def value(self, expression, now):
        """An expression, a tree or text, at all points."""
        if isinstance(expression, str):
            expression = ast.parse(expression, mode="eval").body
        tree = ast.fix_missing_locations(ast.Expression(self.put.visit(expression)))
        with np.errstate(all="ignore"):
            return eval(compile(tree, "a neuron", "eval"), {}, now)

    def jacobian(self, kind):
        """(row, column) -> derivative (POINTS,), by a complex step."""
        block, found = self.block(kind), {}
        for column, values in self.h.items():
            step = np.abs(values).max() * 1e-30
            moved = self.after(block, {**self.h, column: values + 1j * step}, gated=kind != "reset")
            found |= {(row, column): value.imag / step for row, value in moved.items()}
        return found

    def derived(self, block):
        """The same as the library has it, by its tape."""
        now = {**self.known, **self.h}
        for name, value in block.tape.items():
            now[str(name)] = self.value(shown(value), now)
        return {pair: self.value(shown(entry), now) + np.zeros(POINTS) for pair, entry in block.entries.items()}
