"""The committed reports of the self-test are what today's code makes of the measurements beside them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from selftest.picks import report as picks
from selftest.verdicts import report as verdicts

from ..helpers import ROOT


@pytest.mark.parametrize(
    ("name", "write_report"), [("selftest", verdicts.write_report), ("pick-selftest", picks.write_report)]
)
def test_a_committed_report_is_made_of_the_measurements_beside_it(
    name: str, write_report: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = ROOT / "reports" / name
    shutil.copytree(folder, tmp_path / name)
    (tmp_path / name / "report.md").unlink()
    assert write_report(tmp_path / name).read_text(encoding="utf-8") == (folder / "report.md").read_text("utf-8")
