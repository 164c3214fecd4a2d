"""Every sentence in which a user's mistake can end, collected from the source of the library, its rules and models."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from generate.markdown import plain

ROOT = Path(__file__).parents[2]
FOLDERS = ("snnplast", "rules", "models")
VALIDATING = ("network", "task", "rules", "models")
"""Where a ValueError is that of a validator, which becomes a `UserError` with its class and field."""

LEAD = """A mistake ends in one sentence: where it stands, the value, what is allowed and, of names, the nearest. In
Python it is an exception, `snnplast.UserError`; the command line prints `snnplast: ...` and exits with status 2, and
`--debug` shows the traceback. These are all the sentences there are, collected from the source. A word in ‹› stands for
what the sentence names: ‹place› is a file and key, an option or a class and field, ‹known› what could have been meant;
of what stands in \\[ | \\] one is said.

A value out of range ends in a sentence of the same form, `LIF.v_threshold = -1: input should be greater than 0`; what
is allowed is in the [tables of settings](settings.md). Status 1 and `internal error` are ours: please report them, with
what `--debug` shows."""

ROOMS = {
    "": (
        "Values, units, names and paths",
        "A quantity lacks its unit or has another one, an array is of the wrong type, a path or a plugin is not there."
        ' Write quantities with their unit (`"20 ms"`, `20*ms`); `snnplast rules`, `third-factors`, `models` and'
        " `neurons` list names.",
    ),
    "native": (
        "The C++ compiler and its cache",
        "The compiled engine needs a C++ compiler and a directory that is yours alone. Install g++ or clang++, set"
        ' `CXX` or `SNNPLAST_CACHE_DIR`, or choose `engine = "runtime"`.',
    ),
    "record": (
        "Files of runs",
        "A file is not there, is being written, is damaged, or is not that of a run; or the disk is full. Name another"
        " one with `record.path`, or overwrite an earlier run with `--force`.",
    ),
    "network": (
        "Networks",
        "A population, projection, equation or weight does not fit the others. The sentence names it as you did;"
        " `print(net)` shows what there is so far. [Any neuron](../../how-to/any-neuron.md) is about equations.",
    ),
    "engine": (
        "The engines and `snnplast.compile`",
        "Something in a Brian2 network has no compiled form, or a value given to a running network does not fit."
        ' Change what is named, or choose `engine = "runtime"`.',
    ),
    "report": ("Figures and progress", "A figure cannot be drawn or written. Name another file or another ending."),
    "task": (
        "Tasks, segments, objectives, environments",
        "What a trial shows does not fit the populations that it is shown to, or what is wanted does not fit the"
        " readout. Compare shapes with sizes, and durations with `dt`.",
    ),
    "learning": (
        "Rules, third factors and derivatives",
        "A rule cannot learn onto these neurons, a derivative does not exist, or a signal has the wrong shape. Take"
        " another rule, the other face, or another equation.",
    ),
    "config": (
        "Configurations",
        "A key, a name or a table is not what it should be. The sentence begins with the file or option where it"
        " stands, and ends with what may have been meant: [Configuration](../configuration.md).",
    ),
    "simulation": (
        "What does not go together",
        "Each part is right by itself, but not with the others: this rule with this network, this third factor with"
        " this task. [Choosing](../../explanation/choosing.md) says what each needs.",
    ),
    "training": (
        "Training, resuming, sweeps, `attach`",
        "A run cannot begin or go on: weights, file or settings are those of another one, or something has changed"
        " since. Sentences about a plain Brian2 script begin with `attach`.",
    ),
    "activity": ("Looking at a trial", "Nothing of this name can be looked at; the sentence lists what can."),
    "testing": (
        "Conformance checks",
        "A check cannot be made of what it was given. What a plugin of yours does wrong is an AssertionError, whose"
        " sentence names the property that is not kept.",
    ),
    "cli": (
        "The command line",
        "An argument or an option is not what it should be; `snnplast COMMAND --help` lists them.",
    ),
    "rules": (
        "Rules and third factors that are built in",
        "Settings of one rule do not go together, or it needs more of the network. `snnplast rules show NAME` and"
        " `snnplast third-factors show NAME` say what each needs.",
    ),
    "models": (
        "Models that are built in",
        "A model's settings or data files are not what it needs; `snnplast models show NAME` lists them.",
    ),
}


def pages() -> Iterator[tuple[str, str]]:
    """(name, Markdown) of the one page."""
    parts = ["# Every error", LEAD]
    found = list(sentences())
    for room, (title, lead) in ROOMS.items():
        here = [(module, said) for of, module, said in found if of == room]
        if not here:
            continue
        parts += [f"## {title}", lead]
        for module in dict.fromkeys(module for module, _ in here):
            own = dict.fromkeys(said for of, said in here if of == module)
            parts += [f"**{plain(module)}**", "\n".join(f"- {plain(said)}" for said in own)]
    yield "errors", "\n\n".join(parts) + "\n"


def sentences() -> Iterator[tuple[str, str, str]]:
    """(room, what its module is about, sentence) of every user error that the source makes."""
    files = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}
    kinds = _kinds(list(trees.values()))
    for file, tree in trees.items():
        room = _room(file)
        raised = {*kinds, "ValueError"} if room in VALIDATING else kinds
        about = (ast.get_docstring(tree) or file.stem).splitlines()[0].rstrip(".")
        for function, call in _calls(tree, raised):
            said = _Sentence(tree, function).of(call)
            if re.search(r"[a-z]", re.sub("‹.*?›", "", said)):  # else another's sentence is passed on
                yield room, about, said


def _room(file: Path) -> str:
    first, *inner = file.relative_to(ROOT).parts
    room = first if first != "snnplast" else inner[0] if len(inner) > 1 else ""
    if room not in ROOMS:
        raise KeyError(f"docs/generate/errors.py: what errors of '{room}' are about is not said")
    return room


def _kinds(trees: Sequence[ast.Module]) -> set[str]:
    """`UserError` and all that derive from it."""
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    kinds, before = {"UserError"}, 0
    while len(kinds) > before:
        before = len(kinds)
        kinds |= {c.name for c in classes for base in c.bases if isinstance(base, ast.Name) and base.id in kinds}
    return kinds


def _calls(tree: ast.AST, kinds: set[str]) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Where one of these is made, and in which function, the innermost."""

    def within(node: ast.AST, function: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
        for child in ast.iter_child_nodes(node):
            inner = child if isinstance(child, ast.FunctionDef) else function
            if isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id in kinds:
                yield function, child
            yield from within(child, inner)

    yield from within(tree, tree)


class _Sentence:
    """A sentence from the expression that makes it; what is not known before it is made stands in ‹›."""

    def __init__(self, module: ast.Module, function: ast.AST) -> None:
        self.given = [node for node in (*module.body, *ast.walk(function)) if isinstance(node, ast.Assign)]
        self.functions = {node.name: node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}

    def of(self, call: ast.Call) -> str:
        parts = [self._whole(arg) for arg in call.args]
        return " ".join(" ".join(parts).split())

    def _whole(self, node: ast.AST) -> str:
        """An argument, which a function of the module may make."""
        made = self.functions.get(_called(node))
        if made is None:
            return self._text(node, 0)
        returned = [inner.value for inner in ast.walk(made) if isinstance(inner, ast.Return) and inner.value]
        return "[" + " | ".join(self._text(value, 1) for value in returned) + "]"

    def _text(self, node: ast.AST, depth: int) -> str:
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.JoinedStr(values=values):
                return "".join(self._text(value, depth) for value in values)
            case ast.FormattedValue(value=value):
                return self._text(value, depth)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._text(left, depth) + self._text(right, depth)
            case ast.IfExp(body=body, orelse=other):
                texts = [self._text(body, depth), self._text(other, depth)]
                return f"[{' | '.join(filter(None, dict.fromkeys(texts)))}]"
            case ast.Call():
                return self._called(node, depth)
            case ast.Name(id=name):
                return self._named(name, depth)
            case ast.Attribute(attr=name):
                return _word(name)
            case ast.Subscript(value=value):
                return self._text(value, depth)
            case ast.BoolOp(values=[*_, last]):
                return self._text(last, depth)
            case ast.Starred(value=value):
                return self._text(value, depth)
        return "‹...›"

    def _called(self, node: ast.Call, depth: int) -> str:
        name = _called(node)
        if name == "nearest":
            return "did you mean ‹nearest›? Known: ‹known›"
        if name == "unknown":
            return f"unknown {self._text(node.args[0], depth)} ‹name›: did you mean ‹nearest›? Known: ‹known›"
        if name == "_at":
            return f"{self._text(node.args[0], depth)}: "
        if name in ("short", "repr", "str", "map", "sorted", "list", "plain", "len", "tuple") and node.args:
            return self._text(node.args[-1], depth)
        if name == "join" and node.args:
            return self._text(node.args[0], depth)
        if name in ("removeprefix", "format", "strip", "partition", "get") and isinstance(node.func, ast.Attribute):
            return self._text(node.func.value, depth)
        return _word(name)

    def _named(self, name: str, depth: int) -> str:
        """What a local name stands for where that is one text; else the name."""
        texts = (ast.Constant, ast.JoinedStr, ast.IfExp)
        given = [a.value for a in self.given if any(isinstance(t, ast.Name) and t.id == name for t in a.targets)]
        if len(given) == 1 and isinstance(given[0], texts) and depth < 3:
            return self._text(given[0], depth + 1)
        return _word(name)


def _called(node: ast.AST) -> str:
    """The name of the function or method that is called, "" for anything else."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _word(name: str) -> str:
    return f"‹{name.strip('_').replace('_', ' ') or '...'}›"
