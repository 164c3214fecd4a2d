"""Where output goes: what may be drawn over, and what is plain lines."""

from __future__ import annotations

import sys

import pytest

from snnplast.report.console import standard_output


@pytest.mark.parametrize(
    ("terminal", "backend", "drawn"),
    [(True, "", True), (False, "", False), (True, "module://matplotlib_inline.backend_inline", False)],
)
def test_a_notebook_that_starts_the_command_is_no_terminal(monkeypatch, terminal, backend, drawn):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("MPLBACKEND", backend)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    if not drawn:
        monkeypatch.setenv("FORCE_COLOR", "1")
    assert standard_output().is_terminal == drawn
