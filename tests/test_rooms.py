"""The stair of rooms: a room imports only rooms below it. A new room adds one word."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

PACKAGE = Path(import_module("snnplast").__file__).parent
GROUND = (
    "errors lazy brian notices reads files described documented units description registry named random_streams"
    " time_steps shown"
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
