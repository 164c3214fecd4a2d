"""Where output goes: rich on a terminal, plain lines without trailing blanks elsewhere."""

from __future__ import annotations

import os
import sys

from rich.console import Console, RenderableType

PLAIN_WIDTH = 120


def standard_output() -> Console:
    """The console on stdout; what a notebook starts with `!` has a terminal that cannot be drawn over."""
    terminal = sys.stdout.isatty() and not os.environ.get("MPLBACKEND", "").endswith("backend_inline")
    return Console() if terminal else Console(width=PLAIN_WIDTH, force_terminal=False)


def emit(console: Console, content: RenderableType, *, wrap: bool = True) -> None:
    """Print literally: no markup, no guessed highlights, no blanks at line ends. wrap=False keeps lines whole."""
    with console.capture() as captured:
        console.print(content, soft_wrap=not wrap, highlight=False, markup=False)
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    console.file.flush()
