"""Documents lead somewhere: every link between them has a file and a heading, and an index lists every page."""

import re
import tomllib
from pathlib import Path

import pytest

from ..helpers import ROOT

DOCUMENTS = [
    path
    for place in (".", "kernels", "docs", "docs/commands", "docs/method", "reports", "benchmarks/decisions")
    for path in sorted((ROOT / place).glob("*.md"))
]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAX_COLUMNS = 104
"""Columns that a forge shows of code: beyond them a reader scrolls."""
INDENTED = re.compile(r"^    \S.*$", re.MULTILINE)
EXTRAS = re.compile(r"(?:gdbench|\.whl|'\.|`)\[([a-z,]+)\]")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _text(document: Path) -> str:
    """Text of a document without its blocks of code."""
    return CODE.sub("", document.read_text(encoding="utf-8"))


def _anchors(document: Path) -> set[str]:
    """Anchors of its headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", _text(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_has_a_file_and_a_heading(document: Path) -> None:
    for link in LINK.findall(_text(document)):
        if link.startswith(("http://", "https://")):
            continue
        place, _, anchor = link.partition("#")
        target = (document.parent / place).resolve() if place else document
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_code_is_read_without_scrolling(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    lines = [line for block in CODE.findall(text) for line in block.splitlines()] + INDENTED.findall(text)
    assert [line for line in lines if len(line) > MAX_COLUMNS] == []


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_extras_that_are_named_can_be_installed(document: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {extra for found in EXTRAS.findall(document.read_text(encoding="utf-8")) for extra in found.split(",")}
    assert named <= {*project["optional-dependencies"]}


@pytest.mark.parametrize("folder", ["docs", "docs/method"])
def test_an_index_lists_every_page(folder: str) -> None:
    index = ROOT / folder / "README.md"
    listed = {(index.parent / link.partition("#")[0]).resolve() for link in LINK.findall(_text(index))}
    pages = {path for path in index.parent.rglob("*.md") if folder == "docs/method" or path.parent.name != "method"}
    assert len(pages) > 2
    assert pages - {index} <= listed
