"""The pages of docs/ that teach by code: it runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from snnplast.engine import compiler_available

PAGES = [Path(__file__).parents[1] / "docs" / "closed-loop.md"]


@pytest.mark.skipif(not compiler_available(), reason="needs a C++ compiler")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page):
    scope = {}
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S):
        exec(block, scope)
    assert len(scope["run"].metrics["test_return"]) == 2
