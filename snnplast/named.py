"""Settings given as a table with a name, {name = "adam", learning_rate = 5e-3}, become the object of that name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snnplast import registry
from snnplast.description import Description
from snnplast.errors import UserError, nearest, short, unknown


class Named:
    """Validator of a field that takes an object, its name, or its table: `Annotated[..., BeforeValidator(Named(...))]`.

    kind: what the things are called. known: names to classes; without it, the plugins of this kind.
    """

    def __init__(self, kind: str, known: Mapping[str, type[Description]] | None = None) -> None:
        self.kind, self._known = kind, known

    def names(self) -> list[str]:
        """The names there are."""
        return registry.names(self.kind) if self._known is None else sorted(self._known)

    def load(self, name: str) -> type[Description]:
        """The class of a name; raises `UserError` for an unknown one."""
        names = self.names()
        if name not in names:
            raise UserError(unknown(self.kind, name, names))
        return registry.load(self.kind, name) if self._known is None else self._known[name]

    def __call__(self, value: Any) -> Any:
        if isinstance(value, Description):
            return value
        table = {"name": value} if isinstance(value, str) else value
        if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
            raise UserError(
                f'{short(value)}: a name or a table {{name = "..."}} is needed; {nearest("", self.names())}'
            )
        return self.load(table["name"])(**{key: entry for key, entry in table.items() if key != "name"})
