"""Errors reach other processes as they are."""

from __future__ import annotations

import importlib
import pickle
import pkgutil

import pytest

import snnplast
from snnplast import LIF
from snnplast.errors import UserError


class Several(UserError):
    """An error made of several things, and one by name only, as a plugin may define it."""

    def __init__(self, place: str, value: object, *, allowed: str) -> None:
        super().__init__(f"{place} = {value!r}: {allowed} is allowed")
        self.place, self.value = place, value


def every_kind(base):
    return [base, *(kind for below in base.__subclasses__() for kind in every_kind(below))]


def made_by_hand(kind):
    """An error of a class, whatever it is made of."""
    error = kind.__new__(kind, "a sentence")
    error.args = ("a sentence",)
    vars(error).update(path=("a", "b"), complaint=": no")
    return error


def test_every_error_arrives_in_another_process_as_it_was():
    for module in pkgutil.walk_packages(snnplast.__path__, "snnplast."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    kinds = every_kind(UserError)
    assert len(kinds) >= 3
    for kind in kinds:
        error = made_by_hand(kind)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.args, str(again), vars(again)) == (kind, error.args, str(error), vars(error))


def test_errors_made_of_several_things_arrive_with_all_of_them():
    with pytest.raises(UserError) as caught:
        LIF(3, v_treshold=1)
    for error in (caught.value, Several("net.w", 3, allowed="a positive number")):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and str(again) == str(error) and vars(again) == vars(error)
    assert caught.value.path == ("v_treshold",)
