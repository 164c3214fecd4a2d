"""What `help` says of the classes that users write: what they are and take, and nothing of how that is done."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import pydoc
import re
from typing import ClassVar

import pytest

import snnplast
from snnplast.description import Description
from snnplast.documented import entries


def described(names):
    """Those of the public names that are descriptions."""
    found = {name: getattr(snnplast, name) for name in names}
    return {name: kind for name, kind in found.items() if isinstance(kind, type) and issubclass(kind, Description)}


PUBLIC = described(snnplast.__all__)


@pytest.mark.parametrize("kind", PUBLIC.values(), ids=PUBLIC)
def test_help_begins_with_the_documentation_and_shows_no_machinery(kind):
    text = pydoc.plain(pydoc.render_doc(kind))
    takes, _, said = text.partition(f" |  {inspect.getdoc(kind).splitlines()[0]}\n")
    assert said and len(takes.splitlines()) <= 5 and "Annotated" not in takes and "func=" not in takes
    assert not any(word in text for word in ("__pydantic", "model_dump", "model_config", "ValidationError", "__init__"))


def test_a_class_lists_what_it_and_its_bases_declare():
    class Box(Description):
        """A box."""

        width: int = 1
        material: ClassVar[str] = "paper"

        def volume(self) -> int:
            """Its volume."""
            return self.width**3

        def __len__(self) -> int:
            return self.width

    class Chest(Box):
        pass

    assert {"material", "volume", "__len__"} <= set(dir(Chest))
    assert [name for name in dir(Chest) if "model" in name or "pydantic" in name] == []
    assert str(inspect.signature(Chest)) == "(*, width=1)"


def test_what_a_base_says_of_a_parameter_is_said_once_and_where_it_is_not_said_again():
    class Box(Description):
        """A box.

        width, height: of the box in mm,
            default 1. depth: in mm, default 2.
        material: no parameter.
        """

        width: int = 1
        height: int = 1
        depth: int = 2

    class Chest(Box):
        """A chest.

        depth: in mm, default 3.

        >>> 1 + 1
        2
        """

        depth: int = 3

    class Small(Chest):
        """A small one."""

    assert Chest.__doc__.endswith(
        "2\n\nInherited from Box:\nwidth, height: of the box in mm,\n    default 1. depth: in mm, default 2."
    )
    assert Small.__doc__.split("\n\n")[1:] == [
        "Inherited from Chest:\ndepth: in mm, default 3.",
        "Inherited from Box:\nwidth, height: of the box in mm,\n    default 1. depth: in mm, default 2.",
    ]
    assert set(entries(Box.__doc__)) == {"width", "height", "depth", "material"}


def test_a_class_without_documentation_has_none_of_its_own():
    class Box(Description):
        width: int = 1

    assert Box.__dict__.get("__doc__") is None


def library():
    """All descriptions of the library."""
    found, todo = {}, [Description]
    for found_module in pkgutil.walk_packages(snnplast.__path__, "snnplast."):
        if not found_module.name.endswith("__main__"):
            importlib.import_module(found_module.name)
    while todo:
        kinds = todo.pop().__subclasses__()
        todo += kinds
        found |= {
            f"{k.__module__}.{k.__name__}": k
            for k in kinds
            if k.__module__.startswith("snnplast.") and k.__name__[0] != "_"
        }
    return found


def test_every_parameter_is_documented_and_a_default_of_its_own_where_it_is_given():
    kinds, silent = library(), []
    assert len(kinds) > 60
    for where, kind in kinds.items():
        said = set(re.findall(r"\b(\w+)(?=(?:, \w+)*:)", inspect.getdoc(kind) or ""))
        own = set(entries(kind.__dict__.get("__doc__") or ""))
        for name, field in kind.model_fields.items():
            inherited = any(name in base.model_fields for base in kind.__bases__ if issubclass(base, Description))
            again = inherited and name in inspect.get_annotations(kind)
            if (field.alias or name) not in (own if again else said):
                silent.append(f"{where}.{field.alias or name}")
    assert silent == []
