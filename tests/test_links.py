"""What a reader of the documents can follow: in the repository, in the source archive and on a package index."""

from __future__ import annotations

import difflib
import email
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("[!.]*/*.md"), *(ROOT / "docs").glob("[!_eg]*/*.md")])


def relative(text):
    """Targets of the links and images of a document that are no web addresses."""
    tokens = [child for token in MarkdownIt().parse(text) for child in token.children or []]
    targets = [token.attrs.get("href") or token.attrs.get("src") for token in tokens]
    files = [target.partition("#")[0] for target in targets if target]  # places on a page: tests/test_site.py
    made = ("https://", "http://", "generated/", "../reference/generated/", "../examples/")  # by others, by `make docs`
    return [target for target in files if target and not target.startswith(made)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_document_points_at_is_there(path):
    assert [target for target in relative(path.read_text()) if not (path.parent / target).is_file()] == []


@pytest.mark.slow
def test_what_a_document_points_at_is_in_the_source_archive(archives):
    with tarfile.open(next(archives.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for path in DOCUMENTS:
        folder = path.parent.relative_to(ROOT)
        assert {os.path.normpath(folder / target) for target in relative(path.read_text())} <= names


@pytest.mark.slow
def test_a_package_index_shows_readme_without_what_points_at_files(archives):
    with zipfile.ZipFile(next(archives.glob("*.whl"))) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
        metadata = email.message_from_bytes(wheel.read(name))
    readme, shown = (ROOT / "README.md").read_text(), metadata.get_payload(decode=True).decode()
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert relative(readme) and relative(shown) == []
    changed = [line[2:] for line in difflib.ndiff(readme.splitlines(), shown.splitlines()) if line.startswith("- ")]
    assert [line for line in changed if line and not relative(line)] == []
