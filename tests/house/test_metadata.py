"""What forges and registries show agrees: classifiers, the workflow's matrix, and the citation."""

import tomllib

import yaml

from ..helpers import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHON = "Programming Language :: Python :: 3."


def test_the_workflow_installs_on_every_python_that_is_promised() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    matrix = workflow["jobs"]["wheel"]["strategy"]["matrix"]
    promised = [f"3.{text.removeprefix(PYTHON)}" for text in PROJECT["classifiers"] if text.startswith(PYTHON)]
    assert matrix["python"] == promised
    assert PROJECT["requires-python"] == f">={promised[0]}"
    assert len(matrix["os"]) == 3


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["title"], citation["version"]) == (PROJECT["name"], PROJECT["version"])
    assert citation["license"] == PROJECT["license"]
    assert f"## {citation['version']} - {citation['date-released']}\n" in (ROOT / "CHANGELOG.md").read_text(
        encoding="utf-8"
    )
