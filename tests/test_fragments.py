"""Pieces of Brian2 code: the same piece counts once, two meanings of a name are told apart."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast.errors import UserError
from snnplast.network.fragments import Fragment, Injection, Update, clashes, merge, substitute

TRACE = Fragment(
    ("dz/dt = -z/tau : 1",), {"tau": 0.02, "gain": 1.0}, {"tau": "second"}, on_spike=("z = z + gain",)
)  # fmt: skip
PSI = Fragment(("psi : 1",), updates=(Update("psi = clip(v, 0, 1)", order=2),))


def changed(fragment, **values):
    return Fragment(**{**fragment.__dict__, **values})


def test_identical_pieces_count_once():
    twice = merge("hidden", [TRACE, PSI, TRACE, PSI])
    assert twice.equations == (*TRACE.equations, *PSI.equations)
    assert twice.updates == PSI.updates and twice.on_spike == TRACE.on_spike
    assert dict(twice.constants) == dict(TRACE.constants) and dict(twice.units) == {"tau": "second"}


@pytest.mark.parametrize(
    "other, sentence",
    [
        (Fragment(("z : 1",)), "hidden: 'z' is defined twice: 'dz/dt = -z/tau : 1' and 'z : 1'"),
        (Fragment(("tau : second",)), "hidden: 'tau' is defined twice"),
        (Fragment(constants={"tau": 0.01}), "hidden: the constant 'tau' has two meanings"),
        (Fragment(constants={"z": 1.0}), "hidden: the constant 'z' has two meanings"),
        (Fragment(constants={"tau": np.array([0.02, 0.02])}), "hidden: the constant 'tau' has two meanings"),
    ],
)
def test_two_meanings_of_a_name_are_refused(other, sentence):
    with pytest.raises(UserError) as caught:
        merge("hidden", [TRACE, other])
    assert str(caught.value).startswith(sentence)


def test_one_array_of_constants_is_one_meaning():
    one, same = (Fragment(constants={"tau": np.array([0.01, 0.02])}) for _ in range(2))
    assert merge("hidden", [one, same]).constants["tau"].tolist() == [0.01, 0.02]


def test_a_line_that_declares_nothing_is_refused():
    with pytest.raises(UserError, match="equation 'v': expected 'name : unit'"):
        merge("hidden", [Fragment(("v",))])


def test_renaming_exchanges_whole_identifiers_everywhere():
    fragment = Fragment(
        ("dz/dt = -z/tau : 1", "zz = 2*z : 1"),
        {"tau": 1.0},
        {"tau": "second"},
        (Update("z = z*dz_", "end"),),
        ("z = z + 1",),
    ).renamed({"z": "trace", "tau": "tau_trace"})
    assert fragment.equations == ("dtrace/dt = -trace/tau_trace : 1", "zz = 2*trace : 1")
    assert fragment.constants == {"tau_trace": 1.0} and fragment.units == {"tau_trace": "second"}
    assert fragment.updates == (Update("trace = trace*dz_", "end"),)
    assert fragment.on_spike == ("trace = trace + 1",)


def test_renaming_at_one_end_reaches_the_synapses():
    injection = Injection(TRACE, PSI, Fragment(("e : 1",), updates=(Update("e = psi_post*z_pre + z_post"),)))
    renamed = injection.renamed("pre", {"z": "z2"})
    assert renamed.synapse.updates[0].code == "e = psi_post*z2_pre + z_post"
    assert renamed.post == PSI and "dz2/dt = -z2/tau : 1" in renamed.pre.equations


def test_substitution_leaves_longer_names_alone():
    assert substitute("az + z_pre + z.y + z", {"z": "q"}) == "az + z_pre + q.y + q"


@pytest.mark.parametrize(
    "added, names",
    [
        (TRACE, set()),
        (PSI, set()),
        (Fragment(("y : 1",)), set()),
        (changed(TRACE, equations=("dz/dt = -2*z/tau : 1",)), {"z", "tau", "gain"}),
        (changed(TRACE, constants={"tau": 0.01, "gain": 1.0}), {"tau", "z", "gain"}),
        (changed(TRACE, constants={"tau": 0.02, "gain": 0.5}), {"gain", "z", "tau"}),
        (changed(TRACE, on_spike=("z = z + 2*gain",)), {"z", "tau", "gain"}),
        (changed(PSI, updates=(Update("psi = 2*clip(v, 0, 1)", order=2),)), {"psi"}),
        (changed(PSI, updates=(Update("psi = clip(v, 0, 1)", order=1),)), {"psi"}),
    ],
)
def test_a_name_clashes_if_its_definition_its_code_or_what_it_is_made_of_differs(added, names):
    """Renaming a constant without the trace made of it would drive one trace by two meanings."""
    assert clashes(merge("hidden", [TRACE, PSI]), added) == names


def test_the_text_shows_every_piece():
    text = merge("hidden", [TRACE, PSI]).text()
    for piece in ("dz/dt = -z/tau : 1", "tau = 0.02", "on spike: z = z + gain", "psi = clip(v, 0, 1)", "after_groups"):
        assert piece in text
