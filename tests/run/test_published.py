"""A run that was published without its raw files is read from its tables, told alike, and never gone on with."""

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from gdbench.report import markdown
from gdbench.report.build import rebuild
from gdbench.run.execute import left
from gdbench.run.folder import read_run
from gdbench.run.plan import read_plan
from gdbench.run.runner import resume, unfinished
from kernels import InputError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def published(smoke_run: tuple[Path, "subprocess.CompletedProcess[str]"], tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    shutil.copytree(smoke_run[0], folder)
    shutil.rmtree(folder / "raw")
    return folder


def test_its_tables_say_what_its_raw_files_said(
    smoke_run: tuple[Path, "subprocess.CompletedProcess[str]"], published: Path
) -> None:
    whole, read = read_run(smoke_run[0]), read_run(published)
    assert read.complete
    assert read.limits == whole.limits
    assert_frame_equal(read.samples, whole.samples, rtol=1e-5)
    assert_frame_equal(read.summary, whole.summary, rtol=1e-4)
    assert markdown.render(read) == markdown.render(whole)


def test_its_report_is_rebuilt(published: Path) -> None:
    before, told = pd.read_csv(published / "summary.csv"), (published / "report.md").read_text(encoding="utf-8")
    rebuild(published)
    assert_frame_equal(pd.read_csv(published / "summary.csv"), before, rtol=1e-4)  # of samples with six digits
    assert (published / "report.md").read_text(encoding="utf-8") == told


def test_it_is_not_gone_on_with(published: Path) -> None:
    with pytest.raises(InputError, match="was published without its raw files"):
        resume(published)
    with pytest.raises(InputError, match="has blocks left"):
        unfinished(published.parent)


def test_a_run_that_was_stopped_before_its_first_block_is_gone_on_with_though_its_report_was_made(
    published: Path,
) -> None:
    (published / "raw").mkdir()  # as Ctrl-C leaves it while kernels are certified
    (published / "samples.csv").unlink()
    assert not rebuild(published).complete
    assert len(left(published, read_plan(published))) == len(read_plan(published).blocks)
    assert unfinished(published.parent) == published


def test_a_run_that_was_published_half_measured_says_so(published: Path) -> None:
    samples = pd.read_csv(published / "samples.csv")
    samples[samples["block"] == 0].to_csv(published / "samples.csv", index=False)
    assert not read_run(published).complete


def test_damaged_limits_are_one_sentence(published: Path) -> None:
    (published / "limits.json").write_text("[", encoding="utf-8")
    with pytest.raises(InputError, match="from where it came from"):
        read_run(published)


@pytest.mark.parametrize("text", ["", "variant,seconds\njit,1\n", "\0"])
def test_a_damaged_table_is_one_sentence(published: Path, text: str) -> None:
    (published / "samples.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"samples\.csv is no table of samples"):
        read_run(published)


def test_no_raw_file_is_tracked() -> None:
    command = ["git", "ls-files", "reports"]
    tracked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert tracked
    assert not [name for name in tracked if "/raw/" in name]
    assert read_plan(ROOT / "reports" / "peers").profile == "peers"
