"""`snnplast new`: the package of a rule, third factor or model of one's own, which passes its own tests."""

from __future__ import annotations

import keyword
import re
import sys
from importlib import resources
from pathlib import Path
from string import Template

from snnplast import registry
from snnplast.errors import UserError, short, unknown

CHECKS = {"rule": "check_rule", "third-factor": "check_third_factor", "model": "check_model"}
"""What can be made -> what its test calls."""
TRIED = {
    "rule": "snnplast run digits --set rule=$name",
    "third-factor": "snnplast run digits --set rules.e-prop.third_factor.name=$name",
    "model": "snnplast run $name",
}


def new(kind: str, name: str, parent: Path, within_trial: bool = False) -> list[Path]:
    """Write a package NAME into a directory; the files that are new.

    Raises `UserError` for a kind or name that cannot be, and where something of that name stands already.
    """
    if kind not in CHECKS:
        raise UserError(f"new: {unknown('kind', kind, CHECKS)}")
    if within_trial and kind != "rule":
        raise UserError(f"new {kind} --within-trial: only a rule changes weights within a trial")
    _refuse(kind, name)
    root = parent / name
    if root.exists() or root.is_symlink():
        raise UserError(f"new: '{root}' is there already; another name, or --output, is needed")
    texts = _texts(kind, name, within_trial)
    try:
        for path, text in texts.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"new: '{root}' cannot be written: {error.strerror}") from error
    return [root / path for path in texts]


def _refuse(kind: str, name: str) -> None:
    """Names that no package or plugin can have."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UserError(f"new: {short(name)}: lower-case letters, digits and hyphens, such as 'my-{kind}', are needed")
    module = name.replace("-", "_")
    if name in registry.names(kind):
        raise UserError(f"new: there is a {kind.replace('-', ' ')} {name!r} already; another name is needed")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or module in ("snnplast", "tests"):
        raise UserError(f"new: {name!r} is a word or module of Python; another name is needed")


def _texts(kind: str, name: str, within_trial: bool) -> dict[str, str]:
    """Path in the package -> text."""
    module, part = name.replace("-", "_"), kind.replace("-", "_")
    words = {
        "name": name,
        "module": module,
        "part": part,
        "kind": kind,
        "class_name": "".join(word.capitalize() for word in name.split("-")),
        "title": name.replace("-", " ").capitalize(),
        "what": kind.replace("-", " "),
        "group": registry.GROUPS[kind],
        "command": f"{kind}s",
        "check": CHECKS[kind],
    }
    words["try_it"] = Template(TRIED[kind]).substitute(words)
    templates = resources.files("snnplast.cli") / "templates"

    def filled(template: str) -> str:
        return Template((templates / f"{template}.in").read_text(encoding="utf-8")).substitute(words)

    source = f"{part}_within_trial.py" if within_trial else f"{part}.py"
    texts = {
        "pyproject.toml": filled("pyproject.toml"),
        "README.md": filled("README.md"),
        f"src/{module}/__init__.py": "",
        f"src/{module}/{part}.py": filled(source),
        f"tests/test_{module}.py": filled("test.py"),
    }
    if kind == "model":
        texts[f"src/{module}/{part}.toml"] = filled("model.toml")
    return texts
