"""The site: it builds without a warning, every link leads somewhere, and every command and block of code is checked."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from snnplast.cli.command import _parse

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if not {"_build", "generated", "examples"} & set(page.parts))
RUN = {  # pages whose Python blocks are run by a test of their own, beside those that the build runs
    "how-to/closed-loop.md": "test_docs",
    "how-to/plasticity.md": "test_docs",
    "how-to/cluster.md": "test_docs",
    "how-to/write-your-own-rule.md": "test_guide",
    "explanation/speed.md": "test_docs",
}


def name(page):
    return page.relative_to(DOCS).as_posix()


def executed(page):
    """Whether the build runs the code of a page."""
    return "file_format: mystnb" in page.read_text()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_on_a_page_is_run_by_the_build_or_by_a_test(page):
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)
    assert not blocks or executed(page) or name(page) in RUN
    if name(page) in RUN:
        assert page.name in (ROOT / "tests" / f"{RUN[name(page)]}.py").read_text()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_on_a_page_are_commands(page):
    shown = re.sub(r"\\\n\s*", " ", page.read_text())
    for line in re.findall(r"^(?: {4}|!)(?:.*&& )?(?:SNNPLAST_\w+=\S+ )?snnplast (.*)$", shown, re.M):
        words = shlex.split(line.partition(" > ")[0].partition(" | ")[0].partition("  #")[0])
        if not {"...", "KEY=VALUE"} & set(words) and not any("$" in word or word.isupper() for word in words):
            _parse(words)


class Page(HTMLParser):
    """Links and places of a page of the site."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids |= {given[key] for key in ("id", "name") if given.get(key)}
        self.links += [given[key] for key in ("href", "src") if given.get(key)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("sphinx_gallery", reason="pip install '.[docs]'")
    pytest.importorskip("myst_nb", reason="pip install '.[docs]'")
    out = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", DOCS, out]
    built = subprocess.run(build, capture_output=True, text=True, cwd=ROOT, timeout=1200)
    assert built.returncode == 0, built.stdout + built.stderr
    return out


@pytest.mark.slow
def test_every_link_of_the_site_leads_somewhere(site):
    pages = {path: Page(path.read_text()) for path in site.rglob("*.html")}
    assert len(pages) > 40
    lost = []
    for path, page in pages.items():
        for link in page.links:
            if re.match(r"[a-z]+:|//|#$", link):
                continue
            target, place = urldefrag(link)
            to = (path.parent / unquote(target.partition("?")[0])).resolve() if target else path
            if not to.exists() or (place and to in pages and unquote(place) not in pages[to].ids):
                lost.append(f"{path.relative_to(site)}: {link}")
    assert lost == []


@pytest.mark.slow
def test_nothing_of_the_site_comes_from_elsewhere(site):
    """It is read without a network, and names no path of the machine that built it."""
    for path in site.rglob("*.html"):
        text = path.read_text()
        assert not re.search(r'<(?:script|link|img)[^>]* (?:src|href)="(?:https?:)?//', text), path.name
        assert str(ROOT) not in text and str(Path.home()) + "/" not in text, path.name
