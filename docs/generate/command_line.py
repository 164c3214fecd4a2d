"""What every command says of itself with --help."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from unittest.mock import patch

from generate.markdown import code

from snnplast.cli.command import parser

LEAD = """`snnplast COMMAND`, or `python -m snnplast COMMAND`. Exit status: 0; 2 for a [mistake](errors.md) in what was
written; 1 for an error of ours; 128 + n after signal n, such as 130 after Ctrl-C. Settings after `--set` are those of
[the configuration](settings.md).

| variable of the environment | what it does |
|---|---|
| `SNNPLAST_CACHE_DIR` | where compiled networks are; default `snnplast/engine` in `$XDG_CACHE_HOME` or `~/.cache` |
| `CXX` | the C++ compiler; default the first of `g++`, `clang++` and `c++` on the `PATH` |"""
WIDTH = {"COLUMNS": "100", "NO_COLOR": "1"}


def pages() -> Iterator[tuple[str, str]]:
    """(name, Markdown) of the one page."""
    with patch.dict("os.environ", WIDTH):
        whole, commands = parser()
        parts = ["# Command line", LEAD, code(whole.format_help().strip(), "text")]
        for name, command in commands.items():
            parts += [f"## snnplast {name}", code(_help(command), "text")]
    yield "command-line", "\n\n".join(parts) + "\n"


def _help(command: argparse.ArgumentParser) -> str:
    return command.format_help().strip()
