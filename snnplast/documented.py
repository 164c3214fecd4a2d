"""What Python's `help` says of a description: its own words, the parameters it inherits, and no machinery."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

_Meta = type if TYPE_CHECKING else type(BaseModel)
_ENTRY = re.compile(r"(?:^|(?<=[.;] ))(\w+(?:, \w+)*): ", re.M)
"""How what a docstring says of parameters begins: 'low, high: ...' at the start of a line or of a sentence."""


class Documented(_Meta):
    """The class of descriptions: it lists what they and their bases declare, and not what pydantic adds."""

    def __dir__(cls) -> list[str]:
        machinery = {*dir(BaseModel), "__class_vars__", "__private_attributes__", "__signature__", "__weakref__"}
        return [name for name in super().__dir__() if name not in machinery and not name.startswith("__pydantic")]


def document(cls: Any) -> None:
    """Give a class the documentation of what it inherits, and a signature of names and defaults alone.

    >>> from snnplast.description import Description
    >>> class Box(Description):
    ...     '''A box. width: in mm, default 1.'''
    ...     width: int = 1
    >>> class Lid(Box):
    ...     '''Its lid.'''
    >>> print(inspect.signature(Lid), inspect.getdoc(Lid), sep='; ')
    (*, width=1); Its lid.
    <BLANKLINE>
    Inherited from Box:
    A box. width: in mm, default 1.
    """
    said = cls.__dict__.get("__doc__")
    if said:
        cls.__doc__ = "\n\n".join([inspect.cleandoc(said), *_inherited(cls, said)])
    if "__signature__" in cls.__dict__:  # of a class whose fields are all known
        parameters = cls.__signature__.parameters.values()
        cls.__signature__ = inspect.Signature([each.replace(annotation=each.empty) for each in parameters])


def entries(text: str) -> dict[str, str]:
    """Parameter -> the lines of a docstring that say what it is, up to the next that begins so, or an empty one."""
    own = re.split(r"^Inherited from |^ *>>> ", inspect.cleandoc(text), maxsplit=1, flags=re.M)[0]
    found: dict[str, str] = {}
    for lines in re.split(r"\n\s*\n|\n(?=\w+(?:, \w+)*: )", own):
        for names in _ENTRY.findall(lines):
            found |= {name: lines.rstrip() for name in names.split(", ") if name not in found}
    return found


def _inherited(cls: Any, said: str) -> list[str]:
    """One paragraph per base that says something of parameters of which nothing is said yet."""
    known, paragraphs = set(entries(said)), []
    for base in cls.__mro__[1:]:
        own = entries(base.__dict__.get("__doc__") or "") if hasattr(base, "model_fields") else {}
        lines = dict.fromkeys(text for name, text in own.items() if name in cls.model_fields and name not in known)
        if lines:
            paragraphs.append("\n".join([f"Inherited from {base.__name__}:", *lines]))
        known |= set(own)
    return paragraphs
