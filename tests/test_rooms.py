"""The stair of rooms: a room imports only rooms below it. A new room adds one word."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

PACKAGE = Path(import_module("snnplast").__file__).parent
GROUND = (
    "errors lazy brian notices reads files described documented units description registry named random_streams version"
    " time_steps shown ordered"
)
STAIR = [
    *GROUND.split(),
    *"native record network engine report task learning config simulation training plot activity testing cli".split(),
    "__main__",
]
FILES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if path.relative_to(PACKAGE).parts[0] not in ("rules", "models", "__init__.py")
)


def imported(path: Path) -> set[str]:
    """The rooms and modules of the ground that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[1] for name in node.names if name.name.startswith("snnplast.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "snnplast":
            found |= {name.name for name in node.names if name.name in STAIR}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("snnplast."):
            found.add(node.module.split(".")[1])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_below_it(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    above = {other for other in imported(path) if other != room and STAIR.index(other) >= STAIR.index(room)}
    assert not above, f"{room} imports {above}"


def test_every_room_has_its_floor():
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES}
    assert rooms == set(STAIR)


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements, those of functions too; not what only a type checker reads."""
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        for part in ("body", "orelse", "finalbody", "handlers"):
            yield from statements(getattr(node, part, []))


def modules_of(path: Path) -> set[str]:
    """The modules of the package that a file imports, wherever in it."""
    found: set[str] = set()
    for node in statements(ast.parse(path.read_text()).body):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            of, whole = node.module or "", [f"{node.module}.{name.name}" for name in node.names]
            found |= {name if name in MODULES else of for name in whole}
    return found & MODULES.keys()


MODULES = {
    ".".join(("snnplast", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def test_no_modules_import_each_other_in_a_circle():
    try:
        TopologicalSorter({name: modules_of(path) for name, path in MODULES.items()}).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))
