"""`snnplast rules show e-prop --neuron adex` reads like the appendix of a paper: the texts in derivations/."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnplast.cli.command import main
from snnplast.registry import BUILT_IN

TEXTS = Path(__file__).parent / "derivations"
SLOW = [pytest.param("cuba", marks=pytest.mark.slow)]
"""sympy takes seconds to solve its equations exactly."""


def shown(capsys, *words):
    status = main(["rules", "show", *words])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("neuron", ["adex", *SLOW])
def test_traces_are_written_down_as_derived(capsys, neuron):
    status, out, _ = shown(capsys, "e-prop", "--neuron", neuron)
    derivation, _, rest = out.partition("\nBrian2 code it adds, ")
    assert status == 0 and derivation == (TEXTS / f"{neuron}.txt").read_text(encoding="utf-8")
    online, factored = rest.split("\nBrian2 code it adds, ")
    assert "eligibility = psi_post*(eps_v)" in online and "eligibility" not in factored
    assert "bellec2020solution" in factored


@pytest.mark.parametrize("neuron", sorted(BUILT_IN["neuron"].keys() - {"adex", "cuba"}))
def test_they_are_for_every_neuron(capsys, neuron):
    status, out, err = shown(capsys, "e-prop", "--neuron", neuron)
    assert (status, err) == (0, "") and "\n  eps_v <- P[v, v]*eps_v" in out


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["e-prop", "--neuron", "adx"], "unknown neuron 'adx': did you mean 'adex'?"),
        (["delta", "--neuron", "adex"], "rule 'delta' keeps no traces of spiking neurons"),
    ],
)
def test_what_cannot_be_derived_is_one_sentence(capsys, words, sentence):
    status, _, err = shown(capsys, *words)
    assert status == 2 and sentence in err
